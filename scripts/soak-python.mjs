// npm run soak:python [-- --cycles N] [-- --messages N]: whether the Python package's memory grows; three minutes.

import { join } from 'node:path';
import { runMain } from './lib/failure.mjs';
import { root, venvPython } from './lib/paths.mjs';
import { stream } from './lib/run.mjs';
import { setUp } from './lib/setup.mjs';

await runMain(async () => {
  await setUp(['python']);
  return stream(venvPython, [join(root, 'bindings-python', 'tools', 'soak.py'), ...process.argv.slice(2)]);
});
