// npm run bench:node [-- --write] [-- --quick] [-- --filter WORD]...: echo servers of the npm package over both transports
// beside ws and others, in one interleaved run. --write puts tables, numbers and a chart into docs/benchmarks; --quick only
// shows that everything runs; a filter is a word of a workload's name or of a server's.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { asMarkdown, asText } from './lib/benchmark-table.mjs';
import { idleMemory, pass, placement, shuffled } from './lib/echo-bench.mjs';
import { chart, disturbance, shapeName, spread, summarise, tables, verdicts } from './lib/echo-report.mjs';
import { Failure, runMain } from './lib/failure.mjs';
import { kept, root } from './lib/paths.mjs';
import { ask, run } from './lib/run.mjs';
import { setUp } from './lib/setup.mjs';

/** @typedef {import('./lib/echo-bench.mjs').Sample} Sample */
/** @typedef {import('./lib/echo-bench.mjs').Shape} Shape */

const page = join(root, 'docs', 'benchmarks');

/** Peers that nothing but this needs; `ws` itself is among what the tests need. uWebSockets.js is not on npm under its name. */
const peers = { folder: join(kept, 'bench-node'), packages: { ws: '8.23.0', bufferutil: '4.1.0', uwebsockets: '3.0.6' } };
const servers = ['itoden native', 'itoden threads', 'itoden stream', 'ws', 'ws + bufferutil', 'uWebSockets.js'];

/** @type {Shape[]} */
const shapes = [
  { connections: 1, size: 64, inFlight: 1 },
  { connections: 64, size: 64, inFlight: 1 },
  { connections: 512, size: 64, inFlight: 1 },
  { connections: 1, size: 64, inFlight: 16 },
  { connections: 64, size: 64, inFlight: 16 },
  { connections: 512, size: 64, inFlight: 16 },
  { connections: 16, size: 16 << 10, inFlight: 1 },
  { connections: 4, size: 1 << 20, inFlight: 1 },
];

const whole = { passes: 3, rounds: 3, milliseconds: 500, warmUp: 300, idle: 2000 };
const quick = { passes: 1, rounds: 1, milliseconds: 100, warmUp: 50, idle: 200 };

function options() {
  try {
    return parseArgs({
      options: {
        write: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        filter: { type: 'string', multiple: true, default: [] },
      },
    }).values;
  } catch (error) {
    throw new Failure(`${/** @type {Error} */ (error).message.replace(/\.?$/, '.')} Allowed are --write, --quick and --filter WORD.`);
  }
}

/** Installs the peers. @returns {Promise<string[]>} the servers that can take part */
async function installPeers() {
  const { folder, packages } = peers;
  const manifest = `${JSON.stringify({ private: true, dependencies: packages }, null, 2)}\n`;
  const path = join(folder, 'package.json');
  /** @returns {string | undefined} */
  const before = () => {
    try {
      return readFileSync(join(folder, 'installed.json'), 'utf8');
    } catch {
      return undefined;
    }
  };
  if (before() !== manifest) {
    console.log('… peers: installing them');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, manifest);
    await run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder });
    writeFileSync(join(folder, 'installed.json'), manifest);
  }
  // Both bring addons, which may not fit this platform.
  const missing = Object.entries({ 'ws + bufferutil': 'bufferutil', 'uWebSockets.js': 'uwebsockets' }).filter(
    ([, name]) => ask(process.execPath, ['-e', `require('${name}')`], { cwd: folder }).code !== 0,
  );
  for (const [server, name] of missing) console.log(`${server} takes no part: the package ${name} can't be loaded here.`);
  return servers.filter((name) => !missing.some(([server]) => server === name));
}

/** What was measured on and against. */
function circumstances() {
  const cpu = cpus();
  const own = JSON.parse(readFileSync(join(root, 'bindings-node', 'package.json'), 'utf8'));
  return {
    processor: cpu[0]?.model.trim() ?? 'unknown',
    cores: cpu.length,
    system: ask('uname', ['-srm']).output,
    node: process.version,
    rustc: ask('rustc', ['--version']).output,
    placement,
    versions: { itoden: own.version, ...peers.packages },
  };
}

/**
 * @param {import('./lib/echo-report.mjs').Workload[]} workloads
 * @param {import('./lib/echo-report.mjs').Memory[]} memory
 * @param {string} plan
 */
function write(workloads, memory, plan) {
  mkdirSync(page, { recursive: true });
  const where = circumstances();
  // One server's workload a line, and no digit that means nothing: so that a change can be read.
  const round = (/** @type {string} */ _key, /** @type {unknown} */ value) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
  const lines = workloads.flatMap(({ shape, entries }) => entries.map((entry) => JSON.stringify({ ...shape, ...entry }, round)));
  const head = JSON.stringify({ ...where, plan, memory }, round).slice(0, -1);
  writeFileSync(join(page, 'node.json'), `${head},"workloads":[\n${lines.join(',\n')}\n]}\n`);
  writeFileSync(join(page, 'node.svg'), chart(workloads));
  const judged = verdicts(workloads);
  const text = [
    '# The Node package, measured',
    '',
    'Written by `npm run bench:node -- --write`; what is measured, and how, is told in [node-servers.md](node-servers.md).',
    '',
    `- Processor: ${where.processor}, ${where.cores} cores, ${where.placement}; ${where.system}`,
    `- Node ${where.node}; ${where.rustc}, release profile`,
    `- ${Object.entries(where.versions).map(([name, version]) => `${name} ${version}`).join(', ')}`,
    `- ${plan}`,
    ...[disturbance(workloads)].flatMap((warning) => (warning === undefined ? [] : [`- **${warning}**`])),
    '',
    '![Echo servers in Node: processor time a message](node.svg)',
    '',
    '## Bounds',
    '',
    '| bound | found | |',
    '|---|--:|---|',
    ...judged.map(({ text, found, met }) => `| ${text} | ${found} | ${met ? 'met' : '**missed**'} |`),
    '',
    'Why bounds are missed is told in [node-servers.md](node-servers.md#what-falls-short).',
    '',
    '## Medians',
    '',
    tables(workloads, memory).map(asMarkdown).join('\n\n'),
    '',
  ];
  writeFileSync(join(page, 'node.md'), text.join('\n'));
  console.log('\nWritten to docs/benchmarks: node.md, node.json and node.svg.');
}

await runMain(async () => {
  const { write: writes, quick: isQuick, filter } = options();
  if (writes && (isQuick || filter.length > 0)) throw new Failure('--write is for a whole run: no --quick or --filter.');
  await setUp(['npm', 'node']);
  await run('cargo', ['build', '--quiet', '--release', '-p', 'itoden-net', '--example', 'echo_load']);
  const present = await installPeers();
  // A word that some server has chooses servers, any other one workloads; ws is always there to compare with.
  const has = (/** @type {string} */ name, /** @type {string} */ word) => ` ${name} `.replaceAll(',', ' ').includes(` ${word} `);
  const ofServers = filter.filter((word) => servers.some((name) => has(name, word)));
  const names = present.filter((name) => ofServers.length === 0 || name === 'ws' || ofServers.some((word) => has(name, word)));
  const chosen = shapes.filter((shape) => filter.every((word) => ofServers.includes(word) || has(shapeName(shape), word)));
  if (chosen.length === 0) throw new Failure(`The filters leave no workload; there are:\n${shapes.map(shapeName).join('\n')}`);

  const plan = isQuick ? quick : whole;
  const samples = chosen.map(() => new Map(names.map((name) => [name, /** @type {Sample[]} */ ([])])));
  const memory = new Map(names.map((name) => [name, /** @type {number[]} */ ([])]));
  for (let number = 1; number <= plan.passes; number += 1) {
    console.log(`… pass ${number} of ${plan.passes}`);
    await pass(names, chosen, plan, peers.folder, (shape, name, sample) => samples[shape].get(name)?.push(sample));
    for (const name of shuffled(names)) memory.get(name)?.push(await idleMemory(name, plan.idle, peers.folder));
  }
  const workloads = chosen.map((shape, index) => summarise(shape, samples[index]));
  const held = [...memory].map(([name, all]) => ({ name, bytes: spread(all) }));
  for (const table of tables(workloads, held)) console.log(`\n${asText(table)}`);
  const judged = verdicts(workloads);
  console.log();
  for (const { text, met, found } of judged) console.log(`${met ? 'met   ' : 'MISSED'}  ${text}: ${found}`);
  console.log(`\n${judged.filter(({ met }) => met).length} of ${judged.length} bounds are met.`);
  const warning = disturbance(workloads);
  if (warning !== undefined) console.log(warning);
  if (isQuick) console.log('A quick run shows that everything runs; its figures mean little.');
  const told = `Medians of ${plan.passes * plan.rounds} samples of ${plan.milliseconds} ms in ${plan.passes} passes; memory with ${plan.idle.toLocaleString('en-US')} connections`;
  if (writes) write(workloads, held, told);
});
