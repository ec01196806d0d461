// @ts-check
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { History } from '../history.js';
import { temporaryFolder } from './support.js';

const { folder, remove } = temporaryFolder();
after(remove);

test('a new history is empty', () => {
  const history = new History(':memory:');
  assert.deepEqual(history.recent(), []);
  history.close();
});

test('messages are kept in order and as they were said', () => {
  const history = new History(':memory:');
  const texts = ['Hello', '<img src=x onerror=alert(1)>', "'; DROP TABLE messages; --", '糸電話 👋🏽\n\ttaut'];
  const added = texts.map((text, index) => history.add('Ada', text, 1_790_000_000_000 + index));
  assert.deepEqual(added[0], { id: 1, name: 'Ada', text: 'Hello', at: 1_790_000_000_000 });
  assert.deepEqual(history.recent(), added);
  history.close();
});

test('only the newest messages are kept, and ids go on', () => {
  const history = new History(':memory:', 3);
  for (const text of ['1', '2', '3', '4', '5']) history.add('Ada', text, 0);
  assert.deepEqual(history.recent().map(({ id, text }) => [id, text]), [[3, '3'], [4, '4'], [5, '5']]);
  history.close();
});

test('a file that is opened again holds what was said, and its folder is made where it is missing', () => {
  const file = join(folder, 'deep', 'er', 'chat.db');
  const first = new History(file);
  const said = first.add('Ada', 'Still here', 7);
  first.close();
  const second = new History(file);
  assert.deepEqual(second.recent(), [said]);
  second.close();
});

test('a file that is no database is refused and left as it was', () => {
  const file = join(folder, 'letter.txt');
  writeFileSync(file, 'Dear Ada, this is a letter and no database. '.repeat(50));
  assert.throws(() => new History(file), /not a database/);
});
