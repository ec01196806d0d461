// @ts-check
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Program, startServer, temporaryFolder, Visitor, within } from './support.js';

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;

before(async () => {
  server = await startServer();
});
after(() => server.stop());

/**
 * One request, its path untouched: fetch() would tidy it up.
 * @param {string} path
 * @param {{ method?: string, headers?: Record<string, string> }} [options]
 * @returns {Promise<{ status: number, headers: import('node:http').IncomingHttpHeaders, body: string }>}
 */
function ask(path, options) {
  const answer = new Promise((resolve, reject) => {
    const asked = request(server.url, { path, ...options }, async (response) => {
      let body = '';
      for await (const chunk of response.setEncoding('utf8')) body += chunk;
      resolve({ status: response.statusCode, headers: response.headers, body });
    });
    asked.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode, headers: response.headers, body: '' });
    });
    asked.on('error', reject).end();
  });
  return within(`an answer to ${path}`, answer);
}

/** @param {string} [origin] the status of an opening handshake from a page of this origin */
async function handshakeStatus(origin) {
  const headers = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...(origin === undefined ? {} : { Origin: origin }),
  };
  return (await ask('/chat?name=Page', { headers })).status;
}

describe('over HTTP', () => {
  test('the page and its files come with their content types', async () => {
    const types = {
      '/': 'text/html; charset=utf-8',
      '/index.html': 'text/html; charset=utf-8',
      '/style.css': 'text/css; charset=utf-8',
      '/chat.js': 'text/javascript; charset=utf-8',
      '/favicon.svg': 'image/svg+xml; charset=utf-8',
      '/itoden-wasm/index.js': 'text/javascript; charset=utf-8',
      '/itoden-wasm/codec.wasm': 'application/wasm',
    };
    for (const [path, type] of Object.entries(types)) {
      const { status, headers } = await ask(path);
      assert.deepEqual([path, status, headers['content-type']], [path, 200, type]);
    }
    assert.match((await ask('/?theme=dark')).body, /<title>itoden chat<\/title>/);
  });

  test('the page may run its own scripts and WebAssembly, and nothing else', async () => {
    const { headers } = await ask('/');
    assert.match(headers['content-security-policy']?.toString() ?? '', /default-src 'none'; script-src 'self' 'wasm-unsafe-eval'/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
  });

  test('no path leads out of the served folders', async () => {
    const paths = [
      '/../server.js',
      '/%2e%2e/server.js',
      '/..%2fserver.js',
      '/..%5cserver.js',
      '/itoden-wasm/../../server.js',
      '/itoden-wasm/../package.json',
      '//etc/passwd',
      '/server.js',
      '/data/chat.db',
      '/%',
      '/index.html%00.js',
      '/constructor',
    ];
    for (const path of paths) assert.deepEqual([path, (await ask(path)).status], [path, 404]);
  });

  test('HEAD gets the headers alone, and other methods are refused', async () => {
    const head = await ask('/', { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.body, '');
    assert.equal(Number(head.headers['content-length']), Buffer.byteLength((await ask('/')).body));
    const post = await ask('/', { method: 'POST' });
    assert.equal(post.status, 405);
    assert.equal(post.headers.allow, 'GET, HEAD');
  });
});

describe('the opening handshake', () => {
  test('is refused with 403 to pages of other origins', async () => {
    for (const origin of ['http://evil.example', `http://evil.example:${server.port}`, `http://localhost:1`, 'null', 'nonsense']) {
      assert.deepEqual([origin, await handshakeStatus(origin)], [origin, 403]);
    }
  });

  test('is taken from the own page, and from programs, which send no Origin', async () => {
    assert.equal(await handshakeStatus(server.url.origin), 101);
    assert.equal(await handshakeStatus(), 101);
  });

  test('a name that will not do is refused with close code 1008 and the reason', async () => {
    const visitor = new Visitor(server.url, 'x'.repeat(40));
    assert.deepEqual(await within('the refusal', visitor.closed), {
      code: 1008,
      reason: 'A name has 1 to 32 characters; this one has 40.',
    });
  });
});

describe('in the room', () => {
  test('everyone hears who comes, what is said and who goes', async () => {
    const { visitor: ada, welcome } = await Visitor.join(server.url, 'Ada');
    assert.equal(welcome.you, 'Ada');
    const { visitor: bo } = await Visitor.join(server.url, 'Bo');
    assert.equal((await ada.next('joined')).name, 'Bo');
    bo.ws.send('Hello');
    for (const hearer of [ada, bo]) {
      const { name, text, at } = await hearer.next('message');
      assert.deepEqual([name, text], ['Bo', 'Hello']);
      assert.ok(Math.abs(Date.now() - at) < 60_000);
    }
    await bo.leave();
    assert.equal((await ada.next('left')).name, 'Bo');
    await ada.leave();
  });

  test('two people of one name are told apart', async () => {
    const { visitor: first } = await Visitor.join(server.url, 'Twin');
    const { visitor: second, welcome } = await Visitor.join(server.url, ' Twin ');
    assert.equal(welcome.you, 'Twin 2');
    await first.leave();
    await second.leave();
  });

  test('text comes through unaltered, HTML and all', async () => {
    const { visitor } = await Visitor.join(server.url, 'Ada');
    for (const text of ['<b>bold</b> &amp; <script>alert(1)</script>', ' 糸電話 👩‍🚀 \n "quoted" \\ ', '\u2028{"type":"left"}']) {
      visitor.ws.send(text);
      assert.equal((await visitor.next('message')).text, text);
    }
    await visitor.leave();
  });

  test('a text that is too long is refused politely, and the connection stays', async () => {
    const { visitor } = await Visitor.join(server.url, 'Ada');
    visitor.ws.send('a'.repeat(2001));
    assert.equal((await visitor.next('error')).code, 'too-long');
    visitor.ws.send('short');
    assert.equal((await visitor.next('message')).text, 'short');
    await visitor.leave();
  });

  test('a message over 16 KiB fails the connection with 1009', async () => {
    const { visitor } = await Visitor.join(server.url, 'Ada');
    visitor.ws.send('a'.repeat(16 * 1024 + 1));
    assert.equal((await within('the close', visitor.closed)).code, 1009);
  });

  test('a binary message is refused with 1003, and what follows it is not heard', async () => {
    const { visitor: bo } = await Visitor.join(server.url, 'Bo');
    const { visitor: ada } = await Visitor.join(server.url, 'Ada');
    ada.ws.send(Buffer.from('Hello'));
    ada.ws.send('too late');
    assert.deepEqual(await within('the close', ada.closed), {
      code: 1003,
      reason: 'This chat takes text messages, not binary ones.',
    });
    bo.ws.send('still here');
    assert.equal((await bo.next('message')).text, 'still here');
    await bo.leave();
  });
});

describe('start and stop', () => {
  test('the server prints one line, says goodbye with 1001 and ends well, and its history survives', async (t) => {
    const { folder, remove } = temporaryFolder();
    t.after(remove);
    const database = join(folder, 'chat.db');

    const first = await startServer({ database });
    const { visitor } = await Visitor.join(first.url, 'Ada');
    visitor.ws.send('Remember me');
    await visitor.next('message');
    assert.equal(await first.stop(), 0);
    assert.equal((await within('the close', visitor.closed)).code, 1001);
    assert.deepEqual(first.program.lines, [`The chat is open at ${first.url}`]);

    const second = await startServer({ database });
    t.after(second.stop);
    const { visitor: bo, welcome } = await Visitor.join(second.url, 'Bo');
    assert.deepEqual(welcome.history.map(({ id, name, text }) => [id, name, text]), [[1, 'Ada', 'Remember me']]);
    await bo.leave();
  });

  test('a port that is taken, or is none, gets one sentence', async () => {
    const taken = new Program(process.execPath, ['server.js', '--port', String(server.port)], { CHAT_DB: ':memory:' });
    assert.equal(await taken.exitCode(), 1);
    assert.match(taken.lines.join('\n'), /^Cannot listen on localhost, port \d+: .*EADDRINUSE.*$/);
    const none = new Program(process.execPath, ['server.js'], { PORT: 'http', CHAT_DB: ':memory:' });
    assert.equal(await none.exitCode(), 1);
    assert.deepEqual(none.lines, ["The port is 'http', but must be a number from 0 (any free port) to 65535."]);
  });
});
