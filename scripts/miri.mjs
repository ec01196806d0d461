// npm run miri: the unsafe code of the core under Miri, which finds undefined behaviour; once as it is for any processor and
// once with the vector instructions. It needs rustup, and installs a nightly toolchain with Miri.

import { runMain } from './lib/failure.mjs';
import { kept, root } from './lib/paths.mjs';
import { join } from 'node:path';
import { run } from './lib/run.mjs';

await runMain(async () => {
  await run('rustup', ['toolchain', 'install', 'nightly', '--profile', 'minimal', '--component', 'miri', '--component', 'rust-src']);
  for (const flags of process.arch === 'x64' ? ['', '-Ctarget-feature=+avx2'] : ['']) {
    console.log(`… Miri${flags && `, ${flags}`}`);
    const env = { RUSTFLAGS: flags, CARGO_TARGET_DIR: join(kept, 'miri') };
    await run('cargo', ['+nightly', 'miri', 'test', '-p', 'itoden-core', '--test', 'mask'], { cwd: root, env });
  }
  return 0;
});
