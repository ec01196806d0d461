// @ts-check
// HAR files, which have messages and no frames.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFile } from '../page/readers/file.js';
import { ReadError } from '../page/readers/text.js';
import { anything, finished, recordSession, texts, told, utf8 } from './support.js';

const open = (/** @type {unknown} */ content) =>
  finished(readFile('a.har', utf8(typeof content === 'string' ? content : JSON.stringify(content)), anything));
const har = (/** @type {unknown[]} */ ...entries) => ({ log: { version: '1.2', entries } });

const [request, response] = recordSession().map(({ bytes }) => {
  const [, ...lines] = Buffer.from(bytes).toString('latin1').trimEnd().split('\r\n');
  return lines.map((line) => ({ name: line.slice(0, line.indexOf(':')), value: line.slice(line.indexOf(':') + 2) }));
});
const entry = {
  request: { method: 'GET', url: 'ws://example.com/room', headers: request },
  response: { status: 101, statusText: 'Switching Protocols', headers: response },
  _webSocketMessages: [
    { type: 'send', time: 1700000000.5, opcode: 1, data: 'héllo' },
    { type: 'receive', time: 1700000000.75, opcode: 2, data: 'AP+A' },
    { type: 'receive', time: 1700000001, opcode: 9, data: '' },
    { type: 'receive', time: 1700000002, opcode: 8, data: 'A+hkb25l' },
    { type: 'error', time: 1700000003, opcode: -1, data: 'the connection was reset' },
  ],
};

test('messages become frames of both directions, with their times', () => {
  const { sessions, kind } = open(har({ request: { url: 'http://example.com/' } }, entry));
  assert.deepEqual([kind, sessions.length, sessions[0]?.title], ['a HAR file', 1, 'ws://example.com/room']);
  const session = /** @type {import('../page/session.js').Session} */ (sessions[0]);
  assert.deepEqual(told(session), ['client text', 'server binary', 'server ping', 'server close']);
  assert.deepEqual(texts(session).slice(0, 2).map((text) => Buffer.from(text, 'latin1').toString('hex')), [Buffer.from('héllo').toString('hex'), '00ff80']);
  assert.deepEqual([session.item(0).time, session.item(1).time], [1700000000.5, 1700000000.75]);
  assert.deepEqual([session.opening.opened, session.opening.problems, session.opening.subprotocol], [true, [], 'chat']);
  assert.match(session.notes.join('\n'), /messages, not frames[^]*Message 5 has the type 'error'.*was reset/);
});

test('an entry without heads is read as well', () => {
  const { sessions } = open(har({ ...entry, request: { url: 'wss://example.com/' }, response: undefined }));
  assert.equal(sessions[0]?.itemCount, 4);
  assert.equal(sessions[0]?.opening.request, undefined);
});

for (const [name, content, message] of /** @type {[string, unknown, RegExp][]} */ ([
  ['broken JSON', '{"log":', /can't be read as such/],
  ['other JSON', { a: 1 }, /no HAR file: it has no log.entries/],
  ['a HAR file without WebSocket', har({ request: { url: 'http://example.com/' } }), /has 1 entry, and none with _webSocketMessages/],
])) {
  test(`${name} is told`, () => assert.throws(() => open(content), (error) => error instanceof ReadError && message.test(error.message)));
}

test('messages of a kind that is unknown, or with no data, are notes and no failures', () => {
  const wrong = [{ type: 'receive', opcode: 8, data: btoa('\x03\xed') }, { type: 'send', opcode: 9, data: btoa('x'.repeat(126)) }];
  const { sessions } = open(har({ request: {}, _webSocketMessages: [...wrong, null, { type: 'send', opcode: 3, data: 'x' }, { type: 'receive', opcode: 1 }, { type: 'receive', opcode: 2, data: '?' }] }));
  const session = /** @type {import('../page/session.js').Session} */ (sessions[0]);
  assert.deepEqual(told(session), ['server text', 'server binary']);
  assert.match(session.notes.join('\n'), /Message 1 can't be drawn: the close code is 1005.*§7.4.*\nMessage 2 can't be drawn.*126[^]*opcode 3/);
});
