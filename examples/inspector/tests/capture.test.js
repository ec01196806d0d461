// @ts-check
// Captures of packets: every link and version, whatever happened to the segments.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFile } from '../page/readers/file.js';
import { ReadError } from '../page/readers/text.js';
import { ACK, anything, finished, ipPacket, links, pcapFile, pcapngFile, recordSession, tcpPackets, texts, told, unhex, utf8 } from './support.js';

const pieces = recordSession();
const open = (/** @type {Uint8Array} */ file, settings = anything) => finished(readFile('capture', file, settings));
const only = (/** @type {Uint8Array} */ file) => {
  const { sessions } = open(file);
  assert.equal(sessions.length, 1);
  return /** @type {import('../page/session.js').Session} */ (sessions[0]);
};

const frames = [
  'client text',
  'server text',
  'client text',
  'client text',
  'client ping',
  'client continuation',
  'server pong',
  'client close',
  'server close',
];
const text = 'A text that is long enough to be compressed, compressed, compressed.';

/** @param {import('../page/session.js').Session} session */
function isWhole(session) {
  assert.deepEqual(told(session), frames);
  assert.deepEqual(texts(session).slice(0, 6), [text, text, text, 'Hello', 'still there?', 'still there?']);
  assert.deepEqual([session.opening.opened, session.opening.problems, session.opening.subprotocol], [true, [], 'chat']);
  assert.match(session.extensions, /^permessage-deflate/);
  const { deflated, inflated, frames: count } = session.sums.client;
  assert.ok(deflated < inflated && inflated === 2 * text.length && count === 6);
}

for (const [name, link] of Object.entries(links)) {
  for (const version of /** @type {const} */ ([4, 6])) {
    test(`a session over ${name}, IPv${version}, is put together`, () => isWhole(only(pcapFile(tcpPackets(pieces, { version }), { link, version }))));
  }
}

for (const little of [true, false]) {
  const order = little ? 'little-endian' : 'big-endian';
  test(`pcap is read ${order}, and its times with it`, () => {
    for (const nanoseconds of [true, false]) {
      const session = only(pcapFile(tcpPackets(pieces), { little, nanoseconds }));
      isWhole(session);
      // Three packets of TCP's handshake, two of HTTP's, then the first frame: the sixth millisecond.
      assert.equal(session.item(0).time.toFixed(3), '1700000000.006');
      assert.equal(session.arrival(0, session.item(0).offset).packet, 6);
    }
  });
  test(`pcapng is read ${order}, with the clock of its interface`, () => {
    const session = only(pcapngFile(tcpPackets(pieces), { little }));
    isWhole(session);
    assert.equal(session.item(0).time.toFixed(3), '1700000000.006');
    const simple = only(pcapngFile(tcpPackets(pieces), { little, simple: true }));
    isWhole(simple);
    assert.ok(Number.isNaN(simple.item(0).time));
  });
}

test('segments that are cut anywhere, come twice or out of order give the same, also where sequence numbers begin again', () => {
  for (const begins of [1000, 2 ** 32 - 300, 2 ** 31 - 300]) {
    for (const segment of [1, 7, 100]) isWhole(only(pcapFile(tcpPackets(pieces, { segment, begins }))));
    const packets = tcpPackets(pieces, { segment: 50, begins });
    // The client's second and third segment change places, and the third comes once more.
    [packets[4], packets[5]] = [/** @type {any} */ (packets[5]), /** @type {any} */ (packets[4])];
    packets.splice(7, 0, /** @type {any} */ (packets[4]));
    const session = only(pcapFile(packets));
    isWhole(session);
    assert.deepEqual(session.notes, ['TCP: 1 segment was sent again and counted once.', 'TCP: 1 segment came out of order and was put in place.']);
  }
});

test('a segment sent again in another cut counts what is new in it', () => {
  const packets = tcpPackets(pieces);
  const request = /** @type {any} */ (pieces[0]).bytes;
  packets.splice(3, 1, ipPacket({ from: 'client', sequence: 1001, flags: ACK, payload: request.subarray(0, 60) }), ipPacket({ from: 'client', sequence: 1011, flags: ACK, payload: request.subarray(10) }));
  isWhole(only(pcapFile(packets)));
});

test('bytes that are missing are a hole, and what follows is found', () => {
  const packets = tcpPackets([...pieces.slice(0, 3), { from: 'client', bytes: unhex('8980 00000000') }, { from: 'client', bytes: unhex('8a80 00000000') }]);
  packets.splice(6, 1);
  const session = only(pcapFile(packets));
  assert.deepEqual(told(session), ['client text', 'client hole', 'client pong']);
  assert.deepEqual(session.notes, ['TCP: 1 segment came out of order and was put in place.', 'TCP: 6 bytes are not in the capture.']);
});

test('two connections are two sessions, also one after the other on the same port', () => {
  for (const port of [50000, 50001]) {
    const file = pcapFile([...tcpPackets(pieces), ...tcpPackets(pieces, { port, begins: 90_000 })]);
    const { sessions } = open(file);
    assert.equal(sessions.length, 2);
    sessions.forEach(isWhole);
  }
});

test('a connection that was open before the capture is read, with what is said of it', () => {
  const packets = tcpPackets(pieces.slice(2)).slice(3);
  const { sessions } = open(pcapFile(packets), { ...anything, extensions: 'permessage-deflate' });
  assert.deepEqual(told(/** @type {any} */ (sessions[0])), frames);
  assert.match(sessions[0]?.notes.at(-1) ?? '', /no opening handshake/);
});

test('an upgrade that is refused, or answered by a wrong key, is told by the core', () => {
  const refusal = { from: /** @type {const} */ ('server'), bytes: utf8('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n') };
  const refused = only(pcapFile(tcpPackets([/** @type {any} */ (pieces[0]), refusal])));
  assert.deepEqual([refused.opening.opened, refused.opening.problems[0]?.section], [false, 'RFC 6455 §4.1']);
  const answer = Buffer.from(/** @type {any} */ (pieces[1]).bytes).toString('latin1').replace(/(Accept: )..../i, '$1AAAA');
  const forged = only(pcapFile(tcpPackets([/** @type {any} */ (pieces[0]), { from: 'server', bytes: utf8(answer) }, ...pieces.slice(2)])));
  assert.match(forged.opening.problems[0]?.text ?? '', /Accept/i);
  assert.deepEqual(told(forged), frames);
});

test('an interim answer is passed over', () => {
  const interim = { from: /** @type {const} */ ('server'), bytes: utf8('HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n') };
  isWhole(only(pcapFile(tcpPackets([...pieces.slice(0, 1), interim, ...pieces.slice(1)]))));
});

test('what has no WebSocket says what it has', () => {
  const http = [{ from: /** @type {const} */ ('client'), bytes: utf8('GET / HTTP/1.1\r\nHost: a\r\n\r\n') }];
  const tls = [{ from: /** @type {const} */ ('client'), bytes: unhex('16 03 01 00 05 01 00 00 01 00') }];
  const fails = (/** @type {Uint8Array} */ file, /** @type {RegExp} */ message) =>
    assert.throws(() => open(file), (error) => error instanceof ReadError && message.test(error.message));
  fails(pcapFile(tcpPackets(http)), /no WebSocket that can be read: 6 packets with 1 TCP connection/);
  fails(pcapFile(tcpPackets(tls)), /1 TCP connection is encrypted with TLS/);
  fails(pcapFile([unhex('00')], { link: { link: 999, wrap: (ip) => ip } }), /link type 999, which is unknown/);
  fails(pcapFile([]).subarray(0, 20), /20 bytes, but its header alone has 24/);
  fails(new Uint8Array(), /capture is empty/);
  fails(unhex('1f8b0800'), /compressed with gzip/);
});

test('a capture that is cut anywhere gives what came before, or a clear error', () => {
  for (const file of [pcapFile(tcpPackets(pieces)), pcapngFile(tcpPackets(pieces))]) {
    for (let length = 4; length < file.length; length += 37) {
      try {
        for (const session of open(file.subarray(0, length)).sessions) assert.ok(session.itemCount <= frames.length + 2);
      } catch (error) {
        assert.ok(error instanceof ReadError, `at ${length}: ${error}`);
      }
    }
  }
});

test('a capture with any byte changed gives something, or a clear error', () => {
  const file = pcapFile(tcpPackets(pieces));
  for (let at = 0; at < file.length; at += 11) {
    for (const change of [0xff, 0x80, 0x01]) {
      const changed = file.slice();
      changed[at] = (changed[at] ?? 0) ^ change;
      try {
        open(changed);
      } catch (error) {
        assert.ok(error instanceof ReadError, `at ${at}: ${error instanceof Error ? error.stack : error}`);
      }
    }
  }
});
