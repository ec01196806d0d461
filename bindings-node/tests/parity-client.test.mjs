// Clients: URLs, options, the opening handshake and redirects: the same with ws and here.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { ending, next, outcome, parity } from './parity.mjs';

const fixture = (name) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));

/** A server of raw bytes: `talk(socket, request)` once the head of a request has come. */
async function speaker(stage, talk) {
  const server = net.createServer((socket) => {
    stage.t.after(() => socket.destroy());
    socket.on('error', () => {});
    let head = '';
    socket.on('data', function read(chunk) {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', read);
      talk(socket, head);
    });
  });
  stage.t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

/** An http server whose answers a function gives: [status, headers]. */
async function web(stage, answer) {
  const server = http.createServer((request, response) => {
    const [status, headers] = answer(request);
    response.writeHead(status, headers).end();
  });
  stage.t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

/** What a request has that is the same each time. */
function fields(headers) {
  const { host, 'sec-websocket-key': key, 'user-agent': _, ...others } = headers;
  return Object.entries({ ...others, host: host?.replace(/\d+$/, ''), key: key?.length }).sort();
}

parity('wrong arguments throw errors of the same kind', async (stage) => {
  const { WebSocket } = stage.lib;
  const cases = [
    [''], ['nonsense'], ['ws://'], ['ftp://localhost'], ['ws://localhost/#x'], ['ws+unix:'], [undefined],
    ['ws://localhost', 'a b'], ['ws://localhost', ['a', 'a']], ['ws://localhost', ['']], ['ws://localhost', [7]],
    ['ws://localhost', [], { protocolVersion: 9 }], ['ws://localhost', [], { protocolVersion: 'x' }],
  ]; // prettier-ignore
  for (const args of cases) stage.note(args[0], outcome(() => new WebSocket(...args).url));
});

parity('a WebSocket for a server has no address, and is CONNECTING', async (stage) => {
  const { WebSocket } = stage.lib;
  const { readyState, protocol, extensions, isPaused, binaryType } = new WebSocket(null, undefined, {});
  stage.note(readyState, protocol, extensions, isPaused, binaryType);
});

parity('the headers of a request', async (stage) => {
  const ask = async (protocols, options, credentials = '') => {
    const { wss, port } = await stage.serve();
    const arrived = once(wss, 'connection');
    stage.client(`ws://${credentials}127.0.0.1:${port}/path?query=1`, protocols, options);
    const [, request] = await arrived;
    stage.note(request.url, ...fields(request.headers));
  };
  await ask([], {});
  await ask([], { perMessageDeflate: false, origin: 'https://example.com' });
  await ask([], { perMessageDeflate: false, headers: { Cookie: 'a=b', 'X-Many': ['1', '2'], 'X-Number': 7 } });
  await ask([], { perMessageDeflate: false, headers: { Host: 'example.com' } });
  await ask([], { perMessageDeflate: false, headers: { Authorization: 'Bearer x' } }, 'user:pass@');
  await ask([], { perMessageDeflate: false, auth: 'user:option' });
  await ask([], { perMessageDeflate: false, auth: 'user:option' }, 'user:url@');
  await ask([], { perMessageDeflate: false }, 'us%3Aer:p%20w@');
  await ask([], { perMessageDeflate: false, headers: { Origin: 'https://by.header' } });
});

parity('protocolVersion 8 asks as drafts before RFC 6455 did', async (stage) => {
  const got = new Promise((resolve) => {
    void speaker(stage, (_socket, head) => resolve(head)).then((port) =>
      stage.client(`ws://127.0.0.1:${port}`, [], { protocolVersion: 8, origin: 'https://example.com' }),
    );
  });
  const lines = (await got).split('\r\n').map((line) => line.toLowerCase());
  stage.note(lines.filter((line) => /version|origin/.test(line)).sort());
});

parity('subprotocols can be given in three ways', async (stage) => {
  const { WebSocket, options } = stage.lib;
  const { url } = await stage.serve();
  for (const args of [['chat'], [['chat', 'other']], [{ ...options, protocols: 'chat' }], [{ ...options, protocols: ['chat', 'b'] }]]) {
    const client = new WebSocket(url, ...args);
    await once(client, 'open');
    stage.note(client.protocol);
    client.terminate();
  }
});

parity('http: and https: URLs mean ws: and wss:', async (stage) => {
  const { url } = await stage.serve();
  for (const address of [url.replace('ws:', 'http:'), new URL(url)]) {
    const client = stage.client(address);
    stage.note(client.url.replace(/\d+\/$/, ''));
    await once(client, 'open');
  }
});

for (const method of ['close', 'terminate']) {
  parity(`${method}() while CONNECTING`, async (stage) => {
    const port = await speaker(stage, () => {});
    const client = stage.client(`ws://127.0.0.1:${port}`);
    stage.watch('client', client, ['error', 'close', 'open']);
    stage.note(outcome(() => client.send('x')), outcome(() => client.ping()), outcome(() => client.pong()));
    client.pause();
    stage.note(client.isPaused, client.bufferedAmount);
    const end = ending(client);
    client[method]();
    stage.note(client.readyState);
    await end;
    stage.note(client.readyState);
  });
}

parity('a server that does not answer in time', async (stage) => {
  const port = await speaker(stage, () => {});
  const client = stage.client(`ws://127.0.0.1:${port}`, [], { handshakeTimeout: 30 });
  stage.watch('client', client, ['error', 'close']);
  await ending(client);
});

parity('a port where nobody listens', async (stage) => {
  const gone = net.createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address();
  await new Promise((resolve) => gone.close(resolve));
  const client = stage.client(`ws://127.0.0.1:${port}`);
  client.on('error', ({ code, syscall, address, port: told }) => stage.note(code, syscall, address, told === port));
  stage.watch('client', client, ['close']);
  await ending(client);
});

const upgraded = (lines) => (socket) =>
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${lines.join('\r\n')}\r\n\r\n`);

const ANSWERS = [
  ['another status', (socket) => socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')],
  ['a wrong key', upgraded(['Upgrade: websocket', 'Sec-WebSocket-Accept: x'])],
  ['no key', upgraded(['Upgrade: websocket'])],
  ['another upgrade', upgraded(['Upgrade: h2c'])],
];

for (const [what, talk] of ANSWERS) {
  parity(`a server that answers with ${what}`, async (stage) => {
    const port = await speaker(stage, talk);
    const client = stage.client(`ws://127.0.0.1:${port}`);
    stage.watch('client', client, ['error', 'close', 'open']);
    await ending(client);
  });
}

parity('a server that chooses no subprotocol of those that were asked for', async (stage) => {
  const { url } = await stage.serve({ handleProtocols: () => false });
  const client = stage.client(url, ['a', 'b']);
  stage.watch('client', client, ['error', 'close', 'open']);
  await ending(client);
});

parity("'upgrade' comes before 'open', and one can give up in between", async (stage) => {
  const { url } = await stage.serve();
  const client = stage.client(url);
  stage.watch('client', client, ['upgrade', 'open']);
  await once(client, 'open');
  const other = stage.client(url);
  other.on('upgrade', () => other.close());
  stage.watch('other', other, ['open', 'error', 'close']);
  await ending(other);
});

parity("'unexpected-response' hands the request and the response over", async (stage) => {
  const port = await web(stage, () => [418, { 'X-Why': 'tea' }]);
  const client = stage.client(`ws://127.0.0.1:${port}`);
  stage.watch('client', client, ['unexpected-response', 'error', 'close']);
  const [, response] = await once(client, 'unexpected-response');
  stage.note(response.headers['x-why'], client.readyState);
  response.resume();
  const end = ending(client);
  client.terminate();
  await end;
});

parity('finishRequest, createConnection and lookup are asked', async (stage) => {
  const { wss, port } = await stage.serve();
  const arrived = once(wss, 'connection');
  stage.client('ws://made.up.example', [], {
    createConnection: (options) => {
      stage.note('createConnection', options.host, String(options.port));
      return net.connect(port, '127.0.0.1');
    },
    finishRequest: (request, websocket) => {
      stage.note('finishRequest', request, websocket instanceof stage.lib.WebSocket);
      setImmediate(() => {
        request.setHeader('X-Late', 'yes');
        request.end();
      });
    },
  });
  const [, request] = await arrived;
  stage.note(request.headers['x-late'], request.headers.host);
  const lookup = (host, options, done) => {
    stage.note('lookup', host);
    if (options.all) done(null, [{ address: '127.0.0.1', family: 4 }]);
    else done(null, '127.0.0.1', 4);
  };
  const second = once(wss, 'connection');
  stage.client(`ws://made.up.example:${port}`, [], { lookup });
  await second;
});

parity('an agent is used', async (stage) => {
  const { wss, port } = await stage.serve();
  class Elsewhere extends http.Agent {
    createConnection(options, done) {
      stage.note('agent', options.host);
      return super.createConnection({ ...options, host: '127.0.0.1', port }, done);
    }
  }
  const arrived = once(wss, 'connection');
  stage.client('ws://elsewhere.example', [], { agent: new Elsewhere() });
  await arrived;
  const wrong = stage.client(`ws://127.0.0.1:${port}`, [], { agent: http.globalAgent, localAddress: '127.0.0.1' });
  await once(wrong, 'open');
});

parity('certificates are checked, and can be trusted or not looked at', async (stage) => {
  const server = https.createServer({ key: fixture('key.pem'), cert: fixture('cert.pem'), ca: fixture('cert.pem'), requestCert: true, rejectUnauthorized: false }); // prettier-ignore
  const wss = new stage.lib.WebSocketServer({ server });
  stage.t.after(() => server.close());
  wss.on('connection', (_ws, request) => stage.note('client certificate', Boolean(request.socket.getPeerCertificate().subject)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `wss://localhost:${server.address().port}`;
  const family = { family: 4 };
  const bad = stage.client(url, [], family);
  bad.on('error', ({ code }) => stage.note(code));
  await ending(bad);
  for (const options of [
    { ca: fixture('cert.pem') },
    { rejectUnauthorized: false, cert: fixture('cert.pem'), key: fixture('key.pem') },
    { ca: fixture('cert.pem'), checkServerIdentity: (host) => void stage.note('identity', host) },
  ]) {
    const client = stage.client(url, [], { ...family, ...options });
    await once(client, 'open');
    client.terminate();
  }
});

parity('ws+unix: URLs have a path of the socket and one of the request', async (stage) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'itoden-'));
  stage.t.after(() => rm(folder, { recursive: true }));
  const socketPath = path.join(folder, 'socket');
  const server = http.createServer();
  const wss = new stage.lib.WebSocketServer({ server });
  stage.t.after(() => server.close());
  server.listen(socketPath);
  await once(server, 'listening');
  for (const target of [':/chat?x=1', ':/']) {
    const arrived = once(wss, 'connection');
    const client = stage.client(`ws+unix:${socketPath}${target}`);
    const [, request] = await arrived;
    stage.note(request.url, request.headers.host);
    await once(client, 'open');
    client.terminate();
  }
});

/** Follows a chain of redirects to a server, and notes what is told and said. */
async function wander(stage, { hops, options = {}, listen = false, start }) {
  const { wss, port } = await stage.serve({ path: '/end' });
  wss.on('connection', (_ws, request) => {
    const { authorization, cookie, host } = request.headers;
    stage.note('arrived', authorization, cookie, host?.replace(/\d+$/, ''));
  });
  let step = 0;
  const ports = { end: port };
  const answer = (request) => {
    const { authorization, cookie, host } = request.headers;
    stage.note('asked', request.url, authorization, cookie, host?.replace(/\d+$/, ''));
    return [302, { Location: hops[step++](ports) }];
  };
  ports.web = await web(stage, answer);
  ports.other = await web(stage, answer);
  const client = stage.client(start(ports), [], { followRedirects: true, ...options });
  const named = (text) => text.replaceAll(String(ports.web), 'WEB').replaceAll(String(ports.other), 'OTHER').replaceAll(String(ports.end), 'END'); // prettier-ignore
  if (listen) client.on('redirect', (url, request) => stage.note('redirect', named(url), request));
  for (const event of ['open', 'error', 'close']) client.on(event, (...args) => stage.note(event, ...args));
  await new Promise((resolve) => {
    client.once('open', resolve);
    client.once('close', resolve);
  });
  stage.note(named(client.url));
  return client;
}

const start = ({ web: port }) => `ws://user:pass@127.0.0.1:${port}/start`;
const SAID = { headers: { Cookie: 'a=b', Host: 'named.example' } };

const JOURNEYS = [
  ['to another port lose credentials, cookies and Host', { start, hops: [({ end }) => `ws://127.0.0.1:${end}/end`], options: SAID }],
  ['that lead back have them again', { start, hops: [({ other }) => `http://127.0.0.1:${other}/x`, ({ web: port }) => `ws://127.0.0.1:${port}/y`, ({ end }) => `ws://127.0.0.1:${end}/end`], options: SAID }], // prettier-ignore
  ['on the same server keep them', { start, hops: [() => '/next', () => 'relative?x', ({ end }) => `ws://127.0.0.1:${end}/end`], options: { headers: { Cookie: 'a=b' } } }], // prettier-ignore
  ['keep a header Authorization where it was', { start: ({ web: port }) => `ws://127.0.0.1:${port}/start`, hops: [() => '/next', ({ end }) => `ws://127.0.0.1:${end}/end`], options: { headers: { AUTHORIZATION: 'Bearer x' } } }], // prettier-ignore
  ['do not bring credentials of their own', { start, hops: [({ end }) => `ws://evil:pw@127.0.0.1:${end}/end`] }],
  ['are told, and then nothing is left out', { start, hops: [({ end }) => `ws://127.0.0.1:${end}/end`], options: { headers: { Cookie: 'a=b' } }, listen: true }], // prettier-ignore
  ['are followed maxRedirects times', { start, hops: [() => '/1', () => '/2', () => '/3'], options: { maxRedirects: 2 } }],
  ['are not followed with maxRedirects 0', { start, hops: [() => '/1'], options: { maxRedirects: 0 } }],
  ['to an invalid URL are errors', { start, hops: [() => 'http://'] }],
  ['are errors if they are not asked for', { start, hops: [() => '/1'], options: { followRedirects: false } }],
];

for (const [what, journey] of JOURNEYS) {
  parity(`redirects ${what}`, async (stage) => {
    const client = await wander(stage, journey);
    client.removeAllListeners('close');
  });
}

parity("one can give up in a listener of 'redirect'", async (stage) => {
  const port = await web(stage, () => [301, { Location: '/next' }]);
  const client = stage.client(`ws://127.0.0.1:${port}`, [], { followRedirects: true });
  client.on('redirect', () => client.close());
  stage.watch('client', client, ['error', 'close', 'open']);
  await ending(client);
});

parity("the request of 'redirect' can be changed and destroyed", async (stage) => {
  const seen = [];
  const port = await web(stage, (request) => {
    seen.push(request.headers['x-token'] ?? null);
    return seen.length === 1 ? [302, { Location: '/next' }] : [403, {}];
  });
  const client = stage.client(`ws://127.0.0.1:${port}`, [], { followRedirects: true });
  client.on('redirect', (_url, request) => request.setHeader('X-Token', 'fresh'));
  stage.watch('client', client, ['error', 'close']);
  await ending(client);
  stage.note(seen);
  seen.length = 0;
  const other = stage.client(`ws://127.0.0.1:${port}`, [], { followRedirects: true });
  other.on('redirect', (_url, request) => request.destroy(new Error('not there')));
  stage.watch('other', other, ['error', 'close']);
  await ending(other);
});

parity('generateMask makes the masking key of every frame', async (stage) => {
  const { wss, port } = await stage.serve();
  const seen = [];
  const tap = net.createServer((socket) => {
    const onward = net.connect(port, '127.0.0.1');
    stage.t.after(() => (socket.destroy(), onward.destroy()));
    socket.on('data', (chunk) => seen.push(chunk)).pipe(onward).pipe(socket);
    for (const one of [socket, onward]) one.on('error', () => {});
  });
  stage.t.after(() => tap.close());
  tap.listen(0, '127.0.0.1');
  await once(tap, 'listening');
  const arrived = once(wss, 'connection');
  const client = stage.client(`ws://127.0.0.1:${tap.address().port}`, [], {
    perMessageDeflate: false,
    generateMask: (mask) => mask.fill(7),
  });
  const [[server]] = await Promise.all([arrived, once(client, 'open')]);
  const got = next(server, 40);
  for (let index = 0; index < 40; index += 1) client.send(`message ${index % 10}`);
  await got;
  for (let index = 0; index < 3; index += 1) {
    const pong = once(server, 'pong');
    server.ping('x');
    await pong;
  }
  const end = Promise.all([ending(client), ending(server)]);
  server.close(1000, 'bye');
  await end;
  const bytes = Buffer.concat(seen);
  stage.note(bytes.subarray(bytes.indexOf('\r\n\r\n') + 4).toString('hex'));
});

parity('a URL of IPv6 has no brackets where it connects to, and has them in Host', async (stage) => {
  const { port } = await stage.serve();
  const client = stage.client('ws://[::1]/', [], {
    createConnection: ({ host }) => {
      stage.note(host);
      return net.connect(port, '127.0.0.1');
    },
    finishRequest: (request) => {
      stage.note(request.getHeader('host'));
      request.end();
    },
  });
  await once(client, 'open');
});
