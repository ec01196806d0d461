// npm test [-- ROOM...]: builds what the rooms need, runs all their tests, and ends with a line for each room and the sum.

import { Failure, runMain } from './lib/failure.mjs';
import { rooms } from './lib/rooms.mjs';
import { commandLine, stream } from './lib/run.mjs';
import { allParts, setUp } from './lib/setup.mjs';
import { add, countTests, noCounts, summaryLines, verdict } from './lib/summary.mjs';

/** @param {string[]} names */
function choose(names) {
  const unknown = names.find((name) => !rooms.some((room) => room.name === name));
  if (unknown !== undefined) {
    throw new Failure(`There is no room '${unknown}'; there are ${rooms.map((room) => room.name).join(', ')}.`);
  }
  return names.length === 0 ? rooms : rooms.filter((room) => names.includes(room.name));
}

/**
 * @param {import('./lib/rooms.mjs').Room} room
 * @param {Record<string, string>} env
 * @returns {Promise<import('./lib/summary.mjs').RoomResult>}
 */
async function testRoom(room, env) {
  const began = Date.now();
  let counts = noCounts();
  let stopped = false;
  for (const { runner, command, args, env: own } of room.commands) {
    console.log(`\n=== ${room.name}: ${commandLine(command, args)}`);
    /** @type {string[]} */
    const lines = [];
    const code = await stream(command, args, { env: { ...env, ...own }, onLine: (line) => lines.push(line) });
    const counted = countTests(runner, lines);
    counts = add(counts, counted);
    if (code !== 0) stopped = true;
    if (code !== 0 && counted.failed === 0) console.log(`${room.name}: ended with exit code ${code} and counted no failed test`);
    if (counted.passed + counted.failed + counted.skipped === 0) console.log(`${room.name}: no test was run`);
  }
  return { room: room.name, seconds: (Date.now() - began) / 1000, ...verdict(counts, stopped, room.maySkip) };
}

await runMain(async () => {
  const chosen = choose(process.argv.slice(2));
  const { env } = await setUp(allParts.filter((part) => chosen.some((room) => room.needs.includes(part))));
  const results = [];
  for (const room of chosen) results.push(await testRoom(room, env));
  console.log(`\n${summaryLines(results).join('\n')}`);
  return results.some(({ failed }) => failed > 0) ? 1 : 0;
});
