// What is measured: workloads, and the loop that measures contenders on them, in Node and in a page alike.

/** As much as a socket brings at once. */
const CHUNK = 64 << 10;

const sizes = [16, 125, 1 << 10, 64 << 10, 1 << 20];

/**
 * Tasks: `decode` is a server's, of masked frames; `decode-client` a client's. An encoder is a server's, or a client's, who
 * masks.
 */
export const workloads = [
  ...['binary', 'text', 'mixed'].flatMap((kind) =>
    ['decode', 'decode-client', 'encode-client', 'encode-server'].flatMap((task) => sizes.map((size) => ({ task, kind, size, deflate: false }))),
  ),
  ...['decode', 'encode-client', 'encode-server'].map((task) => ({ task, kind: 'JSON', size: 1 << 10, deflate: true })),
].map((shape) => ({ ...shape, name: `${shape.task} ${shape.kind} ${shape.size}${shape.deflate ? ' deflate' : ''}` }));

const encoder = new TextEncoder();

/** The same numbers in every run. */
function numbers() {
  let state = 1;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A message of `size` bytes. */
function message(kind, size, next) {
  if (kind === 'binary') return Uint8Array.from({ length: size }, () => next(256));
  if (kind === 'JSON') {
    const rows = [];
    while (JSON.stringify(rows).length < size) {
      rows.push({ id: next(1e6), name: ['alpha', 'beta', 'gamma'][next(3)], price: next(1e5) / 100, active: next(2) === 1 });
    }
    return JSON.stringify(rows).slice(0, size);
  }
  if (kind === 'text') return Array.from({ length: size }, () => String.fromCharCode(0x20 + next(95))).join('');
  // Words of three scripts, as far as they fit, and spaces.
  const words = ['hello ', 'grüße ', 'Привет ', '你好 ', '🎈 '];
  const parts = [];
  let left = size;
  while (left > 20) {
    const word = words[next(words.length)];
    parts.push(word);
    left -= encoder.encode(word).length;
  }
  return parts.join('') + ' '.repeat(left);
}

function messages({ kind, size }) {
  const next = numbers();
  const count = Math.min(4096, Math.max(4, Math.floor((2 << 20) / size)));
  const made = Array.from({ length: Math.min(count, 64) }, () => message(kind, size, next));
  return Array.from({ length: count }, (_, index) => made[index % made.length]);
}

/** `payloads` as the peer sends them, in chunks as sockets bring them. */
function wire(payloads, masked, { Connection, extensions }) {
  const sender = new Connection(masked ? 'client' : 'server', { compressionThreshold: 0, ...(extensions && { extensions }) });
  const parts = payloads.map((payload) => {
    if (typeof payload === 'string') sender.sendText(payload);
    else sender.sendBinary(payload);
    return sender.takeOutput();
  });
  sender.free();
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const shuffled = (items) => items.map((item) => [Math.random(), item]).sort(([a], [b]) => a - b).map(([, item]) => item);

/**
 * Measures contenders by turns, each in every round once.
 *
 * @param {object} shape a workload
 * @param {object[]} contenders each with a `name`, a `class`, and `decode` or `encode` or both: they take the task, and return
 *   what is timed, a function that returns the number of messages or of bytes, or a promise of it; `undefined` for no part
 * @param {number} rounds
 * @param {typeof import('itoden-wasm/deflate').Connection} Connection makes what is decoded
 */
export async function measure(shape, contenders, rounds, Connection) {
  const payloads = messages(shape);
  const isDecode = shape.task.startsWith('decode');
  const extensions = shape.deflate ? 'permessage-deflate' : undefined;
  const bytes = isDecode ? wire(payloads, shape.task === 'decode', { Connection, extensions }) : undefined;
  // Whoever reads may write into what it is given, so that each sample has bytes of its own.
  const chunks = () => {
    const own = bytes.slice();
    return Array.from({ length: Math.ceil(own.length / CHUNK) }, (_, index) => own.slice(index * CHUNK, (index + 1) * CHUNK));
  };
  const total = payloads.reduce((sum, payload) => sum + payload.length, 0);
  const burst = Math.max(1, Math.floor(CHUNK / shape.size));
  const lines = [];
  for (const contender of contenders) {
    const line = { contender, nanoseconds: [], wireBytes: 0 };
    if (contender[isDecode ? 'decode' : 'encode']) lines.push(line);
  }
  const sample = async (line) => {
    const { contender } = line;
    const given = { ...shape, masked: shape.task === 'decode', masks: shape.task === 'encode-client', extensions, payloads, burst, total };
    const work = isDecode ? await contender.decode({ ...given, chunks: chunks() }) : await contender.encode(given);
    if (!work) return undefined;
    const began = performance.now();
    const result = work.run();
    const found = result instanceof Promise ? await result : result;
    const took = performance.now() - began;
    work.end?.();
    // A decoder returns the length of all messages, an encoder that of all frames.
    if (isDecode ? found !== total : !(found > 0)) throw new Error(`${contender.name}, ${shape.name}: ${found} instead of ${total}`);
    line.wireBytes = (isDecode ? bytes.length : found) / payloads.length;
    return (took * 1e6) / payloads.length;
  };
  // What a compiler learns while it runs is no part of the figure.
  const taking = [];
  for (const line of lines) {
    let takes = false;
    for (let round = 0; round < 8; round += 1) takes = (await sample(line)) !== undefined;
    if (takes) taking.push(line);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const line of shuffled(taking)) {
      line.nanoseconds.push(await sample(line));
    }
  }
  const { task, kind, size } = shape;
  return taking.map(({ contender, nanoseconds, wireBytes }) => ({
    workload: shape.name, task: shape.deflate ? `${task}, compressed` : task, kind, size, takeover: true, contender: contender.name, class: contender.class, wireBytes, nanoseconds,
  }));
}
