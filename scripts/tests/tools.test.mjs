import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Failure } from '../lib/failure.mjs';
import { root } from '../lib/paths.mjs';
import { checkTools, isAtLeast, leastRust, versionIn } from '../lib/tools.mjs';

/** @typedef {{ code: number, output: string, found: boolean }} Result */

const absent = { code: 1, output: '', found: false };
/** @param {string} output */
const says = (output) => ({ code: 0, output, found: true });

/** A machine that has all tools, but for the changes. @param {Record<string, Result>} changes keyed by command */
function machine(changes) {
  /** @type {Record<string, Result>} */
  const tools = {
    rustc: says('rustc 1.95.0 (59807616e 2026-04-14)'),
    cargo: says('cargo 1.95.0'),
    python3: says('3.11.7'),
    'python3 venv': says(''),
    cc: says('cc 12.2.0'),
    ...changes,
  };
  /** @param {string} command @param {string[]} args */
  return (command, args) =>
    (args[1]?.includes('ensurepip') ? tools[`${command} venv`] : tools[command]) ?? absent;
}

/** @param {Record<string, Result>} changes @param {object} [others] */
const check = (changes, others) => checkTools({ ask: machine(changes), node: '20.0.0', rust: '1.88', platform: 'linux', ...others });

test('a machine with all tools passes', () => {
  const { rustc, python } = check({});
  assert.equal(rustc.version, '1.95.0');
  assert.deepEqual(python, { command: 'python3', version: '3.11.7' });
});

test('an old python3 does not hide a newer python3.12', () => {
  assert.equal(check({ python3: says('3.9.2'), 'python3.12': says('3.12.1'), 'python3.12 venv': says('') }).python.command, 'python3.12');
});

/** @type {[string, Record<string, Result>, object, string][]} */
const complaints = [
  ['an old Node', {}, { node: '18.20.0' }, 'Node is version 18.20.0, but 20 or newer is needed: install it from https://nodejs.org.'],
  ['no Rust', { rustc: absent }, {}, 'Rust is missing (no rustc on the PATH): install 1.88 or newer from https://rustup.rs.'],
  ['no cargo', { cargo: absent }, {}, 'Rust is missing (no cargo on the PATH): install 1.88 or newer from https://rustup.rs.'],
  ['an old Rust', { rustc: says('rustc 1.87.0') }, {}, 'rustc is version 1.87.0, but 1.88 or newer is needed: run `rustup update stable`.'],
  [
    'a rustup without a toolchain',
    { rustc: { code: 1, output: 'error: no default toolchain\nhelp: set one', found: true } },
    {},
    "`rustc --version` failed ('error: no default toolchain'): install Rust 1.88 or newer from https://rustup.rs.",
  ],
  ['no Python', { python3: absent }, {}, 'Python is missing (no python3 on the PATH): install 3.11 or newer from https://www.python.org.'],
  ['an old Python', { python3: says('3.10.12') }, {}, 'Python is version 3.10.12, but 3.11 or newer is needed: install it from https://www.python.org.'],
  [
    'a Python without venv',
    { 'python3 venv': { code: 1, output: 'No module named ensurepip', found: true } },
    {},
    "python3 (3.11.7) has no venv module: install it with the system's packages (Debian: apt install python3-venv).",
  ],
  [
    'no C compiler',
    { cc: absent },
    {},
    "A C compiler is missing (no working cc on the PATH): install one with the system's packages (Debian: apt install build-essential).",
  ],
  [
    'no C compiler on a Mac',
    { cc: { code: 1, output: 'xcode-select: note: no developer tools', found: true } },
    { platform: 'darwin' },
    'A C compiler is missing (no working cc on the PATH): install one with xcode-select --install.',
  ],
];
for (const [what, changes, others, message] of complaints) {
  test(`${what} gives one sentence that says what to install`, () => {
    assert.throws(() => check(changes, others), new Failure(message));
  });
}

test('versions are compared by number, part by part', () => {
  assert.equal(isAtLeast('1.100.0', '1.88'), true);
  assert.equal(isAtLeast('1.88.0', '1.88'), true);
  assert.equal(isAtLeast('1.9.9', '1.88'), false);
  assert.equal(isAtLeast('2', '1.88.1'), true);
  assert.equal(isAtLeast('20', '20.0.0'), true);
  assert.equal(versionIn('cc (Debian 12.2.0-14) 12.2.0'), '12.2.0');
  assert.equal(versionIn('command not found'), undefined);
});

test('the least Rust is the one that Cargo.toml names', () => {
  assert.equal(leastRust('[workspace.package]\nrust-version = "1.88"\n'), '1.88');
  assert.match(leastRust(), /^1\.\d+/);
});

for (const script of ['start', 'test', 'build', 'lint', 'generate', 'fuzz']) {
  test(`npm run ${script} on a machine without Rust ends with that sentence alone and exit code 1`, () => {
    const path = mkdtempSync(join(tmpdir(), 'itoden-tools-'));
    try {
      symlinkSync(process.execPath, join(path, 'node'));
      const { status, stdout, stderr } = spawnSync(process.execPath, [`scripts/${script}.mjs`], {
        cwd: root,
        encoding: 'utf8',
        env: { PATH: path },
      });
      assert.equal(status, 1);
      assert.equal(stdout, '');
      assert.match(stderr, /^\nitoden: Rust is missing \(no rustc on the PATH\): [^\n]*rustup\.rs\.\n$/);
    } finally {
      rmSync(path, { recursive: true });
    }
  });
}

/** @type {[string[], RegExp][]} */
const wrongArguments = [
  [['test.mjs', 'attic'], /^\nitoden: There is no room 'attic'; there are scripts, core, .*\.\n$/],
  [['build.mjs', 'roof'], /^\nitoden: There is no part 'roof' to build; there are npm, node, python, wasm\.\n$/],
  [['start.mjs', '--port', '70000'], /^\nitoden: The port is '70000', but must be a number from 0 [^\n]*\n$/],
  [['start.mjs', '--colour'], /^\nitoden: Unknown option '--colour'[^\n]*Usage: npm start -- \[chat \| inspector\] \[--port NUMBER\]\n$/],
  [['start.mjs', 'kitchen'], /^\nitoden: 'kitchen' can't be started; there are chat and inspector\. Usage: [^\n]*\n$/],
  [['fuzz.mjs', 'moon'], /^\nitoden: There is no fuzz target 'moon'; there are header, decoder, .*\.\n$/],
  [['fuzz.mjs', '--seconds', '0'], /^\nitoden: --seconds is '0', but must be a number from 1 to 999999\.\n$/],
  [['fuzz.mjs', '--hex', '00'], /^\nitoden: --hex takes the bytes of one input in hex, and one target\.\n$/],
  [['fuzz.mjs', '--colour'], /^\nitoden: Unknown option '--colour'[^\n]*Usage: npm run fuzz -- [^\n]*\n$/],
  [['version.mjs', 'get'], /^\nitoden: Usage: npm run version:set -- X\.Y\.Z, or npm run version:check\.\n$/],
];
for (const [[script, ...args], sentence] of wrongArguments) {
  test(`scripts/${script} ${args.join(' ')} says what is wrong and does nothing`, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [`scripts/${script}`, ...args], { cwd: root, encoding: 'utf8' });
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.match(stderr, sentence);
  });
}
