// npm run autobahn [-- --all] [-- PARTICIPANT...]: the Autobahn test suite against itoden, as server and as client, in all
// languages that take part or in those that are named. Sections 1 to 7, 9 and 10 whole and of 12 and 13, compression, one
// or two cases from each part; with --all those are whole too, which takes a quarter of an hour more each. The counts are
// asserted: every case OK but three, which the suite itself calls informational. Without Python 2.7 all is skipped, but not
// in CI.

import { participants } from './lib/autobahn-participants.mjs';
import { install, interrupted, judge, play, quick, whole } from './lib/autobahn-suite.mjs';
import { Failure, runMain } from './lib/failure.mjs';
import { allParts, setUp } from './lib/setup.mjs';
import { seconds } from './lib/stamp.mjs';

/** @param {string[]} names @returns {import('./lib/autobahn-participants.mjs').Participant[]} */
function choose(names) {
  const unknown = names.find((name) => !participants.some((participant) => participant.name === name));
  if (unknown !== undefined) {
    const known = participants.map(({ name }) => name).join(', ');
    throw new Failure(`'${unknown}' takes no part in the Autobahn suite; allowed are --all and ${known}.`);
  }
  return names.length === 0 ? participants : participants.filter(({ name }) => names.includes(name));
}

/** For people and for `npm test`. @param {string} what @param {{ passed?: number, failed?: number, skipped?: number }} counts */
const tell = (what, { passed = 0, failed = 0, skipped = 0 }) =>
  console.log(`autobahn, ${what}: ${passed} passed, ${failed} failed, ${skipped} skipped`);

await runMain(async () => {
  const words = process.argv.slice(2);
  const all = words.includes('--all');
  const chosen = choose(words.filter((word) => word !== '--all'));
  const tests = chosen.flatMap((participant) =>
    (/** @type {const} */ (['server', 'client'])).flatMap((role) => {
      const program = participant.programs[role];
      return program ? [{ participant, role, program, selection: all ? whole : quick(participant.samples) }] : [];
    }),
  );
  if (!(await install())) {
    const advice = 'The Autobahn suite needs Python 2.7 with pip: `pyenv install 2.7.18`, or name one in $PYTHON2.';
    if (process.env.CI || all) throw new Failure(advice);
    console.log(advice);
    tell('all', { skipped: tests.reduce((sum, { selection }) => sum + selection.count, 0) });
    return 0;
  }
  await setUp(allParts.filter((part) => chosen.some(({ needs }) => needs.includes(part))));
  for (const { build } of chosen) await build?.();
  let failed = 0;
  for (const { participant, role, program, selection } of tests) {
    const began = Date.now();
    console.log(`… ${participant.title}, as ${role}: ${selection.count} cases`);
    const results = await play(participant, role, program, selection);
    const cases = interrupted(role, results);
    // Once: a server that is slow by itself is slow again.
    if (cases.length > 0) {
      console.log(`  again, since the suite's own time was up: ${cases.join(', ')}`);
      Object.assign(results, await play(participant, role, program, { cases, count: cases.length }));
    }
    const verdict = judge(results, selection.count);
    for (const complaint of verdict.complaints) console.log(`  ${complaint}`);
    console.log(`  in ${seconds(began)}`);
    tell(`${participant.name} as ${role}`, verdict);
    failed += verdict.failed;
  }
  return failed === 0 ? 0 : 1;
});
