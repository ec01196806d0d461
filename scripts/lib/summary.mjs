// Reading what test runners say at their end.

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */
/** @typedef {Counts & { room: string, seconds: number }} RoomResult */
/** @typedef {'cargo' | 'node' | 'pytest' | 'autobahn' | 'fuzz'} Runner */

const colours = /\x1b\[[0-9;]*m/g;

/** @returns {Counts} */
export function noCounts() {
  return { passed: 0, failed: 0, skipped: 0 };
}

/** @param {Counts} a @param {Counts} b @returns {Counts} */
export function add(a, b) {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/**
 * Counts the tests of one run of a runner from its lines.
 * @param {Runner} runner
 * @param {string[]} lines
 * @returns {Counts}
 */
export function countTests(runner, lines) {
  return readers[runner](lines.map((line) => line.replace(colours, '').trimEnd()));
}

/** @type {Record<Runner, (lines: string[]) => Counts>} */
const readers = {
  // One line for each test binary and for the examples in the documentation:
  //   test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s
  cargo(lines) {
    let sum = noCounts();
    for (const line of lines) {
      const found = /^test result: \S+ (\d+) passed; (\d+) failed; (\d+) ignored;/.exec(line);
      if (found) sum = add(sum, { passed: Number(found[1]), failed: Number(found[2]), skipped: Number(found[3]) });
    }
    return sum;
  },

  // One line, of scripts/fuzz.mjs: 'fuzz: 7 passed, 0 failed'. Each target is a test.
  fuzz(lines) {
    const found = lines.map((line) => /^fuzz: (\d+) passed, (\d+) failed$/.exec(line)).findLast(Boolean);
    return { passed: Number(found?.[1] ?? 0), failed: Number(found?.[2] ?? 0), skipped: 0 };
  },

  // One block, in TAP ('# pass 12') or for people ('ℹ pass 12'). A test's own output may look like it, so only the last
  // line of each word counts.
  node(lines) {
    /** @type {Record<string, number>} */
    const last = {};
    for (const line of lines) {
      const found = /^(?:#|ℹ) (pass|fail|cancelled|skipped|todo) (\d+)$/.exec(line);
      if (found) last[found[1]] = Number(found[2]);
    }
    return {
      passed: last.pass ?? 0,
      failed: (last.fail ?? 0) + (last.cancelled ?? 0),
      skipped: (last.skipped ?? 0) + (last.todo ?? 0),
    };
  },

  // One line for each role: 'autobahn, itoden as server: 325 passed, 0 failed, 0 skipped'
  autobahn(lines) {
    let sum = noCounts();
    for (const line of lines) {
      const found = /^autobahn, [^:]+: (\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line);
      if (found) sum = add(sum, { passed: Number(found[1]), failed: Number(found[2]), skipped: Number(found[3]) });
    }
    return sum;
  },

  // One line: '===== 1 failed, 12 passed, 2 skipped in 0.12s =====', without the frame under -q.
  pytest(lines) {
    const closing = lines.findLast((line) => /^(=+ )?\d+ [a-z]+(, \d+ [a-z]+)* in [\d.]+s/.test(line)) ?? '';
    /** @param {string} word */
    const count = (word) => Number(new RegExp(`(\\d+) ${word}\\b`).exec(closing)?.[1] ?? 0);
    return {
      passed: count('passed') + count('xpassed'),
      failed: count('failed') + count('errors?'),
      skipped: count('skipped') + count('xfailed'),
    };
  },
};

/**
 * What a room's run comes to. A room that ran no test has failed, and so has one whose runner stopped with an error
 * without counting a failure (it did not compile, say): each counts as one failure, so that the sum can't be a clean one.
 * @param {Counts} counts
 * @param {boolean} stopped whether a command of the room ended with an error
 * @param {boolean} [maySkip] whether the room may skip all its tests, and says why
 * @returns {Counts}
 */
export function verdict(counts, stopped, maySkip = false) {
  const ranNothing = counts.passed + counts.failed + (maySkip ? counts.skipped : 0) === 0;
  return counts.failed === 0 && (stopped || ranNothing) ? { ...counts, failed: 1 } : counts;
}

/**
 * The closing lines: one for each room, and the sum as the very last.
 * @param {RoomResult[]} results
 * @returns {string[]}
 */
export function summaryLines(results) {
  const width = Math.max(...results.map(({ room }) => room.length));
  const sum = results.reduce((total, result) => add(total, result), noCounts());
  return [
    ...results.map((result) => {
      const skipped = result.skipped ? `, ${result.skipped} skipped` : '';
      return (
        `${result.failed ? '✗' : '✓'} ${result.room.padEnd(width)}  ` +
        `${String(result.passed).padStart(4)} passed, ${result.failed} failed${skipped}, ${result.seconds.toFixed(1)} s`
      );
    }),
    `${sum.passed} passed, ${sum.failed} failed${sum.skipped ? `, ${sum.skipped} skipped` : ''}`,
  ];
}
