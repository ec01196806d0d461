// npm run bench:python [-- --write] [-- --quick] [-- --filter WORD]...: clients and servers of the PyPI package beside websockets,
// picows and aiohttp, in one interleaved run. --write puts tables, numbers and a chart into docs/benchmarks; --quick only shows that
// everything runs; a filter is a word of a workload's name, or `memory`.

import { boundsTable, machine, medians, options, tell, versionsLine, writeFile, writeNumbers } from './lib/bench-command.mjs';
import { asText } from './lib/benchmark-table.mjs';
import { placement } from './lib/echo-bench.mjs';
import { spread } from './lib/echo-report.mjs';
import { Failure, runMain } from './lib/failure.mjs';
import { venvPython } from './lib/paths.mjs';
import { findHaproxy, idleMemory, pass } from './lib/python-bench.mjs';
import { chart, floor, summarise, tables, taskName, verdicts } from './lib/python-report.mjs';
import { ask, run } from './lib/run.mjs';
import { setUp } from './lib/setup.mjs';

/** @typedef {import('./lib/python-bench.mjs').Job} Job */
/** @typedef {import('./lib/echo-bench.mjs').Sample} Sample */
/** @typedef {import('./lib/python-bench.mjs').Task} Task */

const names = ['itoden callbacks', 'itoden', 'picows', 'picows.websockets', 'websockets', 'aiohttp'];
const loops = /** @type {const} */ (['uvloop', 'asyncio']);
const transports = /** @type {const} */ (['TCP', 'TLS']);
const sizes = [256, 8192, 100_000];

/** @type {Job[]} */
const jobs = [
  ...[...loops, /** @type {const} */ ('threads')].flatMap((loop) =>
    transports.flatMap((transport) =>
      sizes.map((size) => ({
        task: /** @type {Task} */ ({ role: 'client', loop, transport, size, connections: 1, inFlight: 1 }),
        names: loop === 'threads' ? ['itoden.sync', 'websockets.sync'] : [...names, floor],
      })),
    ),
  ),
  ...loops.flatMap((loop) =>
    transports.flatMap((transport) =>
      [1, 16].map((inFlight) => ({
        task: /** @type {Task} */ ({ role: 'server', loop, transport, size: 64, connections: 64, inFlight }),
        names: [...names, floor],
      })),
    ),
  ),
  ...loops.flatMap((loop) =>
    [1, 16].map((inFlight) => ({
      task: /** @type {Task} */ ({ role: 'uvicorn', loop, transport: 'TCP', size: 64, connections: 64, inFlight }),
      names: ['uvicorn, itoden', 'uvicorn, websockets-sansio', floor],
    })),
  ),
];

/** Who agrees on permessage-deflate; picows has none. */
const compressing = ['itoden', 'itoden callbacks', 'picows.websockets', 'websockets', 'aiohttp'];

const whole = { passes: 2, rounds: 3, milliseconds: 200, warmUp: 60, idle: 500, rest: 5000 };
const quick = { passes: 1, rounds: 1, milliseconds: 20, warmUp: 10, idle: 50, rest: 5000 };

/** What was measured on and against. */
function circumstances() {
  const code = 'import importlib.metadata as m, sys; print(sys.version.split()[0], *(n + "=" + m.version(n) for n in sys.argv[1:]))';
  const packages = ['itoden', 'websockets', 'picows', 'aiohttp', 'uvicorn', 'uvloop'];
  const [python, ...versions] = ask(venvPython, ['-c', code, ...packages]).output.split(' ');
  return {
    ...machine(),
    python,
    placement,
    versions: Object.fromEntries(versions.map((one) => one.split('='))),
  };
}

/**
 * @param {import('./lib/python-report.mjs').Workload[]} workloads
 * @param {import('./lib/python-report.mjs').Memory[]} memory
 * @param {string} plan
 */
function write(workloads, memory, plan) {
  const where = circumstances();
  const entries = workloads.flatMap(({ task, entries }) => entries.map((entry) => ({ ...task, ...entry })));
  writeNumbers('python', { ...where, plan, memory }, entries);
  writeFile('python.svg', chart(workloads));
  const text = [
    '# The Python package, measured',
    '',
    'Written by `npm run bench:python -- --write`; what is measured, and how, is told in [python-loads.md](python-loads.md).',
    '',
    `- Processor: ${where.processor}, ${where.cores} cores, ${where.placement}; ${where.system}`,
    `- CPython ${where.python}; ${where.rustc}, release profile`,
    versionsLine(where.versions),
    `- ${plan}`,
    '',
    '![The Python package: processor time a message](python.svg)',
    '',
    '## Bounds',
    '',
    ...boundsTable(verdicts(workloads, memory)),
    '',
    'Why bounds are missed is told in [python-loads.md](python-loads.md#what-falls-short).',
    '',
    ...medians(tables(workloads, memory)),
  ];
  writeFile('python.md', text.join('\n'));
  console.log('\nWritten to docs/benchmarks: python.md, python.json and python.svg.');
}

await runMain(async () => {
  const { writes, quick: isQuick, filter } = options();
  const has = (/** @type {string} */ name, /** @type {string} */ word) => ` ${name} `.replaceAll(',', ' ').includes(` ${word} `);
  const chosen = jobs.filter(({ task }) => filter.every((word) => has(taskName(task), word)));
  const weighs = filter.every((word) => word === 'memory');
  if (chosen.length === 0 && !weighs) throw new Failure(`The filters leave nothing; there are memory and:\n${jobs.map(({ task }) => taskName(task)).join('\n')}`);
  await setUp(['npm', 'python']);
  await run('cargo', ['build', '--quiet', '--release', '-p', 'itoden-net', '--examples']);
  const haproxy = await findHaproxy();

  const plan = isQuick ? quick : whole;
  /** @type {Map<Task, Map<string, Sample[]>>} */
  const samples = new Map(chosen.map(({ task, names: all }) => [task, new Map(all.map((name) => [name, []]))]));
  const memory = new Map(weighs ? compressing.map((name) => [name, /** @type {number[]} */ ([])]) : []);
  for (let number = 1; number <= plan.passes; number += 1) {
    console.log(`… pass ${number} of ${plan.passes}`);
    await pass(chosen, haproxy, plan, (task, name, sample) => samples.get(task)?.get(name)?.push(sample));
    // All at once: most of the time they wait.
    await Promise.all([...memory].map(async ([name, all]) => all.push(await idleMemory(name, plan))));
  }
  const workloads = chosen.map(({ task }) => summarise(task, samples.get(task) ?? new Map()));
  const held = [...memory].map(([name, all]) => ({ name, bytes: spread(all) }));
  for (const table of tables(workloads, held)) console.log(`\n${asText(table)}`);
  tell(verdicts(workloads, held));
  if (isQuick) console.log('A quick run shows that everything runs; its figures mean little.');
  const told = `Medians of ${plan.passes * plan.rounds} samples of ${plan.milliseconds} ms in ${plan.passes} passes; memory with ${plan.idle.toLocaleString('en-US')} connections`;
  if (writes) write(workloads, held, told);
});
