// @ts-check
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBot, startServer, Visitor } from './support.js';

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
/** @type {Awaited<ReturnType<typeof startBot>>} */
let bot;

before(async () => {
  server = await startServer();
  bot = await startBot(server.url);
});

after(async () => {
  await bot?.stop();
  await server?.stop();
});

/**
 * What the bot says after this was said.
 * @param {Visitor} visitor
 * @param {string} text
 */
async function reply(visitor, text) {
  visitor.ws.send(text);
  for (;;) {
    const { name, text: said } = await visitor.next('message');
    if (name === 'Echo-san') return said;
  }
}

test('the bot greets, helps, tells the time, rolls dice and answers to its name', async () => {
  const { visitor, welcome } = await Visitor.join(server.url, 'Ada');
  assert.deepEqual(welcome.people, ['Echo-san', 'Ada']);
  assert.match(await reply(visitor, 'Hello!'), /^🧵 Hello, Ada! .*!help/);
  assert.match(await reply(visitor, '!help'), /!time · !roll/);
  assert.match(await reply(visitor, '!time'), /^🧵 Here it is \d\d:\d\d:\d\d/);
  const [, first, second, sum] = /: (\d) \+ (\d) = (\d+)$/.exec(await reply(visitor, '!roll 2d6')) ?? [];
  assert.equal(Number(first) + Number(second), Number(sum));
  assert.match(await reply(visitor, '!roll 99d6'), /I can roll 1d2 to 20d1000, Ada, but not '99d6'/);
  assert.equal(await reply(visitor, '@echo-san: is it taut?'), '🧵 Ada, at my end of the string I hear: is it taut?');
  await visitor.leave();
});

test('the bot keeps quiet where nobody asked, and never answers a bot', async () => {
  const { visitor } = await Visitor.join(server.url, 'Ada');
  visitor.ws.send('I said hello to Echo-sanity');
  visitor.ws.send('🧵 Echo-san, do you answer other bots?');
  // The bot reads in order: an answer to either would come before this one.
  assert.match(await reply(visitor, '!roll 1d6'), /rolls 1d6/);
  await visitor.leave();
});

test('the bot comes back after a restart of the server, and ends quietly on SIGTERM', async () => {
  await server.stop();
  await bot.line(/^Connection lost/);
  server = await startServer({ port: server.port });
  const { visitor, welcome } = await Visitor.join(server.url, 'Ada');
  if (!welcome.people.includes('Echo-san')) assert.equal((await visitor.next('joined')).name, 'Echo-san');
  assert.match(await reply(visitor, 'hi'), /Hello, Ada!/);
  assert.equal(await bot.stop(), 0);
  assert.equal((await visitor.next('left')).name, 'Echo-san');
  assert.ok(!bot.lines.some((line) => line.includes('Traceback')), bot.lines.join('\n'));
  await visitor.leave();
});
