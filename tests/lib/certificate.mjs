// @ts-check
// An authority of the tests' own, and a certificate of it for 127.0.0.1 and localhost. Made by openssl, in a folder that
// goes when the tests of the file that asks are over.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

export function makeCertificate() {
  const folder = mkdtempSync(join(tmpdir(), 'itoden-interop-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const file = (/** @type {string} */ name) => join(folder, name);
  const openssl = (/** @type {string[]} */ ...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const paths = { authority: file('authority.pem'), certificate: file('server.pem'), key: file('server.key'), bundle: file('server-and-key.pem') };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-batch'];
  const ca = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign'];
  openssl('req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=itoden tests', '-keyout', file('authority.key'), '-out', paths.authority, ...ca);
  openssl('req', ...newKey, '-subj', '/CN=localhost', '-keyout', paths.key, '-out', file('server.csr'));
  writeFileSync(file('server.ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n');
  openssl(
    'x509', '-req', '-in', file('server.csr'), '-CA', paths.authority, '-CAkey', file('authority.key'), '-CAcreateserial',
    '-days', '2', '-extfile', file('server.ext'), '-out', paths.certificate,
  ); // prettier-ignore
  const [cert, key] = [readFileSync(paths.certificate), readFileSync(paths.key)];
  writeFileSync(paths.bundle, Buffer.concat([cert, key]));
  return { folder, paths, ca: readFileSync(paths.authority), cert, key };
}
