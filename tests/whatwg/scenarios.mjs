// What a WebSocket does, as functions `(api, url) => log` that run in a page and in Node alike: `api` has the classes, `url`
// is that of the scenario server. A log is JSON. The names are sentences about what the log shows.

/** What a function throws, or what it gives. */
function outcome(run) {
  try {
    return show(run());
  } catch (error) {
    return thrown(error);
  }
}

function thrown(error) {
  const kind = error instanceof DOMException ? 'DOMException' : error?.constructor?.name;
  return `throws ${kind} ${error?.name}`;
}

function show(value) {
  if (value === null || value === undefined) return String(value);
  return typeof value === 'function' ? 'function' : typeof value === 'object' ? Object.prototype.toString.call(value) : value;
}

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');

async function dataOf(data) {
  if (typeof data === 'string') return Array.from(data, (unit) => (unit < ' ' || unit > '~' ? `U+${unit.codePointAt(0).toString(16)}` : unit)).join('');
  if (data instanceof Blob) return `Blob ${hex(await data.arrayBuffer())}`;
  return `${data.constructor.name} ${hex(data)}`;
}

const TYPES = ['open', 'message', 'error', 'close'];

/** Writes all events to the log; fulfilled after `close`. `on` says what is done in an event, after it is written. */
function record(ws, log, on = {}) {
  return new Promise((resolve) => {
    for (const type of TYPES) {
      ws.addEventListener(type, (event) => {
        const entry = { type, state: ws.readyState, is: event.constructor.name };
        if (type === 'close') Object.assign(entry, { code: event.code, reason: event.reason, clean: event.wasClean });
        if (type === 'message') entry.data = typeof event.data === 'string' ? event.data.slice(0, 40) : show(event.data);
        log.push(entry);
        on[type]?.(event);
        if (type === 'close') resolve();
      });
    }
  });
}

const opened = (ws) => new Promise((resolve, reject) => {
  ws.addEventListener('open', resolve, { once: true });
  ws.addEventListener('error', () => reject(new Error(`${ws.url} did not open`)), { once: true });
});

const next = (ws, type) => new Promise((resolve) => ws.addEventListener(type, resolve, { once: true }));

/** Another task. */
const task = () => new Promise((resolve) => setTimeout(resolve));

/** Waits for a condition. */
async function until(condition) {
  while (!condition()) await task();
}

const http = (url) => url.replace('ws:', 'http:');

const MEMBERS = ['url', 'readyState', 'bufferedAmount', 'onopen', 'onerror', 'onclose', 'extensions', 'protocol', 'close', 'onmessage', 'binaryType', 'send'];

/** How a property is defined. */
function property(object, name) {
  const found = Object.getOwnPropertyDescriptor(object, name);
  if (!found) return 'missing';
  const flags = ['enumerable', 'configurable', 'writable'].filter((flag) => found[flag]).join(' ');
  const parts = ['get', 'set', 'value'].filter((part) => typeof found[part] === 'function');
  return [flags, ...parts.map((part) => `${part} ${found[part].name}/${found[part].length}`)].join(', ');
}

function shape(constructor) {
  const prototype = constructor.prototype;
  const own = Object.getOwnPropertyNames(prototype).toSorted();
  return {
    constructor: [constructor.name, constructor.length, Object.getPrototypeOf(constructor).name, property(constructor, 'prototype')],
    statics: Object.keys(constructor).map((name) => `${name} ${property(constructor, name)} ${constructor[name]}`),
    members: own.map((name) => `${name}: ${property(prototype, name)}`),
    enumerated: Object.keys(prototype).toSorted(),
    tag: [prototype[Symbol.toStringTag], property(prototype, Symbol.toStringTag)],
    parent: Object.getPrototypeOf(prototype).constructor.name,
  };
}

const listen = 'ws://127.0.0.1:9/';

export const scenarios = {
  // Interfaces.

  'the interface has the members, constants and lengths of the standard': ({ WebSocket }) => shape(WebSocket),

  'members can only be reached through a WebSocket': ({ WebSocket }) => {
    const log = {};
    for (const object of [WebSocket.prototype, {}, new EventTarget(), Object.create(WebSocket.prototype)]) {
      for (const name of MEMBERS) {
        const { get, set, value } = Object.getOwnPropertyDescriptor(WebSocket.prototype, name);
        for (const [kind, run] of Object.entries({ get, set, value })) {
          if (run) (log[`${kind} ${name}`] ??= []).push(outcome(() => run.call(object, 'x')));
        }
      }
    }
    return log;
  },

  'it is made by new only, and with a URL': ({ WebSocket }) => [
    outcome(() => WebSocket(listen)), outcome(() => new WebSocket()), outcome(() => WebSocket.call({}, listen)),
    outcome(() => Reflect.construct(WebSocket, [], Object)),
  ], // prettier-ignore

  'a class can extend it': ({ WebSocket }, url) => {
    class Mine extends WebSocket {
      own = 1;
    }
    const ws = new Mine(`${url}/echo`);
    const log = [ws instanceof WebSocket, ws instanceof Mine, ws.own, ws.readyState, Object.prototype.toString.call(ws)];
    ws.close();
    return log;
  },

  'a new one is CONNECTING and empty': ({ WebSocket }, url) => {
    const ws = new WebSocket(`${url}/echo`);
    const log = MEMBERS.filter((name) => !['send', 'close', 'url'].includes(name)).map((name) => [name, ws[name]]);
    log.push(Object.keys(ws), Object.getOwnPropertyNames(ws), `${ws}`, ws.CONNECTING, ws.OPEN, ws.CLOSING, ws.CLOSED);
    ws.close();
    return log;
  },

  'attributes that are read-only ignore what is assigned, and throw in strict mode': ({ WebSocket }, url) => {
    const ws = new WebSocket(`${url}/echo`);
    const names = ['url', 'readyState', 'bufferedAmount', 'extensions', 'protocol', 'OPEN'];
    const log = names.map((name) => [name, outcome(() => (ws[name] = 'x')), Reflect.set(ws, name, 'x')]);
    ws.close();
    return log;
  },

  // The constructor: URLs.

  'URLs are parsed, http becomes ws, and other schemes and fragments are refused': ({ WebSocket }) => {
    const urls = [
      'ws://127.0.0.1:9', 'wss://127.0.0.1:9/a?b', 'http://127.0.0.1:9/x', 'https://127.0.0.1:9/', 'HTTP://127.0.0.1:9', 'WS://LOCALHOST:9/A',
      'ws://127.0.0.1:80/', 'wss://127.0.0.1:443/', 'http://127.0.0.1:80/', 'https://127.0.0.1:443/', 'http://127.0.0.1:443', 'wss://127.0.0.1:80',
      'ws://127.0.0.1:9/#', 'ws://127.0.0.1:9/#x', 'http://127.0.0.1:9#', 'ws://127.0.0.1:9/%23', 'ws://127.0.0.1:9/?%23',
      'ftp://127.0.0.1/', 'mailto:a@b.c', 'about:blank', 'data:,x', 'file:///x', 'javascript:1', 'wsx://127.0.0.1/', 'blob:http://127.0.0.1/x',
      'ws://', 'ws:', 'ws:///', 'ws://127.0.0.1:99999/', 'ws://127.0.0.1:x/', 'ws://[::1', 'ws://[::1]:9/', 'ws://%/', 'ws://a<b/',
      'ws://127.1:9', 'ws://0x7f.1:9', 'ws://256.256.256.256/', 'ws://ex\u00e4mple.test:9/\u00e4?\u00e4', 'ws://user:pass@127.0.0.1:9/',
      'ws:127.0.0.1:9/p', 'ws:\\\\127.0.0.1:9\\p', ' ws://127.0.0.1:9/ ', 'ws://127.0.0.1:9/a\tb\nc', 'ws://127.0.0.1:9/a b', 'ws://127.0.0.1:9/../x/./y',
      'ws://127.0.0.1:9/\ud800', 'ws://127.0.0.1:9/?\udfff\ud800', 'ws://127.0.0.1:9/?a=\'"<>`',
    ]; // prettier-ignore
    return urls.map((text) => [
      JSON.stringify(text),
      outcome(() => {
        const ws = new WebSocket(text);
        ws.close();
        return ws.url;
      }),
    ]);
  },

  'the URL is converted to a string first': ({ WebSocket }) => {
    const values = [new URL(listen), { toString: () => listen }, [listen], new String(listen), Symbol('x'), { toString() { throw new RangeError(); } }];
    return values.map((value) => outcome(() => {
      const ws = new WebSocket(value);
      ws.close();
      return ws.url;
    })); // prettier-ignore
  },

  'both arguments are converted before anything is checked': ({ WebSocket }) => {
    const order = [];
    const named = (name, value) => ({ toString: () => (order.push(name), value) });
    const log = [
      outcome(() => new WebSocket(named('url', 'bad scheme'), [named('protocol', 'a b')])),
      outcome(() => new WebSocket('bad://x', ['a', { toString: () => { throw new RangeError(); } }])),
      outcome(() => new WebSocket('ftp://x', [Symbol('x')])),
      outcome(() => new WebSocket('ftp://x', ['a', 'a'])),
    ]; // prettier-ignore
    return [log, order];
  },

  // The constructor: subprotocols.

  'subprotocols are tokens, each once': ({ WebSocket }) => {
    const lists = [
      [], '', 'a', ['a'], ['a', 'b'], ['a', 'a'], ['a', ''], [''], 'a b', 'a,b', ['a', 'b,c'], 'a\tb', 'a\n', '\u007f', '\u0080', 'ä', '\u0000',
      '(', ')', '<', '>', '@', ',', ';', ':', '\\', '"', '/', '[', ']', '?', '=', '{', '}', ' ', "!#$%&'*+-.^_`|~", '\u20ac', ' a', 'a ',
    ]; // prettier-ignore
    return lists.map((list) => [JSON.stringify(list), outcome(() => new WebSocket(listen, list).close())]);
  },

  'subprotocols are the same whatever their case': ({ WebSocket }) => outcome(() => new WebSocket(listen, ['chat', 'Chat']).close()),

  'the second argument is a string or a list': ({ WebSocket }) => {
    const values = [
      undefined, 1, true, 1n, 'null', [], ['a', 'b'], new Set(['a']), new Set(), new Map(), new String('ab'), Symbol('x'), { [Symbol.iterator]: 1 },
      [1, 2], [null], [[]], [undefined, 'undefined'], [Symbol('x')], (function* () { yield 'x'; })(), (function* () { yield 'x'; yield 'x'; })(),
      (function* () { throw new RangeError(); })(),
    ]; // prettier-ignore
    return values.map((value, index) => [index, outcome(() => new WebSocket(listen, value).close())]);
  },

  'the second argument can be an option bag': ({ WebSocket }) => {
    const values = [
      null, {}, () => {}, { protocols: 'a' }, { protocols: ['a', 'b'] }, { protocols: 'a b' }, { protocols: ['a', 'a'] }, { protocols: undefined }, { protocols: 1 },
      { protocols: [Symbol('x')] }, { protocols: {} }, { other: 1 }, { [Symbol.iterator]: null }, new Date(0), { length: 1, 0: 'a' },
    ]; // prettier-ignore
    return values.map((value, index) => [index, outcome(() => new WebSocket(listen, value).close())]);
  },

  'an option bag names the subprotocols': async ({ WebSocket }, url) => {
    const ws = new WebSocket(`${url}/echo?pick=y`, { protocols: ['x', 'y'] });
    await opened(ws);
    ws.close();
    return ws.protocol;
  },

  'the subprotocol that the server chose is shown from open on': async ({ WebSocket }, url) => {
    const log = [];
    for (const [wanted, path] of [['a', '?pick=a'], [['a', 'b'], '?pick=b'], [['A'], '?pick=A'], [[], ''], [undefined, '']]) {
      const ws = new WebSocket(`${url}/echo${path}`, wanted);
      const before = ws.protocol;
      await opened(ws);
      log.push([before, ws.protocol, typeof ws.extensions]);
      ws.close();
      await next(ws, 'close');
      log.push(ws.protocol);
    }
    return log;
  },

  'a subprotocol that was not asked for, or none where one was, fails the connection': async ({ WebSocket }, url) => {
    const log = [];
    for (const [wanted, path] of [['a', ''], ['a', '?pick='], ['a', '?pick=b'], [[], '?pick=a'], ['a', '?pick=A'], [['a', 'b'], '?pick=a,b'], [['a', 'b'], '?pick=a, b']]) {
      const events = [];
      await record(new WebSocket(`${url}/echo${path}`, wanted), events);
      log.push([wanted, path, events]);
    }
    return log;
  },

  // The opening handshake.

  'whatever goes wrong in the handshake is an error event and then close with 1006': async ({ WebSocket }, url) => {
    const log = [];
    const queries = ['status=200', 'status=404', 'status=500', 'status=301&location', 'status=302&location', 'status=307&location', 'status=401',
      'wrong=accept', 'wrong=no-accept', 'wrong=no-upgrade', 'wrong=upgrade', 'wrong=no-connection', 'wrong=extension']; // prettier-ignore
    for (const query of queries) {
      const events = [];
      const ws = new WebSocket(`${url}/echo?${query}`);
      await record(ws, events);
      log.push([query, events, ws.readyState, ws.protocol, ws.extensions]);
    }
    return log;
  },

  'a connection that is refused is an error event and then close with 1006': async ({ WebSocket }) => {
    const log = [];
    await record(new WebSocket('ws://127.0.0.1:2/'), log);
    return log;
  },

  'ports that the Fetch standard blocks fail later, not in the constructor': async ({ WebSocket }) => {
    const log = [];
    for (const port of [1, 22, 25, 79, 137, 6000, 6667, 10080]) {
      const ws = new WebSocket(`ws://127.0.0.1:${port}/`);
      log.push(ws.readyState);
      await record(ws, log);
    }
    return log;
  },

  'an open event comes in a task of its own, so that listeners can be set after a turn': async ({ WebSocket }, url) => {
    const log = [];
    const ws = new WebSocket(`${url}/echo`);
    await Promise.resolve();
    log.push(ws.readyState);
    const done = record(ws, log, { open: () => ws.close() });
    log.push('listening');
    await done;
    return log;
  },

  // close.

  'the arguments of close are clamped and checked in every state': async ({ WebSocket }, url) => {
    const calls = [
      [], [1000], [undefined], [1000, undefined], [3000], [4999], [1000, 'x'.repeat(123)], [1000, 'ä'.repeat(61)],
      [0], [999], [1001], [1005], [1006], [1015], [2999], [5000], [65536 + 1000], [-1], [NaN], [null], ['1000'], ['x'], [{}], [[]], [[1000]], [true], [Infinity], [1000.4], [2999.4], [5000.4],
      [1n], [Symbol('x')], [{ valueOf: () => 3001 }], [1000, 'x'.repeat(124)], [1000, 'ä'.repeat(62)],
      [1000, null], [1000, 1], [1000, {}], [1000, Symbol('x')], [999, 'x'.repeat(124)], [1000, '\ud800'.repeat(41)], [1000, '\ud800'.repeat(42)],
    ]; // prettier-ignore
    const log = { CONNECTING: [], OPEN: [], CLOSING: [], CLOSED: [] };
    const states = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'];
    const last = new WebSocket(`${url}/echo`);
    await opened(last);
    last.close();
    for (const call of calls) log.CLOSING.push(outcome(() => last.close(...call)));
    log.CLOSING.push(states[last.readyState]);
    await next(last, 'close');
    for (const call of calls) log.CLOSED.push(outcome(() => last.close(...call)));
    log.CLOSED.push(states[last.readyState]);
    for (const call of calls) {
      const connecting = new WebSocket(`${url}/echo`);
      log.CONNECTING.push([outcome(() => connecting.close(...call)), states[connecting.readyState]]);
      connecting.close();
    }
    for (const call of calls) {
      const open = new WebSocket(`${url}/echo`);
      await opened(open);
      const result = outcome(() => open.close(...call));
      const state = states[open.readyState];
      open.close();
      const { code, reason, wasClean } = await next(open, 'close');
      log.OPEN.push([result, state, code, reason, wasClean]);
    }
    return log;
  },

  'fractions of a close code are rounded, to an even one where two are equally near': ({ WebSocket }, url) => {
    const ws = new WebSocket(`${url}/echo`);
    const codes = [999.4, 999.5, 999.6, 1000.5, 1000.6, 2999.5, 4999.5, 4999.4];
    const log = [];
    for (const code of codes) {
      const one = new WebSocket(`${url}/echo`);
      log.push([code, outcome(() => one.close(code))]);
      one.close();
    }
    ws.close();
    return log;
  },

  'the Close frame has the code and the reason of close, or no body': async ({ WebSocket }, url) => {
    const log = [];
    for (const call of [[], [1000], [3333, 'bye'], [1000, ''], [4000, 'ä\ud800!'], [undefined]]) {
      const name = `close-${Math.random()}`;
      const ws = new WebSocket(`${url}/echo?name=${name}`);
      await opened(ws);
      ws.close(...call);
      const { code, reason, wasClean } = await next(ws, 'close');
      log.push([await (await fetch(`${http(url)}/told/${name}`)).text(), code, reason, wasClean]);
    }
    return log;
  },

  'a reason without a code is sent with 1000': async ({ WebSocket }, url) => {
    const name = `close-${Math.random()}`;
    const ws = new WebSocket(`${url}/echo?name=${name}`);
    await opened(ws);
    ws.close(undefined, 'why');
    const { code, reason, wasClean } = await next(ws, 'close');
    return [await (await fetch(`${http(url)}/told/${name}`)).text(), code, reason, wasClean];
  },

  'closing while CONNECTING is an error and a close event, later': async ({ WebSocket }, url) => {
    const log = [];
    for (const call of [[], [1000, 'x'], [4000]]) {
      const ws = new WebSocket(`${url}/echo`);
      const done = record(ws, log);
      ws.close(...call);
      log.push(['closed', ws.readyState]);
      Promise.resolve().then(() => log.push(['microtask', ws.readyState]));
      await done;
      log.push(ws.readyState, ws.bufferedAmount);
    }
    return log;
  },

  'closing in the open event is clean': async ({ WebSocket }, url) => {
    const log = [];
    const ws = new WebSocket(`${url}/echo`);
    await record(ws, log, { open: () => { ws.close(1000, 'at once'); log.push(ws.readyState); } }); // prettier-ignore
    return log;
  },

  'closing twice is closing once': async ({ WebSocket }, url) => {
    const log = [];
    const ws = new WebSocket(`${url}/echo`);
    await record(ws, log, {
      open: () => { ws.close(3001, 'first'); ws.close(3002, 'second'); },
      close: () => ws.close(3003),
    }); // prettier-ignore
    return log;
  },

  'close does not throw away what was sent before': async ({ WebSocket }, url) => {
    const log = [];
    const ws = new WebSocket(`${url}/echo`);
    await opened(ws);
    const done = record(ws, log);
    for (let index = 0; index < 3; index += 1) ws.send(`${index}`);
    ws.send(new Blob(['blob']));
    ws.close(3000, 'after all');
    log.push([ws.readyState, ws.bufferedAmount]);
    await done;
    return log;
  },

  'what comes after close was called is not told': async ({ WebSocket }, url) => {
    const log = [];
    const ws = new WebSocket(`${url}/say?text=1&text=2&text=3`);
    await record(ws, log, { message: () => ws.close() });
    return log;
  },

  'the close event has the code that the server sent': async ({ WebSocket }, url) => {
    const log = [];
    const queries = ['close', 'close&code=1000', 'close&code=1000&reason=done', 'close&code=1001', 'close&code=1011&reason=x', 'close&code=3000', 'close&code=4999&reason=%C3%A4',
      'close&code=1012', 'close&code=1014', `close&code=1000&reason=${'x'.repeat(123)}`, 'close&code=1000&reason=%EF%BB%BFbom']; // prettier-ignore
    for (const query of queries) {
      const events = [];
      await record(new WebSocket(`${url}/say?${query}`), events);
      log.push([query, events]);
    }
    return log;
  },

  'codes that must not be sent, and broken Close frames, fail the connection': async ({ WebSocket }, url) => {
    const log = [];
    const frames = ['880103', '880203ed', '880203ee', '880203f7', '880203e7', '88020000', '880203ec', '88021388', '880403e8c328'];
    for (const raw of frames) {
      const events = [];
      await record(new WebSocket(`${url}/say?raw=${raw}`), events);
      log.push([raw, events]);
    }
    return log;
  },

  'the code of the close event is the one that the server answered': async ({ WebSocket }, url) => {
    const log = [];
    const ws = new WebSocket(`${url}/contradict?code=3456&reason=no`);
    await record(ws, log, { open: () => ws.close(3000, 'mine') });
    return log;
  },

  'a server that drops the connection after a Close frame makes it unclean, without an error': async ({ WebSocket }, url) => {
    const log = [];
    const ws = new WebSocket(`${url}/rude`);
    await record(ws, log, { open: () => ws.close(3000, 'mine') });
    return log;
  },

  'a connection that ends without a Close frame is unclean': async ({ WebSocket }, url) => {
    const log = [];
    for (const query of ['drop', 'end', 'text=last&end']) await record(new WebSocket(`${url}/say?${query}`), log);
    return log;
  },

  'messages that came before a Close frame are told before it': async ({ WebSocket }, url) => {
    const log = [];
    await record(new WebSocket(`${url}/say?text=a&text=b&binary=0102&close&code=1000`), log);
    return log;
  },

  'whatever breaks the protocol is an error event and then close with 1006': async ({ WebSocket }, url) => {
    const log = [];
    const frames = { 'reserved bit': 'c10161', 'reserved opcode': '830161', 'reserved control opcode': '8b00', 'masked': '81810000000061', 'not UTF-8': '8101ff',
      'fragmented ping': '0900', 'long ping': `897e0080${'00'.repeat(128)}`, 'continuation of nothing': '800161', 'message within a message': '01016181'+'0162',
      'length not minimal': '817e000161', 'length beyond 2^63': '827fffffffffffffffff' }; // prettier-ignore
    for (const [name, raw] of Object.entries(frames)) {
      const events = [];
      const ws = new WebSocket(`${url}/then?raw=810162${raw}`);
      await record(ws, events, { open: () => ws.send('go') });
      log.push([name, events.filter(({ type }) => type !== 'message')]);
    }
    return log;
  },

  'pings are answered and not told, and fragments come as one message': async ({ WebSocket }, url) => {
    const log = [];
    const ws = new WebSocket(`${url}/say?raw=890161&raw=010161&raw=890162&raw=000163&raw=800164&raw=8a00`);
    await record(ws, log, { message: () => ws.close() });
    return log;
  },

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

  // Messages.

  'messages are MessageEvents with the origin of the URL': async ({ WebSocket }, url) => {
    const ws = new WebSocket(`${url}/say?text=hello&binary=0a0b`);
    const log = [];
    for (let index = 0; index < 2; index += 1) {
      const event = await next(ws, 'message');
      log.push([event.constructor.name, event.origin === url, event.lastEventId, event.source, event.ports.length, event.bubbles, event.cancelable, event.composed, event.isTrusted,
        event.target === ws, await dataOf(event.data)]); // prettier-ignore
    }
    ws.close();
    const close = await next(ws, 'close');
    log.push([close.constructor.name, close.bubbles, close.cancelable, close.isTrusted, close.target === ws]);
    return log;
  },

  'open and error are plain Events': async ({ WebSocket }, url) => {
    const log = [];
    const ws = new WebSocket(`${url}/echo`);
    const refused = new WebSocket('ws://127.0.0.1:2/');
    for (const event of await Promise.all([next(ws, 'open'), next(refused, 'error')])) {
      log.push([event.type, event.constructor.name, Object.prototype.toString.call(event), event.bubbles, event.cancelable, event.isTrusted, 'message' in event, 'error' in event]);
    }
    ws.close();
    return log;
  },

  'binaryType is blob at first, is read when a message is told, and ignores other values': async ({ WebSocket }, url) => {
    const ws = new WebSocket(`${url}/say?binary=01&binary=02&binary=03&binary=04`);
    const log = [ws.binaryType];
    for (const value of ['nodebuffer', '', 'Blob', 'ARRAYBUFFER', null, undefined, 1, {}]) {
      log.push([outcome(() => (ws.binaryType = value) && null), ws.binaryType]);
    }
    log.push(outcome(() => (ws.binaryType = Symbol('x'))));
    ws.binaryType = 'arraybuffer';
    log.push(ws.binaryType);
    ws.binaryType = { toString: () => 'blob' };
    const types = ['arraybuffer', 'blob', 'arraybuffer'];
    const messages = [];
    const four = new Promise((resolve) => {
      ws.onmessage = ({ data }) => {
        messages.push(data);
        ws.binaryType = types[messages.length - 1] ?? 'blob';
        if (messages.length === 4) resolve();
      };
    });
    await four;
    for (const data of messages) log.push(await dataOf(data));
    const blob = messages[0];
    log.push([blob.type, blob.size]);
    ws.close();
    await next(ws, 'close');
    ws.binaryType = 'arraybuffer';
    log.push(ws.binaryType);
    return log;
  },

  'each message is a task: promises are settled between two of them': async ({ WebSocket }, url) => {
    const log = [];
    const ws = new WebSocket(`${url}/say?text=1&text=2&text=3&close&code=1000`);
    ws.onopen = () => {
      log.push('open');
      Promise.resolve().then(() => log.push('after open'));
    };
    ws.onmessage = ({ data }) => {
      log.push(data);
      Promise.resolve().then(() => Promise.resolve()).then(() => log.push(`after ${data}`));
    };
    const closed = next(ws, 'close');
    await closed;
    return log;
  },

  'promises are settled between error and close': async ({ WebSocket }) => {
    const log = [];
    const ws = new WebSocket('ws://127.0.0.1:2/');
    ws.onerror = () => {
      log.push(['error', ws.readyState]);
      Promise.resolve().then(() => log.push('after error'));
    };
    ws.onclose = () => log.push(['close', ws.readyState]);
    await next(ws, 'close');
    return log;
  },

  'large messages arrive whole': async ({ WebSocket }, url) => {
    const ws = new WebSocket(`${url}/echo`);
    ws.binaryType = 'arraybuffer';
    await opened(ws);
    const log = [];
    for (const size of [125, 126, 65_535, 65_536, 1_000_000]) {
      ws.send('x'.repeat(size));
      log.push((await next(ws, 'message')).data.length);
      ws.send(new Uint8Array(size).fill(7));
      const { data } = await next(ws, 'message');
      log.push([data.byteLength, new Uint8Array(data).every((byte) => byte === 7)]);
    }
    ws.close();
    return log;
  },

  // Event handlers.

  'event handlers are functions, objects, or null': ({ WebSocket }, url) => {
    const ws = new WebSocket(`${url}/echo`);
    const log = [];
    for (const type of TYPES) {
      const values = [() => {}, {}, { handleEvent() {} }, null, undefined, 1, 'x', true, Symbol('x'), class {}];
      log.push(values.map((value) => {
        ws[`on${type}`] = value;
        return ws[`on${type}`] === value ? 'kept' : String(ws[`on${type}`]);
      })); // prettier-ignore
      ws[`on${type}`] = null;
    }
    ws.close();
    return log;
  },

  'an event handler keeps its place when it is changed, and loses it when it is removed': async ({ WebSocket }, url) => {
    const log = [];
    const ws = new WebSocket(`${url}/say?text=1&text=2&text=3`);
    let count = 0;
    const again = () => log.push('handler');
    ws.addEventListener('message', () => log.push('first'));
    ws.onmessage = () => log.push('never');
    ws.addEventListener('message', () => log.push('second'));
    ws.onmessage = again;
    await new Promise((resolve) => {
      ws.addEventListener('message', () => {
        count += 1;
        if (count === 1) ws.onmessage = null;
        if (count === 2) ws.onmessage = again;
        if (count === 3) setTimeout(resolve);
      });
    });
    ws.close();
    return log;
  },

  'an event handler is called with the WebSocket as this, an object is not called': async ({ WebSocket }, url) => {
    const log = [];
    const ws = new WebSocket(`${url}/say?text=1`);
    ws.onopen = { handleEvent: () => log.push('wrong') };
    ws.onmessage = function (event) {
      log.push([this === ws, event.currentTarget === ws, arguments.length]);
      return false;
    };
    await next(ws, 'message');
    ws.addEventListener('close', { handleEvent(event) { log.push(['listener', event.type]); } }); // prettier-ignore
    ws.close();
    await next(ws, 'close');
    return log;
  },

  'events that scripts dispatch reach listeners and change nothing': ({ WebSocket }, url) => {
    const log = [];
    const ws = new WebSocket(`${url}/echo`);
    for (const type of TYPES) ws[`on${type}`] = (event) => log.push([type, event.isTrusted, ws.readyState]);
    for (const type of TYPES) log.push(ws.dispatchEvent(new Event(type)));
    ws.close();
    return log;
  },

  'nothing comes after close': async ({ WebSocket }, url) => {
    const log = [];
    const ws = new WebSocket(`${url}/say?text=1&close&code=1000&text=2`);
    await record(ws, log);
    await task();
    await task();
    log.push(ws.readyState);
    return log;
  },

  'a closing handshake that the server began is CLOSING before it is CLOSED': async ({ WebSocket }, url) => {
    const log = [];
    const ws = new WebSocket(`${url}/say?close&code=1000`);
    await opened(ws);
    await until(() => ws.readyState !== ws.OPEN);
    log.push(ws.readyState >= ws.CLOSING);
    ws.send('too late');
    log.push(ws.bufferedAmount);
    await until(() => ws.readyState === ws.CLOSED);
    log.push(ws.bufferedAmount);
    return log;
  },

  // One at a time.

  'connections to one host and port are made one after the other': async ({ WebSocket }, url) => {
    const name = `most-${Math.random()}`;
    const all = Array.from({ length: 5 }, () => new WebSocket(`${url}/echo?wait=a-moment&name=${name}`));
    const order = [];
    await Promise.all(all.map((ws, index) => opened(ws).then(() => order.push(index))));
    const most = await (await fetch(`${http(url)}/most/${name}`)).text();
    for (const ws of all) ws.close();
    return { order, most };
  },

  'a connection that fails or is closed lets the next one begin': async ({ WebSocket }, url) => {
    const log = [];
    const name = `held-${Math.random()}`;
    const held = new WebSocket(`${url}/echo?wait=${name}`);
    const second = new WebSocket(`${url}/echo?status=500`);
    const third = new WebSocket(`${url}/echo`);
    for (const [index, ws] of [held, second, third].entries()) {
      for (const type of TYPES) ws.addEventListener(type, () => log.push(`${index} ${type}`));
    }
    held.close();
    await opened(third);
    third.close();
    await next(third, 'close');
    return log;
  },
};

/** Where Chromium does otherwise: what the standard says, and what the log has to be. */
export const deviations = {
  'subprotocols are the same whatever their case': {
    standard: 'RFC 6455 §4.1, item 10, "unique strings", as the web platform tests read it; Chromium compares case-sensitively',
    expected: 'throws DOMException SyntaxError',
  },
  'the second argument can be an option bag': {
    standard: 'whatwg/websockets#76: (DOMString or sequence<DOMString> or WebSocketInit); Chromium has no option bag in all versions',
    expected: [
      'undefined', 'undefined', 'undefined', 'undefined', 'undefined', 'throws DOMException SyntaxError', 'throws DOMException SyntaxError', 'undefined', 'undefined',
      'throws TypeError TypeError', 'throws DOMException SyntaxError', 'undefined', 'undefined', 'undefined', 'undefined',
    ].map((result, index) => [index, result]), // prettier-ignore
  },
  'an option bag names the subprotocols': { standard: 'whatwg/websockets#76', expected: 'y' },
  'fractions of a close code are rounded, to an even one where two are equally near': {
    standard: 'Web IDL, ConvertToInt, step 7: [Clamp] rounds to the nearest integer, to an even one of two; Chromium cuts off',
    expected: [
      [999.4, 'throws DOMException InvalidAccessError'], [999.5, 'undefined'], [999.6, 'undefined'], [1000.5, 'undefined'], [1000.6, 'throws DOMException InvalidAccessError'],
      [2999.5, 'undefined'], [4999.5, 'throws DOMException InvalidAccessError'], [4999.4, 'undefined'],
    ], // prettier-ignore
  },
  'a reason without a code is sent with 1000': {
    standard: 'Web IDL: an optional argument that is undefined is missing, and a reason needs a code (RFC 6455 §5.5.1); Chromium takes 0 for it and throws',
    expected: ['03e8776879', 1000, 'why', true],
  },
};
