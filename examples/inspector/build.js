// @ts-check
// Puts the page into one folder, dist/, that any static server can serve under any path: the page's files, the codec, and
// the list of both for the service worker.

import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const page = join(here, 'page');
/** What the page needs of the package: not the entries for other hosts. */
const isNeeded = (/** @type {string} */ path) => !/\.d\.ts$|\.(node|workerd)\.js$|[\\/](node|workerd|index|frames)\.js$|[\\/](codec|frames)\.wasm$/.test(path);

/** @param {string} folder @returns {string[]} with slashes, sorted */
const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)).split(sep).join('/'))
    .sort();

/** Builds it; the path of the folder. @param {string} [target] */
export function build(target = join(here, 'dist')) {
  const codec = fileURLToPath(new URL('.', import.meta.resolve('itoden-wasm')));
  if (!existsSync(join(codec, 'deflate.wasm'))) throw new Error(`${codec} has no deflate.wasm: run \`npm run build -- wasm\` at the root first`);
  rmSync(target, { recursive: true, force: true });
  cpSync(page, target, { recursive: true });
  cpSync(codec, join(target, 'itoden-wasm'), { recursive: true, filter: isNeeded });

  replace(join(target, 'index.html'), (html) => {
    const map = /<script type="importmap">([^<]*)<\/script>/.exec(html)?.[1] ?? '';
    return html.replace('@importmap@', `sha256-${createHash('sha256').update(map).digest('base64')}`);
  });
  const files = filesIn(target).filter((file) => file !== 'service-worker.js');
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update(readFileSync(join(target, file)));
  const version = `itoden-inspector-${hash.digest('hex').slice(0, 16)}`;
  replace(join(target, 'service-worker.js'), (code) => code.replace('@version@', version).replace('@files@', ['./', ...files].join(' ')));
  return target;
}

/** @param {string} path @param {(content: string) => string} change */
function replace(path, change) {
  writeFileSync(path, change(readFileSync(path, 'utf8')));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(`The page is in ${build()}`);
