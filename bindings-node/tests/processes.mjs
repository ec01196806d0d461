// What tests of processes and packages share.

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The folder of the package. */
export const root = fileURLToPath(new URL('..', import.meta.url));

export async function temporary(t) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'itoden-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs a program in a process of its own; what it prints. A process that does not end by itself is killed, and fails. */
export async function program(source, { cwd = root, args = ['--input-type=module'], env = {} } = {}) {
  const options = { cwd, timeout: 20_000, env: { ...process.env, ...env } };
  const { stdout } = await run(process.execPath, [...args, '--eval', source], options);
  return stdout.trim();
}

/** Packs the package as it would be published, and installs it in a folder: what npm says of the tarball. */
export async function installPacked(folder) {
  const npm = (args, cwd) => run('npm', [...args, '--offline', '--no-audit', '--no-fund'], { cwd });
  const { stdout } = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root);
  const packed = JSON.parse(stdout);
  const [told] = Array.isArray(packed) ? packed : Object.values(packed);
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'consumer', version: '1.0.0' }));
  await npm(['install', '--ignore-scripts', `./${told.filename}`], folder);
  return told;
}
