// An addon that can't be loaded: the error says which files were tried, and for which platform.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { plain } from './helpers.mjs';
import { installPacked, program, temporary } from './processes.mjs';

/** An installed copy of the packed package, and its addons. */
async function installed(t) {
  const folder = realpathSync(await temporary(t));
  await installPacked(folder);
  const home = path.join(folder, 'node_modules/itoden');
  const addons = readdirSync(home).filter((name) => name.endsWith('.node'));
  assert.ok(addons.length > 0, 'an addon is packed');
  return { folder, addons: addons.map((name) => path.join(home, name)) };
}

const CJS = `try { require('itoden'); console.log('loaded'); } catch ({ code, message }) { console.log(code + '\\n' + message); }`;
const ESM = `import 'itoden'; console.log('loaded');`;

/** What both kinds of modules say, which is the same. */
async function loading(folder) {
  const said = await program(CJS, { cwd: folder, args: ['--input-type=commonjs'] });
  // Node 20 tells an error in a CommonJS module below an ES module as uncaught even where `import()` is caught.
  const imported = program(ESM, { cwd: folder });
  if (said === 'loaded') assert.equal(await imported, said);
  else await assert.rejects(imported, ({ code, stderr }) => code === 1 && stderr.includes(said.slice(said.indexOf('\n') + 1)));
  return said;
}

function check(said, tried) {
  const [code, first, second, ...lines] = said.split('\n');
  assert.equal(code, 'ITODEN_ADDON_NOT_LOADED');
  const { platform, arch, version } = process;
  assert.equal(first, `itoden has no native addon that loads on ${platform}-${arch} with Node ${version}. What was tried:`);
  assert.ok(second.startsWith('  - ') && second.includes(tried), second);
  // The package of this platform is what npm installs beside this one.
  assert.match(lines[0], new RegExp(`^  - .*itoden-${platform}`));
  assert.match(lines.at(-1), /^Install the package anew on this platform/);
}

plain('an addon that is not there is named with its whole path, and so is the platform', async (t) => {
  const { folder, addons } = await installed(t);
  assert.equal(await loading(folder), 'loaded');
  for (const addon of addons) rmSync(addon);
  check(await loading(folder), addons[0]);
});

plain('an addon that is broken is named', async (t) => {
  const { folder, addons } = await installed(t);
  const [addon] = addons;
  const whole = readFileSync(addon);
  const otherProcessor = Buffer.from(whole);
  // The number of the processor in an ELF header; in other formats it breaks something else.
  otherProcessor.writeUInt16LE(0xfffe, 18);
  // Longer pieces of a library bring down the system's loader, and the process with it.
  for (const bytes of [Buffer.from('not a library'), whole.subarray(0, 40), otherProcessor]) {
    writeFileSync(addon, bytes);
    check(await loading(folder), path.basename(addon));
  }
});
