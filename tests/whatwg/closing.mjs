// How connections end: functions `(api, url) => log` that run in a page and in Node alike. `api` has the classes, `url` is that of
// the scenario server. A log is JSON. The names are sentences about what the log shows.

import { http, next, opened, outcome, record } from './tools.mjs';

export const scenarios = {
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
};

/** Where Chromium does otherwise: what the standard says, and what the log has to be. */
export const deviations = {
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
