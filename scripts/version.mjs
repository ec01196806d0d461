// npm run version:set -- X.Y.Z   writes the version number of all packages
// npm run version:check          tells where it differs

import { Failure, runMain } from './lib/failure.mjs';
import { repository } from './lib/numbers.mjs';
import { root } from './lib/paths.mjs';

await runMain(() => {
  const [command, wanted, ...rest] = process.argv.slice(2);
  const tree = repository(root);
  if (command === 'set' && wanted !== undefined && rest.length === 0) tree.set(wanted);
  else if (command !== 'check' || wanted !== undefined) {
    throw new Failure('Usage: npm run version:set -- X.Y.Z, or npm run version:check.');
  }
  const problems = tree.check();
  if (problems.length > 0) throw new Failure(`The version numbers differ.\n${problems.join('\n')}`);
  console.log(`Every package has version ${tree.version()}.`);
});
