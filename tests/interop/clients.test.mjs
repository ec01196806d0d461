// Every peer as client of this package's servers.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeCertificate } from '../lib/certificate.mjs';
import { WS } from './ends.mjs';
import { testExchanges } from './exchanges.mjs';
import { missing, peers, startPeer } from './peers.mjs';
import { endpoints, startEndpoint } from './servers.mjs';

const folder = mkdtempSync(join(tmpdir(), 'itoden-interop-'));
const certificate = makeCertificate(folder);
after(() => rmSync(folder, { recursive: true, force: true }));

/** @type {Map<string, Awaited<ReturnType<typeof startEndpoint>>>} */
const servers = new Map();
before(async () => {
  for (const name of Object.keys(endpoints)) servers.set(name, await startEndpoint(name, certificate));
});
after(async () => {
  for (const server of servers.values()) await server.stop();
});

for (const [name, kind] of Object.entries(peers)) {
  describe(`a client of ${name}`, { skip: missing(kind) }, () => {
    /** @type {Awaited<ReturnType<typeof startPeer>>} */ let peer;
    before(async () => {
      peer = await startPeer(kind, certificate.paths, folder);
    });
    after(() => peer?.stop());

    for (const [where, { deflate }] of Object.entries(endpoints)) {
      describe(`at ${where}`, () => {
        const open = (wishes) => servers.get(where).open((job) => peer.connect(job), wishes);
        testExchanges(test, { peer: kind.client, own: WS }, () => ({ open, lost: kind.lost, deflate: deflate && kind.deflate.client }));
      });
    }
  });
}
