// send and bufferedAmount: functions `(api, url) => log` that run in a page and in Node alike. `api` has the classes, `url` is that of
// the scenario server. A log is JSON. The names are sentences about what the log shows.

import { dataOf, next, opened, outcome, record, task, until } from './tools.mjs';

export const scenarios = {
  // send.

  'send converts what it is given': async ({ WebSocket }, url) => {
    const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const values = {
      'a string': 'text', 'an empty string': '', 'lone surrogates': '\ud800a\udfff\ud83d\ude00\ude00\ud83d', 'a NUL': 'a\u0000b', 'a BOM': '\ufeffbom', undefined: undefined, null: null, 'a number': 1.5,
      'a bigint': 12n, 'a boolean': true, 'an array': [1, 2], 'an object': {}, 'a String': new String('boxed'), 'an ArrayBuffer': bytes.buffer, 'an empty ArrayBuffer': new ArrayBuffer(0),
      'a Uint8Array': bytes.subarray(2, 4), 'a Uint16Array': new Uint16Array(bytes.buffer, 2, 2), 'a Float64Array': new Float64Array(bytes.buffer), 'a BigInt64Array': new BigInt64Array(bytes.buffer),
      'a DataView': new DataView(bytes.buffer, 1, 3), 'an empty view': new Uint8Array(), 'a Blob': new Blob(['blob', bytes]), 'an empty Blob': new Blob([]), 'a slice of a Blob': new Blob(['abcdef']).slice(1, 3), 'a File': new File(['file'], 'n.txt'),
      'an object with toString': { toString: () => 'named' }, 'a function': Object.assign(() => {}, { toString: () => 'function' }), 'a URL': new URL('http://a/b'),
    }; // prettier-ignore
    const ws = new WebSocket(`${url}/echo`);
    ws.binaryType = 'arraybuffer';
    await opened(ws);
    const log = [];
    for (const [name, value] of Object.entries(values)) {
      ws.send(value);
      const amount = ws.bufferedAmount;
      const { data } = await next(ws, 'message');
      log.push([name, amount, await dataOf(data)]);
      await until(() => ws.bufferedAmount === 0);
    }
    ws.close();
    await next(ws, 'close');
    return log;
  },

  'send refuses what can not be converted, in every state': async ({ WebSocket }, url) => {
    const ws = new WebSocket(`${url}/echo`);
    const shared = typeof SharedArrayBuffer === 'function' ? [new Uint8Array(new SharedArrayBuffer(1))] : ['no SharedArrayBuffer'];
    const values = [[], [Symbol('x')], [{ toString() { throw new RangeError(); } }], [Object.create(null)]]; // prettier-ignore
    const log = { connecting: values.map((args) => outcome(() => ws.send(...args))) };
    log.connecting.push(...['', 'x', new Blob(['x']), new Uint8Array(1)].map((value) => outcome(() => ws.send(value))));
    await opened(ws);
    log.open = values.map((args) => outcome(() => ws.send(...args)));
    log.shared = shared.map((value) => (typeof value === 'string' ? 'throws TypeError TypeError' : outcome(() => ws.send(value))));
    log.resizable = [
      outcome(() => ws.send(new ArrayBuffer(1, { maxByteLength: 2 }))),
      outcome(() => ws.send(new Uint8Array(new ArrayBuffer(1, { maxByteLength: 2 })))),
    ];
    const detached = new ArrayBuffer(4);
    const view = new Uint8Array(detached);
    structuredClone(detached, { transfer: [detached] });
    log.detached = [outcome(() => ws.send(detached)), outcome(() => ws.send(view))];
    log.amount = ws.bufferedAmount;
    ws.close();
    log.closing = values.map((args) => outcome(() => ws.send(...args)));
    await next(ws, 'close');
    log.closed = values.map((args) => outcome(() => ws.send(...args)));
    return log;
  },

  'data may be changed as soon as send has returned': async ({ WebSocket }, url) => {
    const ws = new WebSocket(`${url}/echo`);
    ws.binaryType = 'arraybuffer';
    await opened(ws);
    const bytes = new Uint8Array(40_000).fill(1);
    ws.send(bytes.subarray(0, 3));
    ws.send(bytes);
    ws.send(new Blob([bytes.subarray(0, 2)]));
    ws.send(bytes.subarray(0, 4));
    bytes.fill(9);
    const log = [];
    for (let index = 0; index < 4; index += 1) {
      const { data } = await next(ws, 'message');
      log.push([data.byteLength, new Uint8Array(data).every((byte) => byte === 1)]);
    }
    ws.close();
    return log;
  },

  'messages arrive in the order of send, though Blobs have to be read': async ({ WebSocket }, url) => {
    const ws = new WebSocket(`${url}/echo`);
    const log = [];
    await opened(ws);
    const done = record(ws, [], {});
    ws.onmessage = ({ data }) => log.push(typeof data === 'string' ? data : data.size);
    ws.send('1');
    ws.send(new Blob(['x'.repeat(100_000)]));
    ws.send('2');
    ws.send(new Uint8Array(7));
    ws.send(new Blob(['y']));
    ws.send(new Blob([]));
    ws.send('3');
    await until(() => log.length === 7);
    ws.close();
    await done;
    return log;
  },

  // bufferedAmount.

  'bufferedAmount counts bytes of payload and falls between tasks only': async ({ WebSocket }, url) => {
    const ws = new WebSocket(`${url}/echo`);
    await opened(ws);
    const log = [ws.bufferedAmount];
    ws.send('äöü');
    log.push(ws.bufferedAmount);
    ws.send(new Uint16Array(5));
    log.push(ws.bufferedAmount);
    ws.send(new Blob(['1234567']));
    log.push(ws.bufferedAmount);
    ws.send('\ud800');
    log.push(ws.bufferedAmount);
    await Promise.resolve();
    for (let index = 0; index < 20; index += 1) await null;
    log.push(ws.bufferedAmount);
    queueMicrotask(() => log.push(ws.bufferedAmount));
    const busy = performance.now() + 30;
    while (performance.now() < busy);
    log.push(ws.bufferedAmount);
    await until(() => ws.bufferedAmount === 0);
    log.push(ws.bufferedAmount);
    ws.close();
    return log;
  },

  'bufferedAmount grows after close and never resets': async ({ WebSocket }, url) => {
    const ws = new WebSocket(`${url}/echo`);
    await opened(ws);
    ws.close();
    ws.send('12345');
    const log = [ws.bufferedAmount];
    ws.send(new Blob(['123']));
    log.push(ws.bufferedAmount);
    await next(ws, 'close');
    log.push(ws.bufferedAmount);
    ws.send(new Uint8Array(10));
    ws.send('ä');
    log.push(ws.bufferedAmount);
    await task();
    await task();
    log.push(ws.bufferedAmount);
    const refused = new WebSocket('ws://127.0.0.1:2/');
    await next(refused, 'close');
    refused.send('123');
    log.push(refused.bufferedAmount);
    return log;
  },
};
