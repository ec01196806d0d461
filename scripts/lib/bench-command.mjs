// What the bench commands share: their options, the machine's description, peers from npm, and how results are told and kept.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { asMarkdown } from './benchmark-table.mjs';
import { Failure } from './failure.mjs';
import { root } from './paths.mjs';
import { ask, run } from './run.mjs';

/** @typedef {import('./benchmark.mjs').Verdict} Verdict */
/** @typedef {import('./benchmark-table.mjs').Table} Table */

const page = join(root, 'docs', 'benchmarks');

/**
 * The options of this command line. `--write` is for a whole run, so nothing that makes it less goes with it.
 * @param {string[]} [more] flags of this command alone, without their hyphens
 */
export function options(more = []) {
  const flags = ['write', 'quick', ...more];
  /** @type {{ [name: string]: unknown, filter: string[] }} */
  let values;
  try {
    const booleans = Object.fromEntries(flags.map((name) => [name, /** @type {const} */ ({ type: 'boolean', default: false })]));
    values = parseArgs({ options: { ...booleans, filter: { type: 'string', multiple: true, default: [] } } }).values;
  } catch (error) {
    const allowed = `${flags.map((name) => `--${name}`).join(', ')} and --filter WORD`;
    throw new Failure(`${/** @type {Error} */ (error).message.replace(/\.?$/, '.')} Allowed are ${allowed}.`);
  }
  const lessens = flags.slice(1);
  if (values.write && (lessens.some((name) => values[name]) || values.filter.length > 0)) {
    throw new Failure(`--write is for a whole run: no ${lessens.map((name) => `--${name}`).join(', ')} or --filter.`);
  }
  return { writes: values.write === true, quick: values.quick === true, filter: values.filter, given: (/** @type {string} */ name) => values[name] === true };
}

/**
 * Installs packages that nothing but a benchmark needs, unless just these are there.
 * @param {{ folder: string, packages: Record<string, string> }} peers
 */
export async function installPeers({ folder, packages }) {
  const manifest = `${JSON.stringify({ private: true, dependencies: packages }, null, 2)}\n`;
  const done = join(folder, 'installed.json');
  try {
    if (readFileSync(done, 'utf8') === manifest) return;
  } catch {
    // The first time.
  }
  console.log('… peers: installing them');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), manifest);
  await run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder });
  writeFileSync(done, manifest);
}

/** What every benchmark was measured on. */
export function machine() {
  const cpu = cpus();
  return {
    processor: cpu[0]?.model.trim() ?? 'unknown',
    cores: cpu.length,
    system: ask('uname', ['-srm']).output,
    rustc: ask('rustc', ['--version']).output,
  };
}

/** @param {Record<string, string>} versions */
export const versionsLine = (versions) => `- ${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')}`;

/** Tells which bounds are met. @param {Verdict[]} judged @param {string} [place] where, if there are several */
export function tell(judged, place) {
  const where = place === undefined ? '' : `${place}: `;
  console.log();
  for (const { text, met, found } of judged) console.log(`${met ? 'met   ' : 'MISSED'}  ${where}${text}: ${found}`);
  console.log(`${where === '' ? '\n' : where}${judged.filter(({ met }) => met).length} of ${judged.length} bounds are met.`);
}

/** The lines of a table of bounds. @param {Verdict[]} judged */
export const boundsTable = (judged) => [
  '| bound | found | |',
  '|---|--:|---|',
  ...judged.map(({ text, found, met }) => `| ${text} | ${found} | ${met ? 'met' : '**missed**'} |`),
];

/** A page's last part. @param {Table[]} tables */
export const medians = (tables) => ['## Medians', '', tables.map(asMarkdown).join('\n\n'), ''];

/**
 * Writes `<name>.json`, one entry a line and no digit that means nothing: so that a change can be read.
 * @param {string} name
 * @param {object} head
 * @param {object[]} entries
 */
export function writeNumbers(name, head, entries) {
  const round = (/** @type {string} */ _key, /** @type {unknown} */ value) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
  const lines = entries.map((entry) => JSON.stringify(entry, round));
  writeFile(`${name}.json`, `${JSON.stringify(head, round).slice(0, -1)},"workloads":[\n${lines.join(',\n')}\n]}\n`);
}

/** Writes a file of docs/benchmarks. @param {string} name @param {string} text */
export function writeFile(name, text) {
  mkdirSync(page, { recursive: true });
  writeFileSync(join(page, name), text);
}
