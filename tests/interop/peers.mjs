// The peers: how each is started, and what it can. `programs/peers/` has what they do.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const program = (name) => join(root, 'tests', 'programs', 'peers', name);
const bin = (name) => join(root, 'node_modules', '.bin', name);
const python = join(root, '.venv', process.platform === 'win32' ? 'Scripts' : 'bin', 'python');

/** What an API like that of browsers can, where it takes options of its own. */
const BROWSERLIKE = ['headers', 'cookies', 'close without a code'];

/**
 * @typedef {object} PeerKind
 * @property {string[]} command
 * @property {Record<string, string>} [env]
 * @property {import('./exchanges.mjs').Ability[]} client what it can as client
 * @property {import('./exchanges.mjs').Ability[]} [server] what it can as server; undefined where it has none
 * @property {{ client: boolean, server?: boolean }} deflate whether it has permessage-deflate
 * @property {number} [lost] the code that it tells where a connection was lost, if not the standard's 1006
 */

/** @type {Record<string, PeerKind>} */
export const peers = {
  ws: {
    command: [process.execPath, program('ws.mjs')],
    client: [...BROWSERLIKE, 'ping', 'drop', 'close with 1001'],
    server: [...BROWSERLIKE, 'ping', 'drop', 'close with 1001'],
    deflate: { client: true, server: true },
  },
  undici: {
    command: [process.execPath, program('undici.mjs')],
    client: BROWSERLIKE,
    deflate: { client: true },
  },
  Bun: {
    command: [bin('bun'), 'run', program('bun.mjs')],
    client: [...BROWSERLIKE, 'ping', 'drop'],
    server: ['headers', 'cookies', 'ping', 'drop', 'close with 1001'],
    deflate: { client: true, server: true },
  },
  Deno: {
    command: [bin('deno'), 'run', '--quiet', '--no-remote', '--no-lock', '--no-config', '--allow-all', program('deno.mjs')],
    client: BROWSERLIKE,
    server: BROWSERLIKE,
    deflate: { client: false, server: false },
    lost: 0,
  },
  websockets: {
    command: [python, program('websockets_peer.py')],
    client: ['headers', 'cookies', 'ping', 'drop', 'close with 1001'],
    server: ['headers', 'cookies', 'ping', 'drop', 'close with 1001'],
    deflate: { client: true, server: true },
  },
  'itoden for Python': {
    command: [python, program('itoden_peer.py')],
    client: ['headers', 'cookies', 'ping', 'drop', 'close with 1001'],
    server: ['headers', 'cookies', 'ping', 'drop', 'close with 1001'],
    deflate: { client: true, server: true },
  },
  aiohttp: {
    command: [python, program('aiohttp_peer.py')],
    client: ['headers', 'cookies', 'ping', 'drop', 'close with 1001'],
    server: ['headers', 'cookies', 'ping', 'drop', 'close with 1001'],
    deflate: { client: true, server: true },
  },
};

/** Why a peer can't be tried here, or `false`. In CI all must be there. @param {PeerKind} kind */
export function missing({ command: [file] }) {
  if (existsSync(file)) return false;
  const sentence = `${file} is not there; npm installs it where there is one for this platform`;
  if (process.env.CI) throw new Error(sentence);
  return sentence;
}

/**
 * Starts a peer's program.
 * @param {PeerKind} kind
 * @param {ReturnType<typeof import('../lib/certificate.mjs').makeCertificate>} certificate
 */
export async function startPeer({ command: [file, ...args] }, { folder, paths: { authority, certificate, key } }) {
  const child = spawn(file, [...args, authority, certificate, key], {
    cwd: folder,
    env: { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`, DENO_DIR: folder, DENO_NO_UPDATE_CHECK: '1', PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  // It may end before its input does.
  child.stdin.on('error', () => {});
  /** @type {Map<number, (report: object) => void>} */
  const waiting = new Map();
  const lines = createInterface({ input: child.stdout });
  const first = once(lines, 'line');
  lines.on('line', (line) => {
    const { id, ...report } = JSON.parse(line);
    waiting.get(id)?.(report);
    waiting.delete(id);
  });
  const over = ended.then(([code, signal]) => Promise.reject(new Error(`${file} ended with ${signal ?? code}`)));
  over.catch(() => {});
  const [ready] = await Promise.race([first, over]);

  /** What it reports of a connection. */
  const report = (id) => Promise.race([new Promise((resolve) => waiting.set(id, resolve)), over]);
  return {
    /** Where it serves. @type {{ ws?: string, wss?: string }} */
    urls: JSON.parse(ready),
    report,
    /** Has it make a connection; gives its report. */
    connect(job) {
      const reported = report(job.id);
      child.stdin.write(`${JSON.stringify(job)}\n`);
      return reported;
    },
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}
