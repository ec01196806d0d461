// The interface WebSocket, and what its constructor takes: functions `(api, url) => log` that run in a page and in Node alike. `api` has the classes, `url` is that of
// the scenario server. A log is JSON. The names are sentences about what the log shows.

import { listen, MEMBERS, next, opened, outcome, record, shape } from './tools.mjs';

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
};
