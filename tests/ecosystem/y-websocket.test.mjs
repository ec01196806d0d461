// y-websocket with a class of the user's, and @y/websocket-server behind a WebSocketServer of the user's.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setPersistence, setupWSConnection } from '@y/websocket-server/utils';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { matrix, serve, until } from '../lib/implementations.mjs';

// Documents are forgotten with their last connection.
setPersistence({ bindState() {}, async writeState() {} });

let tests = 0;

/** Rooms below `url` are this test's own: all servers of a process share their documents. */
async function start(t, kind, options) {
  const { wss, url } = await serve(t, kind, options);
  wss.on('connection', setupWSConnection);
  return { wss, url: `${url}/${(tests += 1)}` };
}

/** A document that is shared as `room`. */
function share(t, { WebSocket }, url, room = 'room') {
  const doc = new Y.Doc();
  const provider = new WebsocketProvider(url, room, doc, { WebSocketPolyfill: WebSocket, disableBc: true, maxBackoffTime: 1 });
  t.after(() => {
    provider.destroy();
    doc.destroy();
  });
  return { doc, provider, text: doc.getText('text'), map: doc.getMap('map') };
}

const synced = ({ provider }) => until(() => provider.synced);

matrix('two documents become one, and edits at the same time meet', async (t, { server, client }) => {
  const { url } = await start(t, server);
  const [left, right] = [share(t, client, url), share(t, client, url)];
  left.text.insert(0, 'written before it was open; ');
  await Promise.all([synced(left), synced(right)]);
  await until(() => right.text.length === left.text.length);
  left.text.insert(0, 'left ');
  right.text.insert(right.text.length, 'right');
  left.map.set('who', 'left');
  right.map.set('bytes', new Uint8Array([1, 2, 3]));
  await until(() => left.text.toString() === right.text.toString() && left.map.size === 2 && right.map.size === 2);
  assert.equal(left.text.toString(), 'left written before it was open; right');
  assert.deepEqual(left.map.toJSON(), right.map.toJSON());
  const late = share(t, client, url);
  await synced(late);
  assert.deepEqual(late.doc.toJSON(), left.doc.toJSON());
});

matrix('a large update and many small ones arrive', async (t, { server, client }) => {
  const { url } = await start(t, server, { perMessageDeflate: true });
  const [left, right] = [share(t, client, url), share(t, client, url)];
  await Promise.all([synced(left), synced(right)]);
  left.text.insert(0, 'κόσμε '.repeat(100_000));
  for (let at = 0; at < 500; at += 1) left.map.set(`key ${at}`, at);
  await until(() => right.text.length === 600_000 && right.map.size === 500);
  assert.equal(right.text.toString(), left.text.toString());
});

matrix('rooms are apart', async (t, { server, client }) => {
  const { url } = await start(t, server);
  const [one, other, same] = [share(t, client, url, 'one'), share(t, client, url, 'other'), share(t, client, url, 'one')];
  await Promise.all([one, other, same].map(synced));
  one.text.insert(0, 'only here');
  await until(() => same.text.length > 0);
  assert.equal(other.text.length, 0);
});

matrix('who is there is known, and who goes is missed', async (t, { server, client }) => {
  const { url } = await start(t, server);
  const [left, right] = [share(t, client, url), share(t, client, url)];
  left.provider.awareness.setLocalState({ name: 'left' });
  right.provider.awareness.setLocalState({ name: 'right' });
  const names = () => [...left.provider.awareness.getStates().values()].map(({ name }) => name).sort();
  await until(() => names().length === 2);
  assert.deepEqual(names(), ['left', 'right']);
  right.provider.destroy();
  await until(() => names().length === 1);
});

matrix('a provider that is cut off comes back with what it has written meanwhile', async (t, { server, client }) => {
  const { wss, url } = await start(t, server);
  const [left, right] = [share(t, client, url), share(t, client, url)];
  await Promise.all([synced(left), synced(right)]);
  const lost = new Promise((resolve) => left.provider.once('connection-close', resolve));
  const again = once(wss, 'connection');
  for (const socket of wss.clients) socket.terminate();
  assert.equal((await lost).code, 1006);
  left.text.insert(0, 'written while nobody heard');
  await again;
  await until(() => right.text.toString() === 'written while nobody heard');
});
