// The client under test of the Autobahn suite, in Node: `wstest -m fuzzingserver`.
//
//   node autobahn_client.mjs 127.0.0.1:9001 native    the addon connects
//   node autobahn_client.mjs 127.0.0.1:9001 stream    Node's http connects, with an agent of the user's
import { once } from 'node:events';
import { Agent } from 'node:http';
import { WebSocket } from 'itoden';

const [address, driver] = process.argv.slice(2);
/** @type {Record<string, object>} */
const drivers = { native: { transport: 'native' }, stream: { agent: new Agent() } };
if (!drivers[driver]) throw new Error(`'${driver}' is no driver; there are ${Object.keys(drivers).join(' and ')}`);

/** Every message is compressed, short ones too, where the server agrees to it. */
const dial = (path) => new WebSocket(`ws://${address}${path}`, { ...drivers[driver], perMessageDeflate: { threshold: 0 } });

const counter = dial('/getCaseCount');
const [count] = await once(counter, 'message');
for (let number = 1; number <= Number(count); number += 1) {
  const socket = dial(`/runCase?case=${number}&agent=itoden`);
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  // Most cases break the protocol; the connection fails, as it must, and then closes.
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('close', resolve));
}
const reporter = dial('/updateReports?agent=itoden');
await once(reporter, 'close');
