// The generated files that are committed, and how each is made. `npm run lint` proves that they are up to date.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './failure.mjs';
import { nativeGenerated } from './node.mjs';
import { root, workspaces } from './paths.mjs';
import { ask, run } from './run.mjs';

const errorTable = 'core/vectors/errors.json';

/** What the scripts themselves write. What a room derives from the table is known to that room's script `generate`. */
const generatedFiles = [errorTable, ...nativeGenerated];

export async function generate() {
  console.log(`… ${errorTable}: asking itoden-core`);
  const table = ask('cargo', ['run', '--quiet', '-p', 'itoden-core', '--example', 'tables']);
  if (table.code !== 0) throw new Failure(`The example 'tables' of itoden-core failed:\n${table.output}`);
  const text = `${table.output}\n`;
  JSON.parse(text);
  if (!existsSync(join(root, errorTable)) || readFileSync(join(root, errorTable), 'utf8') !== text) {
    writeFileSync(join(root, errorTable), text);
  }

  for (const folder of workspaces.filter(hasGenerator)) {
    console.log(`… ${folder}: its own generated files`);
    await run('npm', ['run', '--silent', 'generate', '-w', folder]);
  }

  console.log(`… ${nativeGenerated.join(', ')}: building the Node addon`);
  await run('npm', ['run', '--silent', 'build:native', '-w', 'bindings-node']);
}

/** @param {string} folder */
function hasGenerator(folder) {
  return 'generate' in (JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')).scripts ?? {});
}

/**
 * Every file that is or could be committed, with a hash of its bytes.
 * @returns {Map<string, string>}
 */
export function snapshot(folder = root) {
  const { code, output } = ask('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: folder });
  if (code !== 0) throw new Failure(`git can't list the files of the tree: ${output}`);
  const paths = output.split('\0').filter((path) => path !== '' && existsSync(join(folder, path)));
  return new Map(paths.map((path) => [path, createHash('sha256').update(readFileSync(join(folder, path))).digest('hex')]));
}

/**
 * What is wrong with the generated files, one sentence each: those that generating changed, and those of the scripts
 * that differ from what is committed or staged, or that git doesn't know.
 * @param {Map<string, string>} before the snapshot taken before they were generated
 * @returns {string[]}
 */
export function staleFiles(before, folder = root, known = generatedFiles) {
  const after = snapshot(folder);
  const changed = [...after.keys()].filter((path) => after.get(path) !== before.get(path));
  const advice = 'run `npm run generate` and commit it.';
  return [...new Set([...known, ...changed])].flatMap((path) => {
    const here = { cwd: folder };
    if (ask('git', ['ls-files', '--error-unmatch', '--', path], here).code !== 0) return [`${path} is not committed: ${advice}`];
    const { code, output } = ask('git', ['diff', '--exit-code', '--', path], here);
    return code === 0 && !changed.includes(path) ? [] : [`${path} is not up to date: ${advice}\n${output}`];
  });
}
