// The opening handshake, and how many there are at a time: functions `(api, url) => log` that run in a page and in Node alike. `api` has the classes, `url` is that of
// the scenario server. A log is JSON. The names are sentences about what the log shows.

import { http, next, opened, record, task, TYPES } from './tools.mjs';

export const scenarios = {
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

  // One at a time.

  'connections to one host and port are made one after the other': async ({ WebSocket }, url) => {
    const name = `most-${Math.random()}`;
    const all = Array.from({ length: 5 }, () => new WebSocket(`${url}/echo?wait=a-moment&name=${name}`));
    // In which order, depends in Chromium on whose socket was connected first.
    await Promise.all(all.map(opened));
    const most = await (await fetch(`${http(url)}/most/${name}`)).text();
    for (const ws of all) ws.close();
    return { most };
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
