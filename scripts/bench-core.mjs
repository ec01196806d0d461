// npm run bench:core [-- --write] [-- --quick] [-- --filter WORD]... [-- --instructions]: itoden-core against its peers and
// against the floor, in one process. --write puts tables, numbers and charts into docs/benchmarks; --quick only shows that
// everything runs; a filter is a word of a workload's name; --instructions counts instead of timing, with valgrind.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { boundsTable, machine, medians, options, tell, versionsLine, writeFile, writeNumbers } from './lib/bench-command.mjs';
import { asText, tables } from './lib/benchmark-table.mjs';
import { chart } from './lib/benchmark-chart.mjs';
import { collect, grouped, verdicts } from './lib/benchmark.mjs';
import { Failure, runMain } from './lib/failure.mjs';
import { benchManifest, kept, root } from './lib/paths.mjs';
import { ask, run } from './lib/run.mjs';

/** @typedef {import('./lib/benchmark.mjs').Class} Class */
/** @typedef {import('./lib/benchmark.mjs').Line} Line */
/** @typedef {import('./lib/benchmark.mjs').Workload} Workload */

const targetFolder = process.env.CARGO_TARGET_DIR ?? kept;
const program = join(targetFolder, 'release', 'itoden-bench');
const peers = ['tungstenite', 'tokio-tungstenite', 'fastwebsockets', 'tokio-websockets', 'sockudo-ws', 'yawc', 'zlib-rs', 'simdutf8'];

// glibc's memcpy of large blocks by `rep movsb` is up to 25 times slower on some processors when the target lies a few bytes
// behind the source modulo 4096, as a payload behind a header does: this would hit contenders at random.
const environment = { ...process.env, GLIBC_TUNABLES: 'glibc.cpu.x86_rep_movsb_threshold=2000000000' };

/** @param {string[]} args @returns {Promise<Line[]>} */
async function measure(args) {
  const child = spawn(program, args, { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  /** @type {Line[]} */
  const lines = [];
  for await (const line of createInterface({ input: child.stdout })) lines.push(JSON.parse(line));
  const [code] = await ended;
  if (code !== 0) throw new Failure(`${program} ended with exit code ${code}; what it says is above.`);
  return lines;
}

/** @typedef {{ workload: string, task: string, kind: string, size: number, contenders: { name: string, class: Class }[] }} Case */

/** Which binary messages up to 1 KiB the filters leave. @param {string[]} filters @returns {Case[]} */
function countable(filters) {
  const { code, output } = ask(program, ['--list'], { env: environment });
  if (code !== 0) throw new Failure(`${program} --list failed:\n${output}`);
  const cases = output.split('\n').map((line) => /** @type {Case} */ (JSON.parse(line)));
  const wanted = cases.filter(
    ({ workload, kind, size }) => kind === 'binary' && size <= 1024 && filters.every((filter) => workload.split(' ').includes(filter)),
  );
  if (wanted.length === 0) throw new Failure('Instructions are counted of binary messages up to 1024 bytes; the filters leave none.');
  return wanted;
}

/** Instructions a message, which are the same in every run. @param {Case} given @returns {Line[]} */
function count({ workload, task, kind, size, contenders }) {
  console.log(`… ${workload}`);
  const callgrind = ['valgrind', '--tool=callgrind', '--toggle-collect=*measure::bursts', '--callgrind-out-file=/dev/null'];
  return contenders.map(({ name, class: own }) => {
    // valgrind speaks on the standard error; the program tells the number of messages on its standard output.
    const { output } = ask('sh', ['-c', '"$@" 2>&1', 'sh', ...callgrind, program, '--only', name, workload, '10'], { env: environment });
    const messages = /^(\d+)$/m.exec(output)?.[1];
    const collected = /Collected : (\d+)/.exec(output)?.[1];
    if (!messages || !collected) throw new Failure(`valgrind counted nothing of ${name} on ${workload}:\n${output}`);
    const nanoseconds = [Number(collected) / Number(messages)];
    return { workload, task, kind, size, takeover: true, contender: name, class: own, wireBytes: 0, nanoseconds };
  });
}

/** What was measured on and against. */
function circumstances() {
  const info = ask('sh', ['-c', 'grep -m2 -E "^(cpu family|model)\\s*:" /proc/cpuinfo']).output.replace(/\s+/g, ' ');
  const lock = readFileSync(join(root, 'core', 'bench', 'Cargo.lock'), 'utf8');
  const version = (/** @type {string} */ name) => new RegExp(`name = "${name}"\nversion = "([^"]+)"`).exec(lock)?.[1] ?? 'unknown';
  return {
    ...machine(),
    processorFamily: info,
    versions: Object.fromEntries(['itoden-core', ...peers].map((name) => [name, version(name)])),
  };
}

/**
 * @param {Workload[]} workloads
 * @param {string} plan
 */
function write(workloads, plan) {
  const where = circumstances();
  writeNumbers('core', { ...where, plan }, workloads);
  /** @type {string[]} */
  const charts = [];
  for (const [name, group] of grouped(workloads, ({ task, kind }) => `${task}-${kind}`)) {
    // Kinds of text are sent alike; one chart of each task is enough.
    if (!['decode-binary', 'decode-mixed', 'encode-server-binary', 'encode-client-binary'].includes(name)) continue;
    const title = `${group[0].task.replace('-', ', as ')}: ${group[0].kind} messages`;
    writeFile(`${name}.svg`, chart(title, group));
    charts.push(`![${title}](${name}.svg)`);
  }
  const judged = verdicts(workloads);
  const text = [
    '# The core, measured',
    '',
    'Written by `npm run bench:core -- --write`; what is measured, and how, is told in [README.md](README.md).',
    '',
    `- Processor: ${where.processor} (${where.processorFamily}), ${where.cores} cores; ${where.system}`,
    `- Compiler: ${where.rustc}, release profile, no flags for this processor`,
    versionsLine(where.versions),
    `- ${plan}`,
    '',
    charts.join('\n\n'),
    '',
    '## Bounds',
    '',
    ...boundsTable(judged),
    '',
    ...medians(tables(workloads, 'ns a message')),
  ];
  writeFile('core.md', text.join('\n'));
  console.log(`\nWritten to docs/benchmarks: core.md, core.json and ${charts.length} charts.`);
}

await runMain(async () => {
  const { writes, quick, filter, given } = options(['instructions']);
  console.log('… the benchmark: building it (a minute at first)');
  await run('cargo', ['build', '--quiet', '--release', '--locked', '--manifest-path', benchManifest, '--target-dir', targetFolder]);
  if (given('instructions')) {
    if (!ask('valgrind', ['--version']).found) throw new Failure('--instructions needs valgrind (Debian: apt install valgrind).');
    const counted = collect(countable(filter).flatMap(count));
    for (const table of tables(counted, 'instructions a message')) console.log(`\n${asText(table)}`);
    return;
  }
  const [passes, rounds] = quick ? [1, 5] : [10, 100];
  const args = ['--passes', String(passes), '--rounds', String(rounds), ...filter.flatMap((word) => ['--filter', word])];
  const workloads = collect(await measure(args));
  for (const table of tables(workloads, 'ns a message')) console.log(`\n${asText(table)}`);
  tell(verdicts(workloads));
  if (quick) console.log('A quick run shows that everything runs; its figures mean little.');
  if (writes) write(workloads, `Medians of ${passes * rounds} rounds in ${passes} passes`);
});
