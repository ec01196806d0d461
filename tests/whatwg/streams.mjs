// What a WebSocketStream does, as functions `(api, url) => log` that run in Chromium and in Node alike.

import { ask, describe, http, isPending, nameOf, outcome, settled, shape } from './stream-tools.mjs';

export const scenarios = {
  'the interface of WebSocketStream': ({ WebSocketStream }) => shape(WebSocketStream),

  'the interface of WebSocketError': ({ WebSocketError }) => shape(WebSocketError),

  'members can only be reached through their own kind': ({ WebSocketStream, WebSocketError }) => {
    const log = [];
    for (const { prototype } of [WebSocketError]) {
      for (const name of ['closeCode', 'reason']) log.push(outcome(() => Object.getOwnPropertyDescriptor(prototype, name).get.call({})));
    }
    log.push(outcome(() => WebSocketStream.prototype.url), outcome(() => WebSocketStream.prototype.close.call({})), outcome(() => WebSocketStream()), outcome(() => new WebSocketStream()));
    return log;
  },

  'a WebSocketError takes a message, a code and a reason': ({ WebSocketError }) => {
    const calls = [
      [], ['m'], [undefined], [null], [1], ['m', {}], ['m', undefined], ['m', null], ['m', { closeCode: 1000 }], ['m', { closeCode: 3000, reason: 'r' }], ['m', { closeCode: 4999 }],
      ['m', { reason: 'r' }], ['m', { reason: '' }], ['m', { closeCode: undefined, reason: undefined }], ['m', { closeCode: '3001' }], ['m', { closeCode: 3000.4 }], ['m', { closeCode: 1000, reason: '\ud800' }],
      ['m', { closeCode: 999 }], ['m', { closeCode: 1001 }], ['m', { closeCode: 2999 }], ['m', { closeCode: 5000 }], ['m', { closeCode: 65536 + 1000 }], ['m', { closeCode: -1 }], ['m', { closeCode: NaN }], ['m', { closeCode: 'x' }],
      ['m', { closeCode: null }], ['m', { closeCode: Infinity }], ['m', { reason: 'x'.repeat(124) }], ['m', { reason: 'ä'.repeat(62) }], ['m', { closeCode: 999, reason: 'x'.repeat(124) }], ['m', 1], ['m', 'x'], ['m', true], [Symbol('x')], ['m', { reason: null }],
    ]; // prettier-ignore
    return calls.map((call, index) => {
      try {
        const error = new WebSocketError(...call);
        const same = [error instanceof DOMException, error instanceof Error, Object.prototype.toString.call(error)];
        return [index, error.message, describe(error), ...same];
      } catch (error) {
        return [index, describe(error)];
      }
    });
  },

  'the arguments of the constructor are checked': ({ WebSocketStream }) => {
    const url = 'ws://127.0.0.1:9/';
    const calls = [
      ['ftp://x'], ['ws://a/#'], ['ws://a:b'], [Symbol('x')], [url, 1], [url, 'x'], [url, { protocols: 'a' }], [url, { protocols: 1 }], [url, { protocols: {} }], [url, { protocols: null }],
      [url, { protocols: ['a', 'a'] }], [url, { protocols: ['a b'] }], [url, { protocols: [''] }], [url, { signal: {} }], [url, { signal: null }], [url, { signal: 1 }],
    ]; // prettier-ignore
    return calls.map((call, index) => [index, outcome(() => new WebSocketStream(...call))]);
  },

  'an open one has two streams, the subprotocol and the extensions': async ({ WebSocketStream }, url) => {
    const stream = new WebSocketStream(`${http(url)}/echo?pick=b`, { protocols: ['a', 'b'] });
    const log = [stream.url === `${url}/echo?pick=b`, stream.opened === stream.opened, stream.closed === stream.closed, await isPending(stream.closed)];
    const info = await stream.opened;
    log.push(Object.keys(info).toSorted(), info.protocol, typeof info.extensions, Object.prototype.toString.call(info.readable), Object.prototype.toString.call(info.writable));
    log.push((await stream.opened) === info, info.readable.locked, info.writable.locked);
    stream.close();
    log.push(await settled(stream.closed));
    return log;
  },

  'messages are strings and ArrayBuffers, both ways': async ({ WebSocketStream }, url) => {
    const stream = new WebSocketStream(`${url}/echo`);
    const { readable, writable } = await stream.opened;
    const reader = readable.getReader();
    const writer = writable.getWriter();
    const log = [];
    const chunks = ['text', '', '\ud800', 'äöü', Uint8Array.of(1, 2), new Uint16Array([258]), new DataView(new ArrayBuffer(2)), new ArrayBuffer(3), new Uint8Array(), 1.5, null, {}, new Blob(['b'])];
    for (const chunk of chunks) {
      const write = settled(writer.write(chunk));
      const { value, done } = await reader.read();
      log.push([await write, typeof value === 'string' ? value : [value.constructor.name, ...new Uint8Array(value)], done]);
    }
    stream.close();
    log.push(await settled(stream.closed), await settled(reader.read()));
    return log;
  },

  'what can not be converted fails the writable': async ({ WebSocketStream }, url) => {
    const stream = new WebSocketStream(`${url}/echo`);
    const { writable, readable } = await stream.opened;
    const writer = writable.getWriter();
    const log = [await settled(writer.write(Symbol('x'))), await settled(writer.write('after')), await settled(writer.closed)];
    stream.close();
    log.push(await settled(stream.closed), await settled(readable.getReader().read()));
    return log;
  },

  'close takes a code and a reason': async ({ WebSocketStream }, url) => {
    const calls = [[], [undefined], [null], [{}], [{ closeCode: 1000 }], [{ closeCode: 3456, reason: 'pizza' }], [{ reason: '' }], [{ reason: 'why' }], [{ closeCode: 4999.4 }], [{ closeCode: '3001' }]];
    const log = [];
    for (const call of calls) {
      const name = nameOf();
      const stream = new WebSocketStream(`${url}/echo?name=${name}`);
      const { readable, writable } = await stream.opened;
      stream.close(...call);
      log.push([await settled(stream.closed), await ask(url, `/told/${name}`), await settled(readable.getReader().read()), await settled(writable.getWriter().write('x'))]);
    }
    return log;
  },

  'the arguments of close are checked in every state': async ({ WebSocketStream }, url) => {
    const calls = [[true], [1], ['x'], [{ closeCode: 999 }], [{ closeCode: 1001 }], [{ closeCode: 2999 }], [{ closeCode: 5000 }], [{ closeCode: 65536 }], [{ closeCode: -1 }], [{ closeCode: NaN }], [{ closeCode: null }],
      [{ reason: 'x'.repeat(124) }], [{ reason: 'ä'.repeat(62) }], [{ closeCode: 1000, reason: Symbol('x') }]]; // prettier-ignore
    const stream = new WebSocketStream(`${url}/echo`);
    const check = () => calls.map((call) => outcome(() => stream.close(...call)));
    const log = [check()];
    await stream.opened;
    log.push(check());
    stream.close();
    log.push(check());
    await stream.closed;
    log.push(check(), outcome(() => stream.close()));
    return log;
  },

  'closing while it connects rejects both promises': async ({ WebSocketStream }, url) => {
    const stream = new WebSocketStream(`${url}/echo`);
    stream.close({ closeCode: 3000, reason: 'x' });
    return [await settled(stream.opened), await settled(stream.closed), outcome(() => stream.close())];
  },

  'a handshake that fails rejects both promises': async ({ WebSocketStream }, url) => {
    const log = [];
    for (const [address, options] of [[`${url}/echo?status=404`], [`${url}/echo?wrong=accept`], ['ws://127.0.0.1:2/'], [`${url}/echo`, { protocols: ['a'] }], ['ws://127.0.0.1:25/']]) {
      const stream = new WebSocketStream(address, options);
      log.push([await settled(stream.opened), await settled(stream.closed)]);
    }
    return log;
  },

  'an aborted signal rejects both promises': async ({ WebSocketStream }, url) => {
    const log = [];
    for (let index = 0; index < 2; index += 1) {
      const stream = new WebSocketStream(`${url}/echo`, { signal: AbortSignal.abort() });
      log.push([await settled(stream.opened), await settled(stream.closed), outcome(() => stream.close())]);
    }
    return log;
  },

  'a signal gives up connecting, and does nothing afterwards': async ({ WebSocketStream }, url) => {
    const log = [];
    const controller = new AbortController();
    const stream = new WebSocketStream(`${url}/echo?wait=${nameOf()}`, { signal: controller.signal });
    log.push(await isPending(stream.opened));
    controller.abort();
    log.push(await settled(stream.opened), await settled(stream.closed));
    const later = new AbortController();
    const open = new WebSocketStream(`${url}/echo`, { signal: later.signal });
    const { readable, writable } = await open.opened;
    later.abort();
    const writer = writable.getWriter();
    const reader = readable.getReader();
    const read = reader.read();
    await writer.write('still open');
    log.push(await settled(read));
    open.close();
    log.push(await settled(open.closed));
    return log;
  },

  'a server that closes ends the readable after its messages and fails the writable': async ({ WebSocketStream }, url) => {
    const log = [];
    for (const query of ['close', 'close&code=1000&reason=done', 'close&code=4000']) {
      const stream = new WebSocketStream(`${url}/say?text=a&text=b&${query}`);
      const { readable, writable } = await stream.opened;
      const reader = readable.getReader();
      for (let index = 0; index < 3; index += 1) log.push(await settled(reader.read()));
      log.push(await settled(stream.closed), await settled(reader.closed));
      const writer = writable.getWriter();
      log.push(await settled(writer.closed), await settled(writer.write('x')));
    }
    return log;
  },

  'a connection that ends without a Close frame fails everything': async ({ WebSocketStream }, url) => {
    const stream = new WebSocketStream(`${url}/then?raw=`);
    const { readable, writable } = await stream.opened;
    const dropped = new WebSocketStream(`${url}/say?drop`);
    const info = await dropped.opened;
    const log = [await settled(dropped.closed), await settled(info.readable.getReader().read()), await settled(info.writable.getWriter().write('x'))];
    void readable;
    void writable;
    stream.close();
    return log;
  },

  'a frame that breaks the protocol fails everything': async ({ WebSocketStream }, url) => {
    const stream = new WebSocketStream(`${url}/then?raw=8300`);
    const { readable, writable } = await stream.opened;
    const reader = readable.getReader();
    const read = settled(reader.read());
    await writable.getWriter().write('go');
    return [await settled(stream.closed), await read];
  },

  'closing the writer closes the connection, and is done when that is': async ({ WebSocketStream }, url) => {
    const name = nameOf();
    const stream = new WebSocketStream(`${url}/echo?name=${name}`);
    const { writable, readable } = await stream.opened;
    const writer = writable.getWriter();
    void writer.write('first');
    const log = [await settled(writer.close()), await settled(stream.closed), await ask(url, `/told/${name}`), await settled(writer.closed)];
    void readable;
    return log;
  },

  'aborting the writable or cancelling the readable closes, with the code of a WebSocketError': async ({ WebSocketStream, WebSocketError }, url) => {
    const log = [];
    const reasons = [undefined, 'text', { closeCode: 3456, reason: 'ignored' }, new WebSocketError('m', { closeCode: 3333, reason: 'obsolete' }), new WebSocketError('m'), new WebSocketError('m', { reason: 'only' }), new DOMException('m')];
    for (const reason of reasons) {
      for (const [side, method] of [['writable', 'abort'], ['readable', 'cancel']]) {
        const name = nameOf();
        const stream = new WebSocketStream(`${url}/echo?name=${name}`);
        const info = await stream.opened;
        log.push([method, await settled(info[side][method](reason)), await settled(stream.closed), await ask(url, `/told/${name}`)]);
        const other = side === 'writable' ? info.readable.getReader() : info.writable.getWriter();
        log.push(await settled(other.closed));
      }
    }
    return log;
  },

  'a server is held back while nobody reads, and nothing is lost': async ({ WebSocketStream }, url) => {
    const name = nameOf();
    const size = 1 << 16;
    const stream = new WebSocketStream(`${url}/flood?size=${size}&name=${name}`);
    const { readable } = await stream.opened;
    let before = -1;
    let sent = 0;
    // Until the server can send no more.
    while (sent !== before) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 100));
      sent = Number(await ask(url, `/told/${name}`));
    }
    const log = [sent > 0, sent * size < 64 << 20];
    const reader = readable.getReader();
    let read = 0;
    for (; read < sent + 10; read += 1) {
      const { value, done } = await reader.read();
      if (done || value.byteLength !== size) log.push('lost');
    }
    log.push(read > sent);
    stream.close();
    for (let done = false; !done; ) ({ done } = await reader.read());
    log.push(await settled(stream.closed));
    return log;
  },

  'a server that reads nothing holds back whoever waits for his writes': async ({ WebSocketStream }, url) => {
    const name = nameOf();
    const stream = new WebSocketStream(`${url}/deaf?name=${name}`);
    const { writable, readable } = await stream.opened;
    const writer = writable.getWriter();
    const chunk = new Uint8Array(1 << 20);
    let written = 0;
    let write;
    for (;;) {
      write = writer.write(chunk);
      // A busy machine may need long for a write; one that is held back needs for ever.
      if (await isPending(write, 1000)) break;
      written += 1;
      if (written === 64) return 'never held back';
    }
    const log = [writer.desiredSize <= 0, await isPending(writer.ready)];
    const reader = readable.getReader();
    await ask(url, `/release/${name}`);
    for (let index = 0; index <= written; index += 1) await reader.read();
    log.push(await settled(write), await settled(writer.ready));
    stream.close();
    log.push(await settled(stream.closed));
    return log;
  },

  'a signal rejects with its reason': async ({ WebSocketStream }, url) => {
    const controller = new AbortController();
    const stream = new WebSocketStream(`${url}/echo?wait=${nameOf()}`, { signal: controller.signal });
    controller.abort('enough');
    const aborted = new WebSocketStream(`${url}/echo`, { signal: AbortSignal.abort(new RangeError('x')) });
    return [await settled(stream.opened), await settled(stream.closed), await settled(aborted.opened)];
  },

  'messages that come after close was called can still be read': async ({ WebSocketStream }, url) => {
    const stream = new WebSocketStream(`${url}/last`);
    const { readable } = await stream.opened;
    const reader = readable.getReader();
    const reads = [reader.read(), reader.read(), reader.read(), reader.read()].map(settled);
    stream.close({ closeCode: 3000, reason: 'enough' });
    const log = [];
    for (const read of reads) {
      const { fulfilled, ...failed } = await read;
      log.push(fulfilled ? [typeof fulfilled.value === 'object' ? [...new Uint8Array(fulfilled.value)] : fulfilled.value, fulfilled.done] : failed);
    }
    return [log, await settled(stream.closed)];
  },

  'messages that were not read before the writer was closed can still be read': async ({ WebSocketStream }, url) => {
    const stream = new WebSocketStream(`${url}/echo`);
    const { writable, readable } = await stream.opened;
    const writer = writable.getWriter();
    void writer.write('first');
    void writer.write('second');
    await writer.close();
    const reader = readable.getReader();
    return [await settled(reader.read()), await settled(reader.read()), await settled(reader.read())];
  },
};

/** Where this package does otherwise than Chromium, and why. */
export const deviations = {
  'a signal rejects with its reason': {
    standard: 'the DOM standard, "reject promise with signal\'s abort reason"; Chromium rejects with an AbortError whatever the reason',
    expected: [{ rejected: 'enough' }, { rejected: 'enough' }, { rejected: { kind: 'RangeError', name: 'RangeError' } }],
  },
  'messages that come after close was called can still be read': async ({ WebSocketStream }, url) => {
    const stream = new WebSocketStream(`${url}/last`);
    const { readable } = await stream.opened;
    const reader = readable.getReader();
    const reads = [reader.read(), reader.read(), reader.read(), reader.read()].map(settled);
    stream.close({ closeCode: 3000, reason: 'enough' });
    const log = [];
    for (const read of reads) {
      const { fulfilled, ...failed } = await read;
      log.push(fulfilled ? [typeof fulfilled.value === 'object' ? [...new Uint8Array(fulfilled.value)] : fulfilled.value, fulfilled.done] : failed);
    }
    return [log, await settled(stream.closed)];
  },

  'messages that come after close was called can still be read': {
    standard: 'nothing says that they are lost; Chromium ends the readable when close is called',
    expected: [[['a', false], [[1, 2], false], ['b', false], [null, true]], { fulfilled: { closeCode: 3000, reason: 'enough' } }],
  },
  'messages that were not read before the writer was closed can still be read': {
    standard: 'nothing says that they are lost, as they are in Chromium',
    expected: [{ fulfilled: { value: 'first', done: false } }, { fulfilled: { value: 'second', done: false } }, { fulfilled: { done: true } }],
  },
};
