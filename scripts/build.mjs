// npm run build [-- PART...]: builds what is missing or stale, of everything or of the parts named.

import { Failure, runMain } from './lib/failure.mjs';
import { allParts, setUp } from './lib/setup.mjs';

await runMain(async () => {
  const named = process.argv.slice(2);
  const known = allParts.filter((part) => !['browser', 'peers'].includes(part)); // those are found, not built
  const unknown = named.find((name) => !known.some((part) => part === name));
  if (unknown !== undefined) throw new Failure(`There is no part '${unknown}' to build; there are ${known.join(', ')}.`);
  await setUp(named.length > 0 ? known.filter((part) => named.includes(part)) : known);
});
