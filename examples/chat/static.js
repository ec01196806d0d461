// @ts-check
// The files of the page. Folders are read once, at the start, and a request can only name what was found then: no path
// from outside ever reaches the file system.

import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';

/** @type {Record<string, string>} a file of any other kind isn't served */
const CONTENT_TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.wasm': 'application/wasm',
};

const HEADERS = {
  // 'wasm-unsafe-eval' lets the page compile WebAssembly, and nothing else: no eval, no inline script, no foreign host.
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-cache',
};

/**
 * A request handler for the files in some folders.
 * @param {Record<string, string>} folders URL prefix → folder, such as { '/': 'page' }
 * @returns {(request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => Promise<void>}
 */
export function serveFiles(folders) {
  const files = findFiles(folders);
  return async (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return reply(response, 405, `${request.method} is not allowed here, only GET and HEAD.\n`, { Allow: 'GET, HEAD' });
    }
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const file = files.get(path);
    if (!file) return reply(response, 404, 'There is no such page.\n');
    try {
      reply(response, 200, await readFile(file), { 'Content-Type': CONTENT_TYPES[extname(file)] ?? '' });
    } catch (error) {
      console.error(`Cannot read ${file}:`, error);
      reply(response, 500, 'The file could not be read.\n');
    }
  };
}

/**
 * @param {Record<string, string>} folders
 * @returns {Map<string, string>} URL path → file
 */
function findFiles(folders) {
  const files = new Map();
  for (const [prefix, folder] of Object.entries(folders)) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !(extname(entry.name) in CONTENT_TYPES)) continue;
      const file = join(entry.parentPath ?? entry.path, entry.name);
      const path = prefix + relative(folder, file).split(sep).join('/');
      files.set(path, file);
      if (path.endsWith('/index.html')) files.set(path.slice(0, -'index.html'.length), file);
    }
  }
  return files;
}

/**
 * @param {import('node:http').ServerResponse} response
 * @param {number} status
 * @param {string | Buffer} body Node leaves it out where a HEAD is answered
 * @param {Record<string, string>} [headers]
 */
function reply(response, status, body, headers) {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    ...HEADERS,
    ...headers,
  });
  response.end(body);
}
