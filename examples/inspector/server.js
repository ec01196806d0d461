// @ts-check
// Builds the page and serves it: node server.js [--host localhost] [--port 8081], or by HOST and PORT in the environment.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.js';

/** @type {Record<string, string>} */
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.wasm': 'application/wasm',
};

/** A server of the files in a folder, and of nothing else: no path from outside reaches the file system. @param {string} folder */
export function serve(folder) {
  /** @type {Map<string, string>} */
  const files = new Map();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !(extname(entry.name) in TYPES)) continue;
    const file = join(entry.parentPath ?? entry.path, entry.name);
    files.set(`/${relative(folder, file).split(sep).join('/')}`, file);
  }
  files.set('/', join(folder, 'index.html'));
  return createServer(async (request, response) => {
    const file = files.get((request.url ?? '/').split('?', 1)[0] ?? '/');
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const type = file && isRead ? (TYPES[extname(file)] ?? '') : 'text/plain; charset=utf-8';
    const status = !isRead ? 405 : file ? 200 : 404;
    const body = status === 200 && file ? await readFile(file).catch(() => undefined) : 'There is no such page.\n';
    response.writeHead(body === undefined ? 500 : status, {
      'Content-Type': type,
      'Cache-Control': 'no-cache',
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
    });
    response.end(body);
  });
}

function main() {
  const { values } = parseArgs({ options: { host: { type: 'string' }, port: { type: 'string' } } });
  const host = values.host ?? process.env.HOST ?? 'localhost';
  const port = values.port ?? process.env.PORT ?? '8081';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) throw new Error(`the port is '${port}', but must be a number from 0 (any free port) to 65535`);
  const server = serve(build());
  server.on('error', (error) => {
    console.error(`Cannot listen on ${host}, port ${port}: ${error.message}`);
    process.exit(1);
  });
  server.listen(Number(port), host, () => {
    const address = server.address();
    const actual = typeof address === 'object' && address ? address.port : port;
    console.log(`The inspector is open at http://${host.includes(':') ? `[${host}]` : host}:${actual}/`);
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    main();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}. Usage: node server.js [--host NAME] [--port NUMBER]`);
    process.exit(1);
  }
}
