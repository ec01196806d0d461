// A client in Node: sends the messages that its standard input lists, compares each echo, closes, and prints how it closed.
// A message is `text:...`, or `binary:LENGTH` for LENGTH bytes 0, 1, 2, ...
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'itoden';

const lines = (await text(process.stdin)).split('\n').filter((line) => line !== '');
const socket = new WebSocket(process.argv[2]);
await once(socket, 'open');
for (const line of lines) {
  const [kind, value] = [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)];
  const message = kind === 'text' ? value : Buffer.from(Uint8Array.from({ length: Number(value) }, (_, at) => at));
  socket.send(message);
  const [data, isBinary] = await once(socket, 'message');
  assert.equal(isBinary, kind === 'binary');
  assert.ok(Buffer.from(message).equals(data), line);
}
socket.close(3000, 'done');
const [code, reason] = await once(socket, 'close');
console.log(`${lines.length} echoed, closed with ${code} ${reason}`.trimEnd());
