// Installing Debian packages, where this is Debian (or a child of it) and the user may.

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { ask, run } from './run.mjs';

/** What Debian asks whether a service may be started that a package brings. */
const policy = '/usr/sbin/policy-rc.d';

/** Whether packages can be installed here without asking anyone. */
export function canInstall() {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version') && ask('apt-get', ['--version']).code === 0;
}

/** Installs packages, without starting what they bring. @param {string[]} packages */
export async function install(packages) {
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  console.log(`… Debian packages: installing ${packages.join(', ')} (about 30 s)`);
  await run('apt-get', ['update', '-qq'], { env });
  const own = !existsSync(policy);
  if (own) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    // --no-remove: a package that conflicts with something installed is not worth that something.
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', '--no-remove', ...packages], { env });
  } finally {
    if (own) rmSync(policy);
  }
}
