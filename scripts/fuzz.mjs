// npm run fuzz [-- TARGET...] [--seconds N]: runs the fuzz targets of core/fuzz, each for 60 s if nothing else is said.
// --hex BYTES runs one target with one input; --minimise makes the corpora of the tree anew; --quick is what `npm test` does.

import { parseArgs } from 'node:util';
import { Failure, runMain } from './lib/failure.mjs';
import { build, fuzz, minimise, quickRuns, targets } from './lib/fuzz.mjs';
import { setUp } from './lib/setup.mjs';

const usage = 'Usage: npm run fuzz -- [TARGET...] [--seconds N | --hex BYTES | --minimise | --quick]';

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      options: { seconds: { type: 'string' }, hex: { type: 'string' }, minimise: { type: 'boolean' }, quick: { type: 'boolean' } },
      allowPositionals: true,
    });
    const unknown = positionals.find((name) => !targets.includes(name));
    if (unknown !== undefined) throw new Failure(`There is no fuzz target '${unknown}'; there are ${targets.join(', ')}.`);
    const named = targets.filter((target) => positionals.length === 0 || positionals.includes(target));
    return { ...values, named };
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`${error instanceof Error ? error.message.split('.')[0] : error}. ${usage}`);
  }
}

await runMain(async () => {
  const { named, seconds = '60', hex, minimise: toMinimise = false, quick = false } = readArguments();
  if (!/^[1-9]\d{0,5}$/.test(seconds)) throw new Failure(`--seconds is '${seconds}', but must be a number from 1 to 999999.`);
  if (hex !== undefined && (named.length !== 1 || !/^([0-9a-f]{2})*$/i.test(hex))) {
    throw new Failure('--hex takes the bytes of one input in hex, and one target.');
  }
  await setUp([]);
  console.log('… fuzz targets: building what is missing or stale (a minute on a first run)');
  const programs = await build();
  let failed = 0;
  for (const target of named) {
    if (toMinimise) {
      console.log(`✓ ${target}: ${await minimise(programs, target)} files`);
      continue;
    }
    const how = hex !== undefined ? { hex } : quick ? { runs: quickRuns[target] } : { seconds: Number(seconds) };
    const { passed, line } = await fuzz(programs, target, how, named.length === 1 && !quick);
    console.log(line);
    if (!passed) failed += 1;
  }
  if (!toMinimise) console.log(`fuzz: ${named.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
});
