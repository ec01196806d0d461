// npm run format: formats what `npm run lint` wants formatted.

import { runMain } from './lib/failure.mjs';
import { benchManifest, venvPython } from './lib/paths.mjs';
import { venvEnvironment } from './lib/python.mjs';
import { run } from './lib/run.mjs';
import { setUp } from './lib/setup.mjs';

await runMain(async () => {
  await setUp(['python']);
  await run('cargo', ['fmt', '--all']);
  await run('cargo', ['fmt', '--manifest-path', benchManifest]);
  await run('cargo', ['fmt', '--manifest-path', 'core/fuzz/Cargo.toml']);
  await run(venvPython, ['-m', 'ruff', 'check', '--fix', '.'], { env: venvEnvironment });
  await run(venvPython, ['-m', 'ruff', 'format', '.'], { env: venvEnvironment });
});
