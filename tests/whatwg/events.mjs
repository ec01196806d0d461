// Messages, and the events that tell of them: functions `(api, url) => log` that run in a page and in Node alike. `api` has the classes, `url` is that of
// the scenario server. A log is JSON. The names are sentences about what the log shows.

import { dataOf, next, opened, outcome, record, task, TYPES, until } from './tools.mjs';

export const scenarios = {
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
};
