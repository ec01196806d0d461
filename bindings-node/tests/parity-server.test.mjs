// Servers: options, hooks, events and refusals; and the helpers that are exported: the same with ws and here.

import { once } from 'node:events';
import http from 'node:http';
import { frame, REQUEST } from './helpers.mjs';
import { raw } from './helpers.mjs';
import { ending, next, outcome, parity } from './parity.mjs';

/** The status of the answer to a request. */
async function ask(stage, port, lines = REQUEST) {
  const { socket, ended } = await raw(stage.t, port);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const [head, body] = (await ended()).toString('latin1').split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), head, body };
}

parity('options that contradict each other throw', async (stage) => {
  const { WebSocketServer } = stage.lib;
  const server = http.createServer();
  for (const options of [undefined, {}, { port: 0, server }, { port: 0, noServer: true }, { server, noServer: true }, { port: null }]) {
    stage.note(outcome(() => new WebSocketServer(options)));
  }
});

parity('server.options has what was given and what is usual', async (stage) => {
  const { WebSocketServer, WebSocket } = stage.lib;
  const { options } = new WebSocketServer({ noServer: true, maxPayload: 7 });
  for (const name of ['noServer', 'maxPayload', 'port', 'host', 'path', 'server', 'backlog', 'clientTracking', 'perMessageDeflate', 'verifyClient', 'handleProtocols', 'autoPong', 'closeTimeout', 'skipUTF8Validation', 'allowSynchronousEvents']) {
    stage.note(name, options[name]);
  }
  stage.note(options.WebSocket === WebSocket);
  stage.note(new WebSocketServer({ noServer: true, perMessageDeflate: true }).options.perMessageDeflate);
}); // prettier-ignore

parity('address() and listening', async (stage) => {
  const { WebSocketServer } = stage.lib;
  const { wss, port } = await stage.serve();
  const { address, family, port: told } = wss.address();
  stage.note(address, family, told === port);
  stage.note(outcome(() => new WebSocketServer({ noServer: true }).address()));
  const own = await new Promise((resolve) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', backlog: 7 }, () => resolve(server));
  });
  await new Promise((resolve) => own.close(resolve));
  stage.note(own.address());
});

parity('a port in use', async (stage) => {
  const { port } = await stage.serve();
  const second = new stage.lib.WebSocketServer({ port, host: '127.0.0.1' });
  const [{ code, syscall, address, port: told, message }] = await once(second, 'error');
  stage.note(code, syscall, address, told === port, message.replace(String(port), 'PORT'));
});

parity('a connection comes with its request, and is tracked until it closes', async (stage) => {
  const { client, server, request, wss } = await stage.pair();
  stage.note(request.method, request.url, request.httpVersion, request.headers.upgrade, request.socket.remoteAddress);
  stage.note(wss.clients.size, wss.clients.has(server), server.url === undefined || server.url === '', server.readyState);
  const end = ending(server);
  client.close();
  stage.note(await end, wss.clients.size);
});

parity('clientTracking false has no clients', async (stage) => {
  const { wss } = await stage.serve({ clientTracking: false });
  stage.note(wss.clients);
});

parity('path and shouldHandle', async (stage) => {
  const { wss, port } = await stage.serve({ path: '/chat' });
  for (const url of ['/chat', '/chat?x=1', '/chat/', '/Chat', '/other', '/']) {
    stage.note(url, wss.shouldHandle({ url }));
    if (!wss.shouldHandle({ url })) stage.note((await ask(stage, port, [`GET ${url} HTTP/1.1`, ...REQUEST.slice(1)])).status);
  }
  wss.shouldHandle = () => false;
  stage.note((await ask(stage, port, ['GET /chat HTTP/1.1', ...REQUEST.slice(1)])).status);
});

parity('verifyClient is asked in both forms', async (stage) => {
  const info = ({ origin, secure, req }) => stage.note(origin, secure, req.url);
  const answers = { '/yes': [true], '/no': [false], '/code': [false, 418], '/all': [false, 429, 'slower', { 'Retry-After': '7' }] };
  const sync = await stage.serve({ verifyClient: (asked) => (info(asked), asked.req.url === '/yes') });
  const later = await stage.serve({ verifyClient: (asked, done) => (info(asked), setImmediate(done, ...answers[asked.req.url])) });
  for (const { port } of [sync, later]) {
    for (const path of ['/no', '/code', '/all']) {
      const lines = [`GET ${path} HTTP/1.1`, ...REQUEST.slice(1), 'Origin: https://example.com'];
      const { status, head, body } = await ask(stage, port, lines);
      stage.note(path, status, body, /retry-after: (.*)/i.exec(head)?.[1] ?? null);
    }
    const client = stage.client(`ws://127.0.0.1:${port}/yes`);
    await once(client, 'open');
    stage.note('opened');
  }
});

parity('handleProtocols gets a Set and the request, and chooses', async (stage) => {
  const asked = (protocols, request) => stage.note(protocols instanceof Set, [...protocols], request.url);
  for (const [protocols, options] of [
    [['a', 'b'], {}],
    [['a', 'b'], { handleProtocols: (set, request) => (asked(set, request), 'b') }],
    [[], { handleProtocols: () => 'never asked' }],
  ]) {
    const { client, server } = await stage.pair({ server: options, protocols });
    stage.note(client.protocol, server.protocol);
  }
});

parity("'headers' shows the lines of the response, and takes more", async (stage) => {
  const { wss, port } = await stage.serve({ perMessageDeflate: true });
  wss.on('headers', (lines, request) => {
    stage.note(lines.map((line) => line.split(':')[0]).sort(), request.url);
    lines.push('X-More: yes');
  });
  const client = stage.client(`ws://127.0.0.1:${port}`, 'chat');
  const [response] = await once(client, 'upgrade');
  stage.note(response.headers['x-more'], response.headers['sec-websocket-protocol'], response.headers['sec-websocket-extensions']);
});

parity("'wsClientError' is told what is wrong with a request", async (stage) => {
  const { wss, port } = await stage.serve();
  const cases = [
    ['POST / HTTP/1.1', ...REQUEST.slice(1)],
    REQUEST.map((line) => line.replace('Version: 13', 'Version: 12')),
  ];
  for (const lines of cases) {
    const told = once(wss, 'wsClientError');
    const { socket } = await raw(stage.t, port);
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    stage.note((await told)[0]);
    socket.destroy();
  }
});

parity('the class of connections can be given', async (stage) => {
  class Mine extends stage.lib.WebSocket {
    hello() {
      return this.readyState;
    }
  }
  const { server, wss } = await stage.pair({ server: { WebSocket: Mine } });
  stage.note(server instanceof Mine, server.hello(), wss.options.WebSocket === Mine);
});

parity('noServer takes what handleUpgrade is given', async (stage) => {
  const { WebSocketServer } = stage.lib;
  const wss = new WebSocketServer({ noServer: true });
  const server = http.createServer();
  stage.t.after(() => server.close());
  server.on('upgrade', (request, socket, head) => {
    wss.handleUpgrade(request, socket, head, (ws, again) => {
      stage.note(again === request, wss.clients.has(ws), ws.readyState);
      wss.emit('connection', ws, request);
    });
  });
  stage.watch('wss', wss, ['connection', 'close']);
  wss.removeAllListeners('connection');
  wss.on('connection', (ws) => ws.send('hello'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = stage.client(`ws://127.0.0.1:${server.address().port}`);
  stage.note(...(await next(client)));
  const done = new Promise((resolve) => wss.close(resolve));
  stage.note(wss.clients.size);
  client.close();
  await done;
  const late = await ask(stage, server.address().port);
  stage.note(late.status);
});

parity('one socket is not upgraded twice', async (stage) => {
  const wss = new stage.lib.WebSocketServer({ noServer: true });
  const server = http.createServer();
  stage.t.after(() => server.close());
  const second = new Promise((resolve) => {
    server.on('upgrade', (request, socket, head) => {
      wss.handleUpgrade(request, socket, head, () => {});
      resolve(outcome(() => wss.handleUpgrade(request, socket, head, () => {})));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stage.client(`ws://127.0.0.1:${server.address().port}`);
  stage.note(await second);
});

parity('close() waits for connections, and says so when it is called again', async (stage) => {
  const { wss, client, server } = await stage.pair();
  stage.watch('wss', wss, ['close']);
  const first = new Promise((resolve) => wss.close((error) => resolve(error ?? null)));
  stage.note(server.readyState);
  client.close();
  stage.note(await first);
  wss.removeAllListeners('close');
  stage.note(await new Promise((resolve) => wss.close(resolve)));
});

parity('closeTimeout ends a connection whose peer does not answer', async (stage) => {
  const { server, socket } = await stage.rawPair({ closeTimeout: 30 });
  socket.on('data', () => {});
  stage.watch('server', server, ['error', 'close']);
  const end = ending(server);
  server.close(1000);
  await end;
  socket.write(frame(1, 'late'));
});

// What is exported besides the classes.

parity('the package is used in the same ways', async (stage) => {
  const { CommonJs, WebSocket, WebSocketServer } = stage.lib;
  stage.note(CommonJs === WebSocket, stage.lib.default === WebSocket);
  for (const name of ['WebSocket', 'WebSocketServer', 'Server', 'createWebSocketStream', 'PerMessageDeflate', 'extension', 'subprotocol']) {
    stage.note(name, typeof CommonJs[name]);
  }
  stage.note(CommonJs.Server === WebSocketServer, CommonJs.WebSocket === WebSocket, WebSocket.name, WebSocketServer.name);
  for (const state of ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED']) {
    for (const on of [WebSocket, WebSocket.prototype]) stage.note(state, Object.getOwnPropertyDescriptor(on, state));
  }
  stage.note(Object.keys(WebSocket.prototype).sort().filter((name) => !['wasClean'].includes(name)));
});

const SUBPROTOCOLS = ['a', 'a,b', ' a', 'a , b', 'a\t,\tb', '', ',', 'a,a', 'a b', 'a,', 'ä', '"a"', 'a\r\nb', 'x'.repeat(300)];

parity('subprotocol.parse', async (stage) => {
  for (const header of SUBPROTOCOLS.filter((one) => one !== ' a' && one !== 'a,')) {
    stage.note(header, outcome(() => [...stage.lib.subprotocol.parse(header)]));
  }
});

const EXTENSIONS = [
  'foo', 'foo;bar', 'foo; bar=baz', 'foo; bar="baz"', 'foo; bar="b\\az"', 'foo; a; b=1; a=2, foo; c, bar',
  'permessage-deflate; client_max_window_bits; server_max_window_bits=10',
  '', ';', 'foo bar', 'foo;', 'foo; =x', 'foo; bar="', 'foo; bar=""', 'foo; bar="a b"', 'foo;bar=', 'f[o', 'constructor; __proto__=1',
]; // prettier-ignore

parity('extension.parse and extension.format', async (stage) => {
  const { extension } = stage.lib;
  for (const header of EXTENSIONS) {
    const read = outcome(() => Object.entries(extension.parse(header)).map(([name, offers]) => [name, offers.map(Object.entries)]));
    stage.note(header, read);
    if (read.returns) stage.note(extension.format(extension.parse(header)));
  }
  stage.note(extension.format({ foo: { a: true, b: [1, true] }, bar: [{}, { c: 'd' }] }));
});

const OFFERS = [
  {}, { serverNoContextTakeover: true }, { clientNoContextTakeover: true }, { serverMaxWindowBits: 10 },
  { clientMaxWindowBits: 11 }, { serverNoContextTakeover: true, clientNoContextTakeover: true, serverMaxWindowBits: 9, clientMaxWindowBits: 12 },
]; // prettier-ignore

parity('PerMessageDeflate makes the same offers and answers', async (stage) => {
  const { PerMessageDeflate, extension } = stage.lib;
  stage.note(PerMessageDeflate.extensionName);
  for (const client of OFFERS) {
    const offer = new PerMessageDeflate(client).offer();
    stage.note(Object.entries(offer).sort());
    for (const server of OFFERS) {
      const end = new PerMessageDeflate({ ...server, isServer: true });
      const header = extension.format({ 'permessage-deflate': offer });
      const read = () => extension.parse(header)['permessage-deflate'];
      // Where this end wants less than is offered both agree on less, while ws declines.
      if (server.serverMaxWindowBits > (client.serverMaxWindowBits ?? 15)) continue;
      if (server.clientMaxWindowBits > (client.clientMaxWindowBits ?? 15)) continue;
      // What is larger than is wished for is agreed on by ws as it was offered.
      if (client.serverMaxWindowBits && !server.serverMaxWindowBits) continue;
      if (client.clientMaxWindowBits && !server.clientMaxWindowBits) continue;
      stage.note(server, Object.entries(end.accept(read())).sort());
    }
  }
  for (const bad of ['x', 'server_max_window_bits', 'server_max_window_bits=7', 'server_no_context_takeover=1', 'client_max_window_bits=16']) {
    const end = new PerMessageDeflate({ isServer: true });
    let threw = false;
    try {
      end.accept(extension.parse(`permessage-deflate; ${bad}`)['permessage-deflate']);
    } catch {
      threw = true;
    }
    stage.note(bad, threw);
  }
});

parity('PerMessageDeflate compresses what it can decompress again', async (stage) => {
  const { PerMessageDeflate } = stage.lib;
  const [client, server] = [new PerMessageDeflate({ threshold: 0 }), new PerMessageDeflate({ isServer: true, maxPayload: 100 })];
  server.accept([{}]);
  client.accept([{}]);
  const run = (end, kind, ...args) =>
    new Promise((resolve) => end[kind](...args, (error, data) => resolve(error ? { error: error.code } : data)));
  for (const text of ['hello', 'hello', 'κόσμε', '']) {
    const packed = await run(client, 'compress', Buffer.from(text), true);
    stage.note(await run(server, 'decompress', packed, true));
  }
  const first = await run(client, 'compress', Buffer.from('in two '), false);
  const second = await run(client, 'compress', Buffer.from('parts'), true);
  stage.note(Buffer.concat([await run(server, 'decompress', first, false), await run(server, 'decompress', second, true)]));
  stage.note(await run(server, 'decompress', await run(client, 'compress', Buffer.alloc(101), true), true));
  client.cleanup();
  server.cleanup();
});
