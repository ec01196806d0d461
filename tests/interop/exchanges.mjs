// What is tried with every peer, in whichever role, behind whatever proxy: one table.
//
// One end of a connection is this package's (ends.mjs); the other is the peer's, which echoes and obeys
// (tests/programs/peers/echo.mjs), and reports when the connection has ended.

import assert from 'node:assert/strict';

/**
 * @typedef {ReturnType<typeof import('./ends.mjs').wsEnd>} End
 *
 * @typedef {object} Report what a peer says of a connection that has ended
 * @property {string} protocol
 * @property {string} [extensions] undefined where the peer does not know
 * @property {number} code
 * @property {string} [reason] undefined where the peer does not tell it
 * @property {boolean} [clean]
 * @property {Record<string, string>} [headers] of the request, where the peer is the server
 *
 * @typedef {object} Opened
 * @property {End} end this package's, open
 * @property {Promise<Report>} report
 * @property {import('node:http').IncomingMessage} [request] where this package's end is the server
 *
 * @typedef {'ping' | 'drop' | 'close without a code' | 'close with 1001' | 'headers' | 'cookies'} Ability what not every API can do
 *
 * @typedef {object} Setting
 * @property {Ability[]} peer what the peer can
 * @property {Ability[]} own what this package's end can
 * @property {number} [lost] the code that the peer tells where a connection was lost; 1006 in all standards
 * @property {boolean} deflate whether permessage-deflate is to be agreed on
 * @property {(wishes?: { protocols?: string[], headers?: Record<string, string> }) => Promise<Opened>} open
 */

const bytes = (length) => Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 7) ^ (at >> 8)));

/** The lengths around every form of the header (RFC 6455 §5.2), and more than one read brings. */
const LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20];

const MESSAGES = [
  'Hello', 'κόσμε', '糸電話 𐍈 👋🏽', '\u0000\u007f\u0080\u07ff\u0800\uffff\u{10000}\u{10ffff}',
  ...LENGTHS.map((length) => 'x'.repeat(length)), 'é'.repeat(50_000),
  ...LENGTHS.map(bytes),
]; // prettier-ignore

/** Codes of applications and of the standard, with reasons of every length. */
const CLOSINGS = [[1000, ''], [1000, 'done'], [3000, 'κόσμε 𐍈'], [4999, 'x'.repeat(123)]]; // prettier-ignore

const describe = (message) => (message.length < 40 ? JSON.stringify(message) : `${typeof message === 'string' ? 'text' : 'bytes'} of ${message.length}`);

function assertSame(came, sent, what = describe(sent)) {
  assert.equal(typeof came, typeof sent, `${what}: text is text, and bytes are bytes`);
  assert.ok(typeof sent === 'string' ? came === sent : sent.equals(came), `${what} came back as ${describe(came)}`);
}

/** Tells the peer to do something. */
const order = (end, name, value = true) => end.send(`!${JSON.stringify({ [name]: value })}`);

/** Closes from this end, and sees what both ends are told. A peer may leave the reason out of its answer (RFC 6455 §5.5.1). */
async function closeHere({ end, report }, ...[code, reason = '']) {
  end.close(...(code === undefined ? [] : [code, reason]));
  const told = await report;
  assert.deepEqual([told.code, told.reason, told.clean ?? true], [code ?? 1005, reason, true], 'what the peer is told');
  const closed = await end.closed;
  // To a Close frame without a code some answer with one, with 1000.
  const answers = code === undefined ? [1000, 1005] : [code];
  assert.ok(answers.includes(closed.code), `the answer has the code ${closed.code}`);
  assert.ok(['', reason].includes(closed.reason), `the answer has the reason ${closed.reason}`);
  assert.equal(closed.clean, true);
}

/** Has the peer close, and sees what both ends are told. */
async function closeThere({ end, report }, ...args) {
  const [code = 1005, reason = ''] = args;
  order(end, 'close', args);
  assert.deepEqual(await end.closed, { code, reason, clean: true });
  const told = await report;
  assert.deepEqual([told.code, told.reason ?? reason, told.clean ?? true], [code, reason, true], 'what the peer is told of the answer');
}

/** @type {Record<string, { peer?: Ability[], own?: Ability[], run: (setting: Setting) => Promise<void> }>} */
const exchanges = {
  'every message comes back as it was sent': {
    async run({ open }) {
      const opened = await open();
      for (const message of MESSAGES) {
        opened.end.send(message);
        assertSame(await opened.end.next(), message);
      }
      await closeHere(opened, 1000, 'bye');
    },
  },

  'messages that are sent at once come back in order': {
    async run({ open }) {
      const opened = await open();
      const burst = Array.from({ length: 300 }, (_, at) => (at % 3 === 0 ? bytes(at * 30) : `message ${at} `.repeat(at % 40)));
      for (const message of burst) opened.end.send(message);
      for (const message of burst) assertSame(await opened.end.next(), message);
      await closeHere(opened, 1000, 'bye');
    },
  },

  'permessage-deflate is agreed on if both can': {
    async run({ open, deflate }) {
      const opened = await open();
      assert.match(opened.end.ws.extensions, deflate ? /^permessage-deflate/ : /^$/);
      for (const message of ['again and '.repeat(20_000), 'again and '.repeat(20_000), bytes(100_000)]) {
        opened.end.send(message);
        assertSame(await opened.end.next(), message);
      }
      await closeHere(opened, 1000, 'bye');
      const { extensions } = await opened.report;
      assert.match(extensions ?? opened.end.ws.extensions, deflate ? /^permessage-deflate/ : /^$/);
    },
  },

  'the server chooses one of the subprotocols': {
    async run({ open }) {
      const opened = await open({ protocols: ['superchat', 'chat'] });
      assert.equal(opened.end.ws.protocol, 'superchat');
      await closeHere(opened, 1000, 'bye');
      assert.equal((await opened.report).protocol, 'superchat');
    },
  },

  'a ping of this end is answered': {
    own: ['ping'],
    async run({ open }) {
      const opened = await open();
      for (const data of ['', 'are you there?', 'x'.repeat(125)]) assert.equal(await opened.end.ping(data), data);
      await closeHere(opened, 1000, 'bye');
    },
  },

  'a ping of the peer is answered': {
    peer: ['ping'],
    async run({ open }) {
      const opened = await open();
      order(opened.end, 'ping');
      assert.equal(await opened.end.next(), 'ponged');
      await closeHere(opened, 1000, 'bye');
    },
  },

  'a code and a reason of this end reach the peer': {
    async run({ open }) {
      for (const closing of CLOSINGS) await closeHere(await open(), ...closing);
    },
  },

  'a code and a reason of the peer reach this end': {
    async run({ open }) {
      for (const closing of CLOSINGS) await closeThere(await open(), ...closing);
    },
  },

  'this end can say that it goes away': {
    own: ['close with 1001'],
    run: async ({ open }) => closeHere(await open(), 1001, 'see you'),
  },

  'the peer can say that it goes away': {
    peer: ['close with 1001'],
    run: async ({ open }) => closeThere(await open(), 1001, 'see you'),
  },

  'a Close frame of this end without a code is 1005': {
    run: async ({ open }) => closeHere(await open()),
  },

  'a Close frame of the peer without a code is 1005': {
    peer: ['close without a code'],
    run: async ({ open }) => closeThere(await open()),
  },

  'a connection that this end drops is 1006 for the peer': {
    own: ['drop'],
    async run({ open, lost = 1006 }) {
      const { end, report } = await open();
      end.drop();
      const told = await report;
      assert.deepEqual([told.code, told.reason, told.clean ?? false], [lost, '', false]);
      assert.deepEqual(await end.closed, { code: 1006, reason: '', clean: false });
    },
  },

  'a connection that the peer drops is 1006 here': {
    peer: ['drop'],
    async run({ open }) {
      const { end } = await open();
      order(end, 'drop');
      assert.deepEqual(await end.closed, { code: 1006, reason: '', clean: false });
    },
  },

  'the server sees the cookies': {
    peer: ['cookies'],
    own: ['cookies'],
    async run({ open }) {
      const opened = await open({ headers: { Cookie: 'session=itoden' } });
      await closeHere(opened, 1000, 'bye');
      assert.equal((opened.request ?? (await opened.report)).headers.cookie, 'session=itoden');
    },
  },

  'the server sees what is sent to authorize the client': {
    peer: ['headers'],
    own: ['headers'],
    async run({ open }) {
      const opened = await open({ headers: { Authorization: 'Bearer c2VjcmV0' } });
      await closeHere(opened, 1000, 'bye');
      assert.equal((opened.request ?? (await opened.report)).headers.authorization, 'Bearer c2VjcmV0');
    },
  },
};

/** A failure guard: no exchange waits for this, they all wait for events. */
const DEADLINE = { timeout: 60_000 };

/**
 * A test for each exchange that is possible.
 * @param {import('node:test').test} test
 * @param {() => Setting} setting called when the test runs
 * @param {{ peer: Ability[], own: Ability[] }} abilities
 */
export function testExchanges(test, abilities, setting) {
  const can = (role, needs = []) => needs.every((ability) => abilities[role].includes(ability));
  for (const [name, { peer, own, run }] of Object.entries(exchanges)) {
    if (can('peer', peer) && can('own', own)) test(name, DEADLINE, () => run(setting()));
  }
}
