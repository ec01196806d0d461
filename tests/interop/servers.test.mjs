// This package's clients at every peer's server.

import { after, before, describe, test } from 'node:test';
import { makeCertificate } from '../lib/certificate.mjs';
import { clients } from './clients.mjs';
import { testExchanges } from './exchanges.mjs';
import { missing, peers, startPeer } from './peers.mjs';

const certificate = makeCertificate();

let connections = 0;

for (const [name, kind] of Object.entries(peers)) {
  if (!kind.server) continue;
  describe(`a server of ${name}`, { skip: missing(kind) }, () => {
    /** @type {Awaited<ReturnType<typeof startPeer>>} */ let peer;
    before(async () => {
      peer = await startPeer(kind, certificate);
    });
    after(() => peer?.stop());

    for (const [what, { own, scheme, connect, deflate }] of Object.entries(clients)) {
      describe(`and ${what}`, () => {
        const open = async ({ protocols = [], headers = {} } = {}) => {
          connections += 1;
          const report = peer.report(connections);
          const end = connect(`${peer.urls[scheme]}/?id=${connections}`, protocols, { headers, ca: certificate.ca });
          await end.opened;
          return { end, report };
        };
        testExchanges(test, { peer: kind.server, own }, () => ({ open, lost: kind.lost, deflate: deflate && kind.deflate.server }));
      });
    }
  });
}
