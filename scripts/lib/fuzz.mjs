// The fuzz targets of core/fuzz: how they are built with the stable toolchain, and run.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure } from './failure.mjs';
import { kept, root } from './paths.mjs';
import { ask, run } from './run.mjs';

const manifest = 'core/fuzz/Cargo.toml';
const folder = join(kept, 'fuzz');

/**
 * How often each target is run by `npm test`: a few seconds' worth. Runs are counted, not seconds, and their seed is fixed,
 * so that one run does much the same as the last.
 * @type {Record<string, number>}
 */
export const quickRuns = {
  header: 1_000_000,
  decoder: 10_000,
  pair: 7_000,
  http1: 200_000,
  extensions: 150_000,
  deflate: 4_000,
  differential: 30_000,
};

export const targets = Object.keys(quickRuns);

/**
 * What `cargo fuzz` asks of rustc, less the sanitizer: that would need a nightly toolchain, and the core has no unsafe code.
 * Nor are comparisons traced: they would take two thirds of the time, and the inputs have a structure without them.
 */
const flags = [
  '-Cpasses=sancov-module',
  '-Cllvm-args=-sanitizer-coverage-level=4',
  '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters',
  '-Cllvm-args=-sanitizer-coverage-pc-table',
  '-Cllvm-args=-simplifycfg-branch-fold-threshold=0',
  '--cfg=fuzzing',
];

/** @typedef {{ host: string, args: string[], env: Record<string, string> }} Cargo */

/**
 * A cargo command for the targets. With --target the flags are not those of build scripts and macros.
 * @param {string} command
 * @param {...string} more
 * @returns {Cargo}
 */
export function cargo(command, ...more) {
  if (process.platform === 'win32') throw new Failure('The fuzz targets need Linux or macOS: libFuzzer is built with a Unix compiler.');
  const compiler = process.env.CXX ?? 'c++';
  if (ask(compiler, ['--version']).code !== 0) {
    throw new Failure(`A C++ compiler is missing (no working ${compiler}): libFuzzer is built with it (Debian: apt install g++).`);
  }
  const host = /^host: (\S+)$/m.exec(ask('rustc', ['-vV']).output)?.[1];
  if (!host) throw new Failure('`rustc -vV` names no host.');
  const args = [command, '--manifest-path', manifest, '--locked', '--release', '--target', host, '--target-dir', folder, ...more];
  return { host, args, env: { CARGO_ENCODED_RUSTFLAGS: flags.join('\x1f'), RUSTFLAGS: '' } };
}

/** Builds all targets; where their programs are. */
export async function build() {
  const { host, args, env } = cargo('build', '--bins', '--quiet');
  await run('cargo', args, { env });
  return join(folder, host, 'release');
}

/** Where a target's own corpus is: that of the tree, and what longer runs have found. @param {string} target */
export const corpora = (target) => ({ tree: join(root, 'core/fuzz/corpus', target), found: join(folder, 'corpus', target) });

/** @typedef {{ code: number | null, lines: string[], seconds: number }} Result */

/**
 * Runs a target's program to its end; libFuzzer speaks on the standard error.
 * @param {string} program
 * @param {string[]} args
 * @param {{ show?: boolean, env?: Record<string, string> }} [options] `show`: its lines are shown as they come
 * @returns {Promise<Result>}
 */
function start(program, args, { show = false, env } = {}) {
  return new Promise((resolve, reject) => {
    const began = Date.now();
    const child = spawn(program, args, { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (/** @type {string} */ part) => {
      text += part;
      if (show) process.stdout.write(part);
    });
    child.on('error', (error) => reject(new Failure(`${program} could not be started: ${error.message}.`)));
    child.on('close', (code) => resolve({ code, lines: text.split('\n'), seconds: (Date.now() - began) / 1000 }));
  });
}

/** What a run was, from libFuzzer's lines. @param {Result} result */
export function summary({ lines, seconds }) {
  const runs = lines.map((line) => /^stat::number_of_executed_units:\s*(\d+)/.exec(line)?.[1]).find(Boolean) ?? '0';
  const covered = lines.findLast((line) => / cov: \d+ /.test(line)) ?? '';
  return `${runs} runs in ${seconds.toFixed(1)} s, ${/ cov: (\d+) /.exec(covered)?.[1] ?? 0} edges`;
}

/**
 * What is to be known of a run that failed: what the program said first, the input in hex and as the target reads it, and
 * how to repeat it.
 * @param {string} programs
 * @param {string} target
 * @param {Result} result
 */
async function report(programs, target, { code, lines }) {
  const unit = lines.map((line) => /Test unit written to (.+)$/.exec(line)?.[1]).find(Boolean);
  const said = lines.findIndex((line) => /panicked at|ERROR: libFuzzer|error/i.test(line));
  const told = lines.slice(Math.max(said, 0)).filter((line) => !/^#\d+\s/.test(line)).slice(0, 40);
  if (!unit) return [...told, `${target}: ended with exit code ${code} and left no input.`].join('\n');
  const hex = readFileSync(unit).toString('hex');
  const scratch = mkdtempSync(join(tmpdir(), 'itoden-fuzz-'));
  const structure = join(scratch, 'input');
  await start(join(programs, target), [unit], { env: { RUST_LIBFUZZER_DEBUG_PATH: structure } });
  let read = '';
  try {
    read = readFileSync(structure, 'utf8').slice(0, 4000);
  } catch {
    // No value of the target's type can be made of it, or the program ended before.
  }
  rmSync(scratch, { recursive: true });
  return [
    ...told,
    ...(read === '' ? [] : ['', `${target}: the input as the target reads it:`, read]),
    '',
    `${target}: the input, ${hex.length / 2} bytes, in hex: ${hex}`,
    `${target}: repeat it with: npm run fuzz -- ${target} --hex ${hex}`,
  ].join('\n');
}

/**
 * Runs a target once.
 * @param {string} programs
 * @param {string} target
 * @param {{ runs: number } | { seconds: number } | { hex: string }} how for `npm test`, at length, or one input
 * @param {boolean} [show]
 * @returns {Promise<{ passed: boolean, line: string }>}
 */
export async function fuzz(programs, target, how, show = false) {
  const { tree, found } = corpora(target);
  const artifacts = join(folder, 'artifacts', target);
  mkdirSync(artifacts, { recursive: true });
  const args = [`-artifact_prefix=${artifacts}/`, '-timeout=20', '-rss_limit_mb=2048', '-print_final_stats=1', '-len_control=20'];
  if ('hex' in how) {
    const input = join(artifacts, 'input');
    writeFileSync(input, Buffer.from(how.hex, 'hex'));
    args.push(input);
  } else if ('runs' in how) {
    // What is found goes into a folder of its own each time, or a run would not begin as the last one did.
    const scratch = join(folder, 'quick', target);
    rmSync(scratch, { recursive: true, force: true });
    mkdirSync(scratch, { recursive: true });
    args.push('-seed=1', `-runs=${how.runs}`, scratch, tree);
  } else {
    mkdirSync(found, { recursive: true });
    args.push(`-max_total_time=${how.seconds}`, found, tree);
  }
  const result = await start(join(programs, target), args, { show });
  if (result.code === 0) return { passed: true, line: `✓ ${target}: ${summary(result)}` };
  return { passed: false, line: `${await report(programs, target, result)}\n✗ ${target}: ${summary(result)}` };
}

/**
 * Makes the corpus of the tree anew from itself and from what longer runs have found: as few and small files as cover the
 * same edges.
 * @param {string} programs
 * @param {string} target
 */
export async function minimise(programs, target) {
  const { tree, found } = corpora(target);
  mkdirSync(found, { recursive: true });
  const scratch = join(folder, 'minimised', target);
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  const args = ['-set_cover_merge=1', '-use_counters=0', '-max_len=1024', '-timeout=20', scratch, tree, found];
  const { code, lines } = await start(join(programs, target), args);
  if (code !== 0) throw new Failure(`The corpus of ${target} could not be minimised:\n${lines.slice(-20).join('\n')}`);
  const names = readdirSync(scratch);
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree, { recursive: true });
  for (const name of names) writeFileSync(join(tree, name), readFileSync(join(scratch, name)));
  return names.length;
}
