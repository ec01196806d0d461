// Every peer as client of this package's servers.

import { after, before, describe, test } from 'node:test';
import { makeCertificate } from '../lib/certificate.mjs';
import { WS } from './ends.mjs';
import { testExchanges } from './exchanges.mjs';
import { missing, peers, startPeer } from './peers.mjs';
import { endpoints, serveAll } from './servers.mjs';

const certificate = makeCertificate();
const servers = serveAll(certificate);

for (const [name, kind] of Object.entries(peers)) {
  describe(`a client of ${name}`, { skip: missing(kind) }, () => {
    /** @type {Awaited<ReturnType<typeof startPeer>>} */ let peer;
    before(async () => {
      peer = await startPeer(kind, certificate);
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
