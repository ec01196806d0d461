// npm run bench:node [-- --write] [-- --quick] [-- --filter WORD]...: echo servers of the npm package over both transports
// beside ws and others, in one interleaved run. --write puts tables, numbers and a chart into docs/benchmarks; --quick only
// shows that everything runs; a filter is a word of a workload's name or of a server's.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { boundsTable, installPeers, machine, medians, options, tell, versionsLine, writeFile, writeNumbers } from './lib/bench-command.mjs';
import { asText } from './lib/benchmark-table.mjs';
import { idleMemory, pass, placement, shuffled } from './lib/echo-bench.mjs';
import { chart, disturbance, shapeName, spread, summarise, tables, verdicts } from './lib/echo-report.mjs';
import { Failure, runMain } from './lib/failure.mjs';
import { kept, root } from './lib/paths.mjs';
import { ask, run } from './lib/run.mjs';
import { setUp } from './lib/setup.mjs';

/** @typedef {import('./lib/echo-bench.mjs').Sample} Sample */
/** @typedef {import('./lib/echo-bench.mjs').Shape} Shape */

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

/** Installs the peers. @returns {Promise<string[]>} the servers that can take part */
async function present() {
  await installPeers(peers);
  // Both bring addons, which may not fit this platform.
  const missing = Object.entries({ 'ws + bufferutil': 'bufferutil', 'uWebSockets.js': 'uwebsockets' }).filter(
    ([, name]) => ask(process.execPath, ['-e', `require('${name}')`], { cwd: peers.folder }).code !== 0,
  );
  for (const [server, name] of missing) console.log(`${server} takes no part: the package ${name} can't be loaded here.`);
  return servers.filter((name) => !missing.some(([server]) => server === name));
}

/** What was measured on and against. */
function circumstances() {
  const own = JSON.parse(readFileSync(join(root, 'bindings-node', 'package.json'), 'utf8'));
  return {
    ...machine(),
    node: process.version,
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
  const where = circumstances();
  const entries = workloads.flatMap(({ shape, entries }) => entries.map((entry) => ({ ...shape, ...entry })));
  writeNumbers('node', { ...where, plan, memory }, entries);
  writeFile('node.svg', chart(workloads));
  const judged = verdicts(workloads);
  const text = [
    '# The Node package, measured',
    '',
    'Written by `npm run bench:node -- --write`; what is measured, and how, is told in [node-servers.md](node-servers.md).',
    '',
    `- Processor: ${where.processor}, ${where.cores} cores, ${where.placement}; ${where.system}`,
    `- Node ${where.node}; ${where.rustc}, release profile`,
    versionsLine(where.versions),
    `- ${plan}`,
    ...[disturbance(workloads)].flatMap((warning) => (warning === undefined ? [] : [`- **${warning}**`])),
    '',
    '![Echo servers in Node: processor time a message](node.svg)',
    '',
    '## Bounds',
    '',
    ...boundsTable(judged),
    '',
    'Why bounds are missed is told in [node-servers.md](node-servers.md#what-falls-short).',
    '',
    ...medians(tables(workloads, memory)),
  ];
  writeFile('node.md', text.join('\n'));
  console.log('\nWritten to docs/benchmarks: node.md, node.json and node.svg.');
}

await runMain(async () => {
  const { writes, quick: isQuick, filter } = options();
  await setUp(['npm', 'node']);
  await run('cargo', ['build', '--quiet', '--release', '-p', 'itoden-net', '--example', 'echo_load']);
  const able = await present();
  // A word that some server has chooses servers, any other one workloads; ws is always there to compare with.
  const has = (/** @type {string} */ name, /** @type {string} */ word) => ` ${name} `.replaceAll(',', ' ').includes(` ${word} `);
  const ofServers = filter.filter((word) => servers.some((name) => has(name, word)));
  const names = able.filter((name) => ofServers.length === 0 || name === 'ws' || ofServers.some((word) => has(name, word)));
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
  tell(verdicts(workloads));
  const warning = disturbance(workloads);
  if (warning !== undefined) console.log(warning);
  if (isQuick) console.log('A quick run shows that everything runs; its figures mean little.');
  const told = `Medians of ${plan.passes * plan.rounds} samples of ${plan.milliseconds} ms in ${plan.passes} passes; memory with ${plan.idle.toLocaleString('en-US')} connections`;
  if (writes) write(workloads, held, told);
});
