// npm run generate: writes all generated files that are committed.

import { runMain } from './lib/failure.mjs';
import { generate } from './lib/generated.mjs';
import { setUp } from './lib/setup.mjs';

await runMain(async () => {
  await setUp(['npm']);
  await generate();
});
