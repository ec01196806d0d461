// How a run of a fuzz target is told, with a program in place of libFuzzer.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { corpora, fuzz, quickRuns, summary, targets } from '../lib/fuzz.mjs';
import { root } from '../lib/paths.mjs';

/** @type {string} */
let programs;
before(() => (programs = mkdtempSync(join(tmpdir(), 'itoden-fuzz-test-'))));
after(() => rmSync(programs, { recursive: true }));

/** @param {string} script what the program does */
function put(script) {
  writeFileSync(join(programs, 'header'), `#!${process.execPath}\n${script}`, { mode: 0o755 });
}

test('each target has a source, a manifest entry, a corpus of small files, and runs in npm test', () => {
  const manifest = readFileSync(join(root, 'core/fuzz/Cargo.toml'), 'utf8');
  assert.deepEqual([...manifest.matchAll(/\[\[bin\]\]\nname = "(\w+)"/g)].map(([, name]) => name).sort(), [...targets].sort());
  for (const target of targets) {
    assert.ok(existsSync(join(root, 'core/fuzz/fuzz_targets', `${target}.rs`)), target);
    const files = readdirSync(corpora(target).tree);
    assert.ok(files.length > 0 && files.length <= 150, `${target} has ${files.length} files`);
    for (const file of files) assert.ok(readFileSync(join(corpora(target).tree, file)).length <= 1024, `${target}/${file}`);
    assert.ok(quickRuns[target] > 0);
  }
});

test('a run that finds nothing is told in one line', async () => {
  put("console.error('#12\\tDONE   cov: 34 ft: 56 corp: 7/8b\\nstat::number_of_executed_units: 12');");
  const { passed, line } = await fuzz(programs, 'header', { runs: 12 });
  assert.equal(passed, true);
  assert.match(line, /^✓ header: 12 runs in \d+\.\d s, 34 edges$/);
});

test('a run that fails tells what was asserted, the input in hex and in the words of the target, and how to repeat it', async () => {
  put(`
    const { writeFileSync } = require('node:fs');
    const debug = process.env.RUST_LIBFUZZER_DEBUG_PATH;
    const unit = ${JSON.stringify(join(programs, 'crash-1'))};
    if (debug) writeFileSync(debug, 'Case { client: true }');
    else writeFileSync(unit, Buffer.from('00ff10', 'hex'));
    console.error("#9\\tNEW cov: 3 ft: 4\\nthread panicked at x.rs:1:2:\\nleft is not right\\nTest unit written to " + unit);
    process.exit(77);`);
  const { passed, line } = await fuzz(programs, 'header', { runs: 12 });
  assert.equal(passed, false);
  for (const part of ['panicked at x.rs:1:2', 'left is not right', 'Case { client: true }', 'in hex: 00ff10']) {
    assert.ok(line.includes(part), part);
  }
  assert.match(line, /repeat it with: npm run fuzz -- header --hex 00ff10\n✗ header: /);
});

test('a program that ends without an input is a failure too', async () => {
  put("console.error('ERROR: no corpus'); process.exit(1);");
  const { passed, line } = await fuzz(programs, 'header', { hex: '00' });
  assert.equal(passed, false);
  assert.match(line, /ERROR: no corpus[^]*header: ended with exit code 1 and left no input\./);
});

test('the covered edges are those of the last line that tells them', () => {
  const lines = ['#1\tNEW    cov: 5 ft: 6', '#2\tDONE   cov: 9 ft: 6', 'stat::number_of_executed_units: 2'];
  assert.equal(summary({ code: 0, lines, seconds: 1.25 }), '2 runs in 1.3 s, 9 edges');
});
