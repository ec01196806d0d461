// The peer undici, as client: it has no server.

import { readFileSync } from 'node:fs';
import { Agent, WebSocket } from 'undici';
import { echo } from './echo.mjs';
import { authority, live, say } from './life.mjs';

const dispatcher = new Agent({ connect: { ca: readFileSync(authority) } });
say({});
await live(({ url, protocols, headers }) => echo(new WebSocket(url, { protocols, headers, dispatcher })));
