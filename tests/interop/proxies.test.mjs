// This package's clients and servers with a reverse proxy between them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { makeCertificate } from '../lib/certificate.mjs';
import { proxies, startProxy } from '../lib/proxies.mjs';
import { echo } from '../programs/peers/echo.mjs';
import { clients } from './clients.mjs';
import { wsEnd } from './ends.mjs';
import { testExchanges } from './exchanges.mjs';
import { serveAll } from './servers.mjs';

/** A failure guard: nothing waits for this. */
const DEADLINE = { timeout: 60_000 };

const certificate = makeCertificate();

/** Which of the endpoints the paths lead to. */
const BACKENDS = { native: 'a port', stream: 'an http server' };

const servers = serveAll(certificate, Object.values(BACKENDS));

/** What the server's end does in the place of a peer. */
const abilities = {
  drop: (ws) => ws.terminate(),
  ping(ws) {
    ws.once('pong', () => ws.send('ponged'));
    ws.ping('from the server');
  },
};

for (const name of Object.keys(proxies)) {
  const skip = proxies[name].path() === '' && `npm test found no ${name}`;
  describe(`behind ${name}`, { skip }, () => {
    /** @type {Awaited<ReturnType<typeof startProxy>>} */ let proxy;
    before(async () => {
      const backends = Object.fromEntries(Object.entries(BACKENDS).map(([backend, endpoint]) => [backend, servers.get(endpoint).port]));
      proxy = await startProxy(name, { ...certificate, backends });
    }, DEADLINE);
    after(() => proxy?.stop());

    /** Both ends of a connection through the proxy. The server's end is this package's own, too. */
    async function connect(backend, { scheme, connect: dial }, { protocols = [], headers = {} } = {}, way = '') {
      const { arrival, id } = servers.get(BACKENDS[backend]).expect();
      const end = dial(`${proxy[scheme]}/${backend}/${way}?id=${id}`, protocols, { headers, ca: certificate.ca });
      const [{ ws, request }] = await Promise.all([arrival, end.opened]);
      return { end, ws, request };
    }

    for (const backend of Object.keys(BACKENDS)) {
      for (const [what, client] of Object.entries(clients)) {
        describe(`the ${backend} server and ${what}`, () => {
          const open = async (wishes) => {
            const { end, ws, request } = await connect(backend, client, wishes);
            const report = echo(ws, abilities).then((told) => ({ ...told, headers: request.headers }));
            return { end, report };
          };
          const peer = ['ping', 'drop', 'close with 1001', 'close without a code', 'headers', 'cookies'];
          testExchanges(test, { peer, own: client.own }, () => ({ open, deflate: client.deflate }));

          test('the server sees who the client is and how it came', DEADLINE, async () => {
            const { end, request } = await connect(backend, client);
            assert.equal(request.headers['x-forwarded-for'], '127.0.0.1');
            assert.equal(request.headers['x-forwarded-proto'], client.scheme === 'wss' ? 'https' : 'http');
            end.close();
            await end.closed;
          });

          test('a proxy that ends a silent connection is 1006 at both ends, and nothing of it stays', DEADLINE, async () => {
            const { end, ws } = await connect(backend, client, {}, 'brief/');
            const lost = { code: 1006, reason: '', clean: false };
            assert.deepEqual(await Promise.all([end.closed, wsEnd(ws).closed]), [lost, lost]);
            await servers.get(BACKENDS[backend]).empty();
          });
        });
      }
    }

    // The last: there is no proxy afterwards.
    test('a proxy that dies in the middle of messages is 1006 at both ends, and nothing of it stays', DEADLINE, async () => {
      const ends = [];
      for (const backend of Object.keys(BACKENDS)) {
        for (const client of Object.values(clients).filter(({ own }) => own.includes('ping'))) {
          const { end, ws } = await connect(backend, client);
          const other = wsEnd(ws);
          const got = [];
          ws.on('message', () => got.push('server'));
          end.ws.on('message', () => got.push('client'));
          for (const one of [end, other]) {
            one.ws.send('x'.repeat(100_000), { fin: false });
            // The other end has answered, so it has read the beginning of the message.
            await one.ping('');
          }
          ends.push(end, other);
          assert.deepEqual(got, []);
        }
      }
      await proxy.kill();
      for (const end of ends) assert.deepEqual(await end.closed, { code: 1006, reason: '', clean: false });
      for (const backend of Object.keys(BACKENDS)) await servers.get(BACKENDS[backend]).empty();
    });
  });
}
