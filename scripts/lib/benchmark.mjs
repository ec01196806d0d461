// What the benchmark of the core measured: the numbers behind the tables, the charts and the verdicts.

/** @typedef {'itoden' | 'variant' | 'peer' | 'floor' | 'primitive'} Class */

/**
 * @typedef {object} Line what the program prints: one contender on one workload in one pass
 * @property {string} workload
 * @property {string} task
 * @property {string} kind
 * @property {number} size bytes of each payload
 * @property {boolean} takeover
 * @property {string} contender
 * @property {Class} class
 * @property {number} wireBytes bytes of payload read or of frames written, a message
 * @property {number[]} nanoseconds a message, one number a round
 */

/**
 * @typedef {object} Cell
 * @property {string} name
 * @property {Class} class
 * @property {number} value the median over all rounds, or a count
 * @property {number} low nine of ten rounds took longer
 * @property {number} high nine of ten rounds took less time
 * @property {number} wireBytes
 */

/** @typedef {{ name: string, task: string, kind: string, size: number, takeover: boolean, cells: Cell[] }} Workload */

/** @typedef {{ text: string, met: boolean, found: string }} Verdict */

/**
 * The value that `part` of the numbers are not above, interpolated.
 * @param {number[]} numbers
 * @param {number} part from 0 to 1
 */
export function quantile(numbers, part) {
  if (numbers.length === 0) throw new RangeError('There is no quantile of no numbers.');
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = part * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

/** @param {number[]} numbers */
export const median = (numbers) => quantile(numbers, 0.5);

/**
 * Puts the passes together.
 * @param {Line[]} lines
 * @returns {Workload[]}
 */
export function collect(lines) {
  /** @type {Map<string, Line & { samples: Map<string, Line> }>} */
  const workloads = new Map();
  for (const line of lines) {
    const workload = workloads.get(line.workload) ?? { ...line, samples: new Map() };
    workloads.set(line.workload, workload);
    const sample = workload.samples.get(line.contender);
    if (sample) sample.nanoseconds.push(...line.nanoseconds);
    else workload.samples.set(line.contender, { ...line, nanoseconds: [...line.nanoseconds] });
  }
  return [...workloads.values()].map(({ workload: name, task, kind, size, takeover, samples }) => {
    const cells = [...samples.values()].map(({ contender, class: own, wireBytes, nanoseconds }) => ({
      name: contender,
      class: own,
      value: median(nanoseconds),
      low: quantile(nanoseconds, 0.1),
      high: quantile(nanoseconds, 0.9),
      wireBytes,
    }));
    return { name, task, kind, size, takeover, cells };
  });
}

/**
 * Those that have the same key together, in order of appearance. (Map.groupBy is not in Node 20.)
 * @template T
 * @param {T[]} items
 * @param {(item: T) => string} key
 * @returns {[string, T[]][]}
 */
export function grouped(items, key) {
  /** @type {Map<string, T[]>} */
  const groups = new Map();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return [...groups];
}

/**
 * The lowest of a class.
 * @param {Workload} workload
 * @param {Class} own
 */
export function best(workload, own) {
  const cells = workload.cells.filter((cell) => cell.class === own);
  return cells.length === 0 ? undefined : cells.reduce((a, b) => (b.value < a.value ? b : a));
}

/**
 * How itoden stands; `undefined` where somebody did not take part.
 * @param {Workload} workload
 */
export function standing(workload) {
  const [itoden, peer, floor] = [best(workload, 'itoden'), best(workload, 'peer'), best(workload, 'floor')];
  if (!itoden || !peer || !floor) return undefined;
  return { itoden, peer, floor, timesFloor: itoden.value / floor.value, timesFaster: peer.value / itoden.value };
}

/** What two equals differ by when measured. */
const noise = 1.03;

/**
 * The bounds that the core has set itself, and whether what was measured keeps them.
 * @param {Workload[]} workloads
 * @returns {Verdict[]}
 */
export function verdicts(workloads) {
  return workloads.flatMap((workload) => {
    const found = standing(workload);
    if (!found) return [];
    const { name, task, kind, size } = workload;
    const { itoden, peer, timesFloor, timesFaster } = found;
    /** @type {Verdict[]} */
    const all = [];
    if (task === 'decode') {
      const bound = size <= 1024 ? 1.5 : 1.1;
      all.push({ text: `${name}: at most ${bound}× the floor`, met: timesFloor <= bound, found: `${timesFloor.toFixed(2)}×` });
    }
    // Where text is checked, its check is most of what everybody does; so the great factors are for binary.
    const factor = task === 'decode' && kind === 'binary' ? ({ 16: 4, 125: 3, 1024: 1.5 }[size] ?? 1) : 1;
    const text = factor > 1 ? `at least ${factor}× as fast as the best peer` : 'not slower than the best peer';
    const met = factor > 1 ? timesFaster >= factor : itoden.value <= peer.value * noise;
    all.push({ text: `${name}: ${text}`, met, found: `${timesFaster.toFixed(2)}× ${peer.name}` });
    return all;
  });
}
