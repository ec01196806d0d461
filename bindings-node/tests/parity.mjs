// The same scenario with ws and with this package: what is seen must be the same.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import * as itoden from 'itoden';
import * as ws from 'ws';
import { frame, raw, REQUEST } from './helpers.mjs';

const require = createRequire(import.meta.url);

/** `options`: what a client of it is given besides. */
const REFERENCE = { name: 'ws', ...ws, CommonJs: require('ws'), options: {}, port: false };
const CANDIDATES = [
  { name: 'native', ...itoden, CommonJs: require('itoden'), options: { transport: 'auto' }, port: true },
  { name: 'stream', ...itoden, CommonJs: require('itoden'), options: { transport: 'stream' }, port: false },
];

/** What a scenario works with: a package, what it saw, and what ends with the test. */
class Stage {
  trace = [];

  constructor(t, lib) {
    this.t = t;
    this.lib = lib;
  }

  /** Notes something; the traces of two stages are compared. */
  note(...what) {
    this.trace.push(what.map(plain));
  }

  /** Notes events of an emitter, by a name of its own. */
  watch(who, emitter, events) {
    for (const event of events) emitter.on(event, (...args) => this.note(who, event, ...args));
  }

  /** A server of the package: at a port of its own, or on an `http.Server`. */
  async serve(options = {}) {
    const { WebSocketServer } = this.lib;
    if (this.lib.port) {
      const wss = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options });
      this.t.after(() => stop(wss));
      await once(wss, 'listening');
      return { wss, port: wss.address().port, url: `ws://127.0.0.1:${wss.address().port}` };
    }
    const server = http.createServer();
    const wss = new WebSocketServer({ server, ...options });
    this.t.after(async () => {
      server.close();
      await stop(wss);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address();
    return { wss, port, url: `ws://127.0.0.1:${port}` };
  }

  client(url, protocols = [], options = {}) {
    const { WebSocket } = this.lib;
    const client = new WebSocket(url, protocols, { ...this.lib.options, ...options });
    this.t.after(() => client.terminate());
    client.on('error', () => {});
    return client;
  }

  /** A client and the server's end, both open. */
  async pair({ server = {}, client = {}, protocols = [] } = {}) {
    const { wss, url, port } = await this.serve(server);
    const arrived = once(wss, 'connection');
    const end = this.client(url, protocols, client);
    const [[peer, request]] = await Promise.all([arrived, once(end, 'open')]);
    peer.on('error', () => {});
    return { client: end, server: peer, request, wss, port, url };
  }

  /** A server's end and a raw socket to it, which speaks in frames. */
  async rawPair(options = {}, extra = []) {
    const { wss, port } = await this.serve(options);
    const arrived = once(wss, 'connection');
    const wire = await raw(this.t, port);
    wire.socket.write(`${[...REQUEST, ...extra].join('\r\n')}\r\n\r\n`);
    const [server] = await arrived;
    const head = await wire.until((bytes) => {
      const end = bytes.indexOf('\r\n\r\n');
      return end < 0 ? undefined : bytes.subarray(0, end + 4);
    });
    server.on('error', () => {});
    const frames = (find) => wire.until((bytes) => find(bytes.subarray(head.length)));
    return { server, wss, head: head.toString('latin1'), frames, ...wire };
  }
}

async function stop(wss) {
  for (const client of wss.clients ?? []) client.terminate();
  await new Promise((resolve) => wss.close(resolve));
}

/** A value as it can be compared. */
function plain(value) {
  if (Buffer.isBuffer(value)) return { buffer: value.length < 200 ? value.toString('latin1') : value.length };
  if (value instanceof ArrayBuffer) return { arraybuffer: Buffer.from(value).toString('latin1') };
  if (value instanceof Error) return { error: value.code?.startsWith('WS_ERR') ? value.code : begin(value.message) };
  if (value instanceof http.ClientRequest) return 'a request';
  if (value instanceof http.IncomingMessage) return { status: value.statusCode ?? null, url: value.url };
  if (Array.isArray(value)) return value.map(plain);
  return value;
}

/** What comes behind a colon may say more than ws does. */
const begin = (message) => message.split(':')[0];

/** One test for each driver: `run(stage)` with it and with ws see the same. */
export function parity(name, run) {
  for (const candidate of CANDIDATES) {
    test(`as ws: ${name} (${candidate.name})`, { timeout: 8_000 }, async (t) => {
      const [expected, actual] = [new Stage(t, REFERENCE), new Stage(t, candidate)];
      await run(expected);
      await run(actual);
      assert.ok(expected.trace.length > 0, 'the scenario saw nothing');
      assert.deepEqual(actual.trace, expected.trace);
    });
  }
}

/** The code and the reason of the end. */
export function ending(end) {
  return new Promise((resolve) => end.once('close', (code, reason) => resolve([code, reason.toString()])));
}

export function next(end, count = 1) {
  return new Promise((resolve) => {
    const got = [];
    const listener = (...args) => {
      if (got.push(args) < count) return;
      end.off('message', listener);
      resolve(got);
    };
    end.on('message', listener);
  });
}

/** The name and the beginning of what is thrown, or what is returned. */
export function outcome(run) {
  try {
    return { returns: run() };
  } catch (error) {
    // Errors of the protocol have a class of their own here.
    return { throws: error.name.replace('ItodenError', 'Error') };
  }
}

export { frame };
