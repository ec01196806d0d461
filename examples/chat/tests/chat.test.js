// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatRoom, LIMITS, nameProblem, tidyName } from '../chat.js';
import { History } from '../history.js';

/** @typedef {import('../events.js').ChatEvent} ChatEvent */

/** A client that notes what it is told. */
class Listener {
  /** @type {ChatEvent[]} */ told = [];
  bufferedAmount = 0;
  terminated = false;

  /** @param {string} text */
  send(text) {
    this.told.push(JSON.parse(text));
  }

  terminate() {
    this.terminated = true;
  }

  /** @param {ChatEvent['type']} type */
  all(type) {
    return this.told.filter((event) => event.type === type);
  }
}

/** A room whose clock stands still until it is moved. */
function openRoom() {
  const clock = { now: 1_790_000_000_000 };
  return { clock, room: new ChatRoom(new History(':memory:'), () => clock.now) };
}

test('who joins is welcomed with their name, the people and the history, and the others are told', () => {
  const { room } = openRoom();
  const ada = new Listener();
  const bo = new Listener();
  room.say(room.join(ada, 'Ada'), 'Hello');
  room.join(bo, 'Bo');
  const said = { id: 1, name: 'Ada', text: 'Hello', at: 1_790_000_000_000 };
  assert.deepEqual(ada.told, [
    { type: 'welcome', you: 'Ada', people: ['Ada'], history: [] },
    { type: 'message', ...said },
    { type: 'joined', name: 'Bo' },
  ]);
  assert.deepEqual(bo.told, [{ type: 'welcome', you: 'Bo', people: ['Ada', 'Bo'], history: [said] }]);
});

test('who leaves is gone from the room, and the others are told once', () => {
  const { room } = openRoom();
  const ada = new Listener();
  room.join(ada, 'Ada');
  const bo = room.join(new Listener(), 'Bo');
  room.leave(bo);
  room.leave(bo);
  assert.deepEqual(room.people, ['Ada']);
  assert.deepEqual(ada.all('left'), [{ type: 'left', name: 'Bo' }]);
});

test('a name that is taken gets a number, however it is written', () => {
  const { room } = openRoom();
  for (const name of ['Ada', 'ADA', 'ada']) room.join(new Listener(), name);
  assert.deepEqual(room.people, ['Ada', 'ADA 2', 'ada 3']);
});

test('a name with a number keeps to the 32 characters', () => {
  const { room } = openRoom();
  const longest = '🧵'.repeat(LIMITS.name);
  room.join(new Listener(), longest);
  assert.equal(room.join(new Listener(), longest).name, `${'🧵'.repeat(LIMITS.name - 2)} 2`);
});

test('a name that someone left behind is free again', () => {
  const { room } = openRoom();
  room.leave(room.join(new Listener(), 'Ada'));
  assert.equal(room.join(new Listener(), 'Ada').name, 'Ada');
});

test('names are trimmed and inner spaces made one', () => {
  assert.equal(tidyName('  Ada   Lovelace '), 'Ada Lovelace');
});

test('a name that is too short, too long, unseen or holds control characters is refused with the reason', () => {
  assert.equal(nameProblem(tidyName('   ')), 'A name has 1 to 32 characters; this one has 0.');
  assert.equal(nameProblem('a'.repeat(33)), 'A name has 1 to 32 characters; this one has 33.');
  assert.equal(nameProblem('A\u0007da'), "A name can't hold control characters; this one holds U+0007.");
  assert.equal(nameProblem('A\u202Eda'), "A name can't hold control characters; this one holds U+202E.");
  assert.equal(nameProblem('\u200B'), 'A name needs a character that can be seen; this one has none.');
  for (const fine of ['A', '糸子', '👩‍🚀', "O'Neil <b>", 'é'.repeat(32)]) assert.equal(nameProblem(fine), undefined);
});

test('the longest text is taken, counted in characters, and one character more is refused to its sender alone', () => {
  const { room } = openRoom();
  const ada = new Listener();
  const bo = new Listener();
  const member = room.join(ada, 'Ada');
  room.join(bo, 'Bo');
  room.say(member, '😀'.repeat(LIMITS.text));
  room.say(member, 'a'.repeat(LIMITS.text + 1));
  assert.equal(bo.all('message').length, 1);
  assert.deepEqual(ada.all('error'), [
    { type: 'error', code: 'too-long', message: 'Not sent: 2001 characters, where 2000 are allowed.' },
  ]);
  assert.deepEqual(bo.all('error'), []);
});

test('empty text and control characters are refused, tabs and line breaks are not', () => {
  const { room } = openRoom();
  const ada = new Listener();
  const member = room.join(ada, 'Ada');
  for (const text of ['', ' \n ', 'a\0b', 'a\u001b[31m', 'a\tb\r\nc']) room.say(member, text);
  const codes = ada.all('error').map((event) => (event.type === 'error' ? event.code : ''));
  assert.deepEqual(codes, ['empty', 'empty', 'control-character', 'control-character']);
  assert.equal(ada.all('message').length, 1);
});

test('who sends too fast is told so and stays, and may speak again after a while', () => {
  const { room, clock } = openRoom();
  const ada = new Listener();
  const member = room.join(ada, 'Ada');
  for (let count = 0; count <= LIMITS.burst; count += 1) room.say(member, `message ${count}`);
  assert.equal(ada.all('message').length, LIMITS.burst);
  assert.deepEqual(ada.told.at(-1), {
    type: 'error',
    code: 'slow-down',
    message: 'Not sent: 10 messages at once and then 2 a second are allowed.',
  });
  clock.now += 1000 / LIMITS.perSecond;
  room.say(member, 'one more');
  room.say(member, 'and another');
  assert.equal(ada.all('message').length, LIMITS.burst + 1);
  assert.deepEqual(room.people, ['Ada']);
});

test('a clock that is set back takes no allowance away', () => {
  const { room, clock } = openRoom();
  const ada = new Listener();
  const member = room.join(ada, 'Ada');
  clock.now -= 3_600_000;
  room.say(member, 'Hello');
  assert.equal(ada.all('message').length, 1);
});

test('who does not read is cut off, and the others are still told', () => {
  const { room } = openRoom();
  const slow = new Listener();
  const bo = new Listener();
  room.join(slow, 'Slow');
  const member = room.join(bo, 'Bo');
  slow.bufferedAmount = LIMITS.buffered + 1;
  room.say(member, 'Hello');
  assert.equal(slow.terminated, true);
  assert.deepEqual(slow.all('message'), []);
  assert.equal(bo.all('message').length, 1);
});

test('a welcome holds the newest messages, and no more of them than a client with a cap of 1 MiB takes', () => {
  const history = new History(':memory:');
  for (let count = 1; count <= 200; count += 1) history.add('Ada', `${count} ${'😀'.repeat(LIMITS.text - 4)}`, count);
  const room = new ChatRoom(history);
  const bo = new Listener();
  room.join(bo, 'Bo');
  const [welcome] = bo.told;
  assert.ok(welcome?.type === 'welcome');
  assert.equal(welcome.history.at(-1)?.id, 200);
  assert.ok(welcome.history.length > 50);
  assert.ok(Buffer.byteLength(JSON.stringify(welcome)) < 1024 * 1024);
});
