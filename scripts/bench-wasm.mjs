// npm run bench:wasm [-- --write] [-- --quick] [-- --filter WORD]...: the codec in WebAssembly, in Node beside ws and
// websocket-driver, and in Chromium beside one in JavaScript. --write puts tables, numbers and a chart into docs/benchmarks;
// --quick only shows that everything runs; a filter is a word of a workload's name, as `decode`, `text` or `1024`.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { boundsTable, installPeers, machine, medians, options, tell, versionsLine, writeFile, writeNumbers } from './lib/bench-command.mjs';
import { asText } from './lib/benchmark-table.mjs';
import { collect } from './lib/benchmark.mjs';
import { Failure, runMain } from './lib/failure.mjs';
import { kept, root } from './lib/paths.mjs';
import { setUp } from './lib/setup.mjs';
import { chart, tables, verdicts } from './lib/wasm-report.mjs';

/** @typedef {import('./lib/benchmark.mjs').Line} Line */
/** @typedef {import('./lib/benchmark.mjs').Workload} Workload */
/** @typedef {{ place: string, version: string, workloads: Workload[] }} Part */

const tools = join(root, 'bindings-wasm', 'tools', 'bench');
const dist = join(root, 'bindings-wasm', 'dist');
const peers = {
  folder: join(kept, 'bench-wasm'),
  packages: { ws: '8.23.0', 'websocket-driver': '0.7.4', 'permessage-deflate': '0.1.7', pako: '2.1.0' },
};

/** @param {number} rounds @param {string[]} words @returns {Promise<Line[]>} */
async function inNode(rounds, words) {
  const child = spawn(process.execPath, [join(tools, 'node.mjs'), peers.folder, String(rounds), ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  /** @type {Line[]} */
  const lines = [];
  for await (const line of createInterface({ input: child.stdout })) lines.push(JSON.parse(line));
  const [code] = await ended;
  if (code !== 0) throw new Failure(`The benchmark in Node ended with exit code ${code}; what it says is above.`);
  return lines;
}

/** The page, its scripts and the package, with the headers for a precise clock. */
async function serve() {
  const types = { mjs: 'text/javascript', js: 'text/javascript', wasm: 'application/wasm' };
  const server = createServer(({ url = '/' }, response) => {
    const isolated = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
    const [, folder, name] = /^\/(itoden-wasm\/)?([\w.-]+\.(?:mjs|js|wasm))$/.exec(url) ?? [];
    if (name === undefined) {
      response.writeHead(200, { ...isolated, 'Content-Type': 'text/html' });
      response.end('<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.mjs"></script>');
      return;
    }
    const pako = join(peers.folder, 'node_modules', 'pako', 'dist', 'pako.esm.mjs');
    const path = name === 'pako.mjs' ? pako : join(folder ? dist : tools, basename(name));
    const type = types[/** @type {keyof typeof types} */ (name.split('.').at(-1))];
    response.writeHead(200, { ...isolated, 'Content-Type': type }).end(readFileSync(path));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}/`, close: () => server.close() };
}

/** @param {string} executablePath @param {number} rounds @param {string[]} words @returns {Promise<{ version: string, lines: Line[] }>} */
async function inChromium(executablePath, rounds, words) {
  // By a name that tsc doesn't follow: its types ask for those of a page.
  const { chromium } = await import(/** @type {string} */ ('playwright-core'));
  const server = await serve();
  const browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'] });
  try {
    const window = await browser.newPage();
    await window.goto(server.url);
    await window.waitForFunction('globalThis.namesOf !== undefined');
    /** @type {string[]} */
    const names = await window.evaluate(`namesOf(${JSON.stringify(words)})`);
    /** @type {Line[]} */
    const lines = [];
    for (const name of names) {
      lines.push(.../** @type {Line[]} */ (await window.evaluate(`measureOne(${JSON.stringify(name)}, ${rounds})`)));
    }
    return { version: browser.version(), lines };
  } finally {
    await browser.close();
    server.close();
  }
}

/** @param {Part[]} parts @param {string} plan */
function write(parts, plan) {
  const where = { ...machine(), versions: peers.packages };
  const entries = parts.flatMap(({ place, workloads }) => workloads.map((workload) => ({ place, ...workload })));
  const places = parts.map(({ place, version }) => `${place} ${version}`);
  writeNumbers('wasm', { ...where, places, plan }, entries);
  writeFile('wasm.svg', chart(parts));
  const bounds = parts.flatMap(({ place, workloads }) => {
    const judged = verdicts(workloads);
    return [
      `### ${place}: ${judged.filter(({ met }) => met).length} of ${judged.length} are met`,
      '',
      ...boundsTable(judged),
      '',
    ];
  });
  const text = [
    '# The wasm package, measured',
    '',
    'Written by `npm run bench:wasm -- --write`; what is measured, and how, is told in [README.md](README.md#webassembly).',
    '',
    `- Processor: ${where.processor}, ${where.cores} cores; ${where.system}`,
    `- ${parts.map(({ place, version }) => `${place} ${version}`).join(', ')}; ${where.rustc}`,
    versionsLine(where.versions),
    `- ${plan}`,
    '',
    '![How many times faster than the best peer](wasm.svg)',
    '',
    '## Bounds',
    '',
    ...bounds,
    ...medians(parts.flatMap(({ place, workloads }) => tables(place, workloads))),
  ];
  writeFile('wasm.md', text.join('\n'));
  console.log('\nWritten to docs/benchmarks: wasm.md, wasm.json and wasm.svg.');
}

await runMain(async () => {
  const { writes, quick, filter } = options();
  const { env } = await setUp(['npm', 'wasm', 'browser']);
  await installPeers(peers);
  const [passes, rounds] = quick ? [1, 3] : [3, 8];
  /** @type {Line[][]} */
  const found = [[], []];
  let version = '';
  // By turns, so that a busy minute of the machine is nobody's.
  for (let pass = 1; pass <= passes; pass += 1) {
    console.log(`… pass ${pass} of ${passes}`);
    found[0].push(...(await inNode(rounds, filter)));
    const chromium = await inChromium(env.CHROMIUM_PATH, rounds, filter);
    found[1].push(...chromium.lines);
    version = chromium.version;
  }
  if (found[0].length === 0) throw new Failure('The filters leave no workload; a filter is a word as `decode`, `binary` or `1024`.');
  const parts = [
    { place: 'Node', version: process.version, workloads: collect(found[0]) },
    { place: 'Chromium', version, workloads: collect(found[1]) },
  ];
  for (const { place, workloads } of parts) for (const table of tables(place, workloads)) console.log(`\n${asText(table)}`);
  for (const { place, workloads } of parts) tell(verdicts(workloads), place);
  if (quick) console.log('\nA quick run shows that everything runs; its figures mean little.');
  if (writes) write(parts, `Medians of ${passes * rounds} rounds in ${passes} passes, contenders by turns`);
});
