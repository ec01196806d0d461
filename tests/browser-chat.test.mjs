// @ts-check
// The chat end to end: the Node server, the page in a real browser with the codec in WebAssembly, and the Python bot.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { startBot, startServer, temporaryFolder } from '../examples/chat/tests/support.js';
import { launchBrowser, openWindow } from './lib/browser.mjs';
import { ChatPage } from './lib/chat-page.mjs';

/** The frame of the shared vectors, in the panel's form: '81 85 …'. */
const vector = (() => {
  const cases = JSON.parse(readFileSync(new URL('../core/vectors/frames.json', import.meta.url), 'utf8'));
  const found = cases.find((/** @type {{ name: string }} */ { name }) => name === 'a single-frame masked text message');
  assert.ok(found, "core/vectors/frames.json has no case 'a single-frame masked text message'");
  return { hex: found.chunks.join('').match(/../g).join(' '), text: found.events[0].text };
})();

const { folder, remove } = temporaryFolder();
const database = join(folder, 'chat.db');

/** @type {Awaited<ReturnType<typeof startServer>>} */ let server;
/** @type {Awaited<ReturnType<typeof startBot>>} */ let bot;
/** @type {Awaited<ReturnType<typeof launchBrowser>>} */ let browser;
/** @type {Awaited<ReturnType<typeof openWindow>>} */ let window;
/** @type {ChatPage} */ let chat;

before(async () => {
  browser = await launchBrowser();
  server = await startServer({ database });
  bot = await startBot(server.url);
});

after(async () => {
  await browser?.close();
  await bot?.stop();
  await server?.stop();
  remove();
});

beforeEach(async (t) => {
  window = await openWindow(browser);
  chat = new ChatPage(window.page);
  /** @type {import('node:test').TestContext} */ (t).after(() => window.close());
});

test('a visitor gives a name, says something, and sees it and the answer of the Python bot', async () => {
  await chat.join(server.url, 'Ada');
  assert.deepEqual((await chat.people.allTextContents()).toSorted(), ['Ada (you)', 'Echo-san']);
  await chat.send('hello');
  assert.equal(await chat.message('Ada', 'hello'), 'hello');
  assert.match((await chat.message('Echo-san', 'Hello, Ada!')) ?? '', /^🧵 Hello, Ada! .*!roll 2d6/);
  assert.equal(await chat.composer.inputValue(), '');
  assert.deepEqual(window.complaints, []);
});

test('the wire panel shows the frame of the shared vectors, bit by bit', async () => {
  await chat.join(server.url, 'Ada');
  await chat.ownKey.fill('00000000');
  await chat.send(vector.text);
  await chat.message('Ada', vector.text);
  assert.equal((await chat.wire()).hex, '81 85 00 00 00 00 48 65 6c 6c 6f');
  await chat.ownKey.fill('37fa213d');
  assert.deepEqual(await chat.wire(), {
    chosen: 'Hello',
    header: '1 000 0001 1 0000101',
    opcode: '1 = text',
    masked: '7f 9f 4d 51 58',
    key: '37 fa 21 3d 37',
    unmasked: '48 65 6c 6c 6f',
    text: 'H e l l o',
    size: '11 bytes on the wire: 5 of text and 6 of header (4 of them the masking key).',
    hex: vector.hex,
  });
  await chat.send('Hello'); // the next message has the key, too
  await window.page.locator('#sent label').nth(2).waitFor();
  assert.equal((await chat.wire()).hex, vector.hex);
});

test('without a key of the reader, each message has a new one', async () => {
  await chat.join(server.url, 'Ada');
  const frames = new Set();
  for (const count of [2, 3, 4]) {
    await chat.send('Hello');
    await window.page.locator('#sent label').nth(count - 1).waitFor();
    const { hex, unmasked } = await chat.wire();
    assert.equal(unmasked, '48 65 6c 6c 6f');
    frames.add(hex);
  }
  assert.equal(frames.size, 3);
});

test('the wire panel refuses what is no masking key, and draws long and non-ASCII messages', async () => {
  await chat.join(server.url, 'Ada');
  await chat.ownKey.fill('37fx');
  assert.equal(await window.page.getByTestId('own-key-problem').textContent(), "A masking key is 8 hex digits; this is '37fx'.");
  await chat.ownKey.fill('00 00 00 00');
  await chat.send('糸👋');
  await chat.message('Ada', '糸👋');
  const short = await chat.wire();
  assert.equal(short.unmasked, 'e7 b3 b8 f0 9f 91 8b');
  assert.equal(short.text, '糸 👋');
  await chat.send('a'.repeat(300));
  await chat.message('Ada', 'aaa');
  const long = await chat.wire();
  assert.equal(long.header, '1 000 0001 1 1111110 0000000100101100');
  assert.equal(long.hex, `81 fe 01 2c 00 00 00 00${' 61'.repeat(300)}`);
});

test('HTML in names and texts is shown as text', async () => {
  const name = '<i>Eve</i>';
  const text = '<img src=x onerror="document.title=\'taken over\'"><b>bold</b>';
  await chat.join(server.url, name);
  await chat.send(text);
  assert.equal(await chat.message(name, 'bold'), text);
  assert.equal(await window.page.locator(':is(#messages, #people, #sent, #frame) :is(b, i, img)').count(), 0);
  assert.equal(await window.page.title(), 'itoden chat');
});

test('visitors see each other come, speak and go', async () => {
  await chat.join(server.url, 'Ada');
  const other = await openWindow(browser);
  const bo = new ChatPage(other.page);
  await bo.join(server.url, 'Bo');
  await chat.messages.getByText('Bo joined').waitFor();
  await bo.send('Can you hear me?');
  assert.equal(await chat.message('Bo', 'hear'), 'Can you hear me?');
  await other.close();
  await chat.messages.getByText('Bo left').waitFor();
  assert.equal(await chat.people.filter({ hasText: 'Bo' }).count(), 0);
});

test('a name that the server refuses is asked for again, with the reason', async () => {
  await window.page.goto(server.url.href);
  await chat.nameInput.fill('Ada\u202E');
  await chat.nameInput.press('Enter');
  await window.page.getByText("A name can't hold control characters; this one holds U+202E.").waitFor();
  await chat.nameInput.fill('Ada');
  await chat.nameInput.press('Enter');
  await chat.untilState('open');
});

test('the keyboard is enough', async () => {
  const { page } = window;
  const focused = () => page.evaluate(() => document.activeElement?.id);
  await page.goto(server.url.href);
  await page.keyboard.press('Escape'); // no way round the name: it is asked for again
  await page.waitForFunction(() => document.activeElement?.id === 'name-input');
  await page.keyboard.type('Kim');
  await page.keyboard.press('Enter');
  await chat.untilReady();
  assert.equal(await focused(), 'composer-input');
  await page.keyboard.type('one');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('two');
  await page.keyboard.press('Enter');
  assert.equal(await chat.message('Kim', 'two'), 'one\ntwo');

  await page.keyboard.press('Tab'); // the button to send
  await page.keyboard.press('Tab'); // the messages in the wire panel: one stop, arrows choose
  assert.equal((await chat.wire()).chosen, 'one\ntwo');
  await page.keyboard.press('ArrowDown');
  assert.equal((await chat.wire()).hex, vector.hex); // the example that is there from the start
  await page.keyboard.press('Tab'); // new or own key
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'own-key');
  await page.keyboard.press('Escape');
  assert.equal(await focused(), 'composer-input');

  await page.keyboard.press('Shift+Tab');
  assert.equal(await focused(), 'log');
  await page.keyboard.press('Shift+Tab');
  assert.equal(await focused(), 'change-name');
  await page.keyboard.press('Enter');
  assert.equal(await focused(), 'name-input');
  await page.keyboard.type('Kimiko');
  await page.keyboard.press('Enter');
  await chat.people.filter({ hasText: 'Kimiko (you)' }).waitFor();
});

test('on a phone the wire takes the place of the room, and nothing sticks out', async () => {
  const { page } = window;
  await page.setViewportSize({ width: 360, height: 700 });
  await chat.join(server.url, 'Ada');
  const sticksOut = () => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  assert.equal(await chat.wireHex.isVisible(), false);
  assert.equal(await sticksOut(), false);
  await page.locator('#show-wire').click();
  assert.equal(await chat.wireHex.isVisible(), true);
  assert.equal(await chat.composer.isVisible(), false);
  assert.equal(await sticksOut(), false);
  await page.keyboard.press('Escape');
  assert.equal(await chat.composer.isVisible(), true);
});

test('the name is remembered by the browser', async () => {
  await chat.join(server.url, 'Ada');
  await window.page.reload();
  await chat.untilState('open');
  assert.equal(await window.page.locator('#name-dialog').isVisible(), false);
});

test('when the server restarts, the page says closed, comes back by itself, and the history is still there', async () => {
  await chat.join(server.url, 'Ada');
  await chat.send('Remember this');
  await chat.message('Ada', 'Remember this');
  await server.stop();
  await chat.untilState('closed');
  assert.match((await window.page.getByTestId('countdown').textContent()) ?? '', /^reconnecting in \d+ s$/);

  await chat.send('typed while closed');
  assert.equal(await chat.composer.inputValue(), 'typed while closed');
  assert.match((await window.page.getByTestId('notice').textContent()) ?? '', /There is no connection/);

  server = await startServer({ database, port: server.port });
  await chat.untilState('open');
  assert.equal(await chat.message('Ada', 'Remember this'), 'Remember this');
  await chat.composer.press('Enter');
  assert.equal(await chat.message('Ada', 'typed while closed'), 'typed while closed');
});

test('a visitor who does not want to wait reconnects at once', async () => {
  const { page } = window;
  await page.clock.install();
  await chat.join(server.url, 'Ada');
  await server.stop();
  await chat.untilState('closed');
  server = await startServer({ database, port: server.port });
  // The page's clock stands still, so only the button can bring it back.
  await page.getByTestId('reconnect').click();
  await chat.untilState('open');
});
