// graphql-ws: its client with `webSocketImpl`, and its `use/ws` over a WebSocketServer of the user's.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { GraphQLError, GraphQLInt, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
import { createClient, GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { clients, closed, each, matrix, serve, servers, until } from '../lib/implementations.mjs';

/** Each subscription to `ticks` that has ended. */
let ended = 0;

async function* count(to) {
  try {
    for (let at = 1; at <= to; at += 1) yield { count: at };
  } finally {
    ended += 1;
  }
}

async function* ticks() {
  try {
    for (let at = 1; ; at += 1) {
      yield { ticks: at };
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    ended += 1;
  }
}

const args = { to: { type: GraphQLInt } };
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: 'Query',
    fields: {
      greeting: { type: GraphQLString, args: { of: { type: GraphQLString } }, resolve: (_, { of }) => `こんにちは ${of}` },
      refused: {
        type: GraphQLString,
        resolve() {
          throw new GraphQLError('not for you', { extensions: { code: 'REFUSED' } });
        },
      },
    },
  }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: {
      count: { type: GraphQLInt, args, subscribe: (_, { to }) => count(to) },
      ticks: { type: GraphQLInt, subscribe: () => ticks() },
    },
  }),
});

async function start(t, kind, { keepAlive, ...options } = {}) {
  const { wss, url } = await serve(t, kind);
  useServer({ schema, ...options }, wss, keepAlive);
  return { wss, url };
}

function dial(t, { WebSocket }, url, options) {
  const client = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0, ...options });
  t.after(() => client.dispose());
  return client;
}

/** All results of an operation. */
async function results(client, query, variables) {
  const all = [];
  for await (const one of client.iterate({ query, variables })) all.push(one);
  return all;
}

matrix('a query, an error and a subscription are answered', async (t, { server, client }) => {
  const { wss, url } = await start(t, server);
  const graphql = dial(t, client, url, { lazy: false, onNonLazyError: () => {} });
  const name = 'κόσμε '.repeat(20_000);
  const [answers, errors, invalid, counted] = await Promise.all([
    results(graphql, 'query ($name: String) { greeting(of: $name) }', { name }),
    results(graphql, '{ refused }'),
    results(graphql, '{ missing }').catch((error) => error),
    results(graphql, 'subscription { count(to: 50) }'),
  ]);
  assert.equal(answers[0].data.greeting, `こんにちは ${name}`);
  assert.equal(errors[0].data.refused, null);
  assert.equal(errors[0].errors[0].message, 'not for you');
  assert.deepEqual(errors[0].errors[0].extensions, { code: 'REFUSED' });
  assert.match(invalid[0].message, /Cannot query field "missing"/);
  assert.deepEqual(counted.map(({ data }) => data.count), Array.from({ length: 50 }, (_, at) => at + 1));
  assert.equal(wss.clients.size, 1);
});

matrix('a subscription that the client leaves ends at the server, and the connection closes with 1000', async (t, { server, client }) => {
  const { wss, url } = await start(t, server);
  const before = ended;
  const arrived = once(wss, 'connection');
  const graphql = dial(t, client, url);
  const subscription = graphql.iterate({ query: 'subscription { ticks }' });
  for (let at = 1; at <= 3; at += 1) assert.equal((await subscription.next()).value.data.ticks, at);
  const [socket] = await arrived;
  const over = once(socket, 'close');
  await subscription.return();
  const [code, reason] = await over;
  assert.equal(code, 1000);
  assert.equal(String(reason), 'Normal Closure');
  await until(() => ended === before + 1);
});

matrix('a client reconnects after an abrupt end, and goes on with its subscription', async (t, { server, client }) => {
  const { wss, url } = await start(t, server);
  const closes = [];
  const graphql = dial(t, client, url, {
    retryAttempts: 3,
    retryWait: async () => {},
    on: { closed: ({ code }) => closes.push(code) },
  });
  let connections = 0;
  wss.on('connection', () => (connections += 1));
  const subscription = graphql.iterate({ query: 'subscription { ticks }' });
  const next = async () => (await subscription.next()).value.data.ticks;
  assert.deepEqual([await next(), await next()], [1, 2]);
  for (const socket of wss.clients) socket.terminate();
  // It begins anew, after the ticks that had come already.
  while ((await next()) !== 1);
  assert.equal(connections, 2);
  assert.deepEqual(closes, [1006]);
  await subscription.return();
});

const message = (type, more) => JSON.stringify({ type, ...more });
const init = message('connection_init');
const subscribe = message('subscribe', { id: 'one', payload: { query: 'subscription { ticks }' } });

/** What a client sends, in one burst, then after the server's first message, and how the server ends it. */
const violations = [
  { sends: ['no JSON'], code: 4400, reason: 'Invalid message received' },
  { sends: [subscribe], code: 4401, reason: 'Unauthorized' },
  { sends: [init], options: { onConnect: () => false }, code: 4403, reason: 'Forbidden' },
  { sends: [], protocols: [], code: 4406, reason: 'Subprotocol not acceptable' },
  { sends: [], options: { connectionInitWaitTimeout: 1 }, code: 4408, reason: 'Connection initialisation timeout' },
  { sends: [init], then: [subscribe, subscribe], code: 4409, reason: 'Subscriber for one already exists' },
  { sends: [init, init], code: 4429, reason: 'Too many initialisation requests' },
  {
    sends: [init],
    options: {
      onConnect() {
        throw new Error('the database is down');
      },
    },
    code: 4500,
    reason: 'the database is down',
  },
];

for (const { sends, then = [], options, protocols = [GRAPHQL_TRANSPORT_WS_PROTOCOL], code, reason } of violations) {
  matrix(`the server closes with ${code}, ${reason}`, async (t, { server, client }) => {
    t.mock.method(console, 'error', () => {});
    const { url } = await start(t, server, options);
    const socket = new client.WebSocket(url, protocols);
    const over = closed(socket);
    const later = [...then];
    socket.onopen = () => sends.forEach((text) => socket.send(text));
    socket.onmessage = () => later.splice(0).forEach((text) => socket.send(text));
    assert.deepEqual(await over, { code, reason, wasClean: true });
  });
}

matrix('a close code of the server reaches who waits for the result', async (t, { server, client }) => {
  const { url } = await start(t, server, { onConnect: () => false });
  await assert.rejects(results(dial(t, client, url), '{ greeting }'), { code: 4403, reason: 'Forbidden', wasClean: true });
});

matrix('a subprotocol that the server does not have fails the connection', async (t, { server, client }) => {
  const { url } = await start(t, server);
  const over = closed(new client.WebSocket(url, 'graphql-ws'));
  assert.equal((await over).code, 1006);
});

matrix('pings of the client are answered', async (t, { server, client }) => {
  const { url } = await start(t, server);
  let pongs = 0;
  dial(t, client, url, { keepAlive: 5, lazy: false, on: { pong: (received) => (pongs += Number(received)) } });
  await until(() => pongs === 3);
});

each(servers, 'clients answer the pings of the server', async (t, server) => {
  const { wss, url } = await start(t, server, { keepAlive: 1000 });
  const sockets = [];
  wss.on('connection', (socket) => sockets.push(socket));
  for (const client of clients) dial(t, client, url, { lazy: false });
  await until(() => sockets.length === clients.length);
  await Promise.all(sockets.map((socket) => once(socket, 'pong')));
  for (const socket of sockets) assert.equal(socket.readyState, socket.OPEN);
});

each(servers, 'a client that leaves pings unanswered is ended', async (t, server) => {
  const { url } = await start(t, server, { keepAlive: 5 });
  const socket = new server.WebSocket(url, GRAPHQL_TRANSPORT_WS_PROTOCOL, { autoPong: false });
  assert.deepEqual(await closed(socket), { code: 1006, reason: '', wasClean: false });
});

matrix('dispose() of the server closes with 1001', async (t, { server, client }) => {
  const { wss, url } = await serve(t, server);
  const { dispose } = useServer({ schema }, wss);
  const socket = new client.WebSocket(url, GRAPHQL_TRANSPORT_WS_PROTOCOL);
  const over = closed(socket);
  await new Promise((resolve) => (socket.onopen = resolve));
  await dispose();
  assert.deepEqual(await over, { code: 1001, reason: 'Going away', wasClean: true });
  // The second close() of the test's end says that there is nothing to close.
  await new Promise((resolve) => wss.close(resolve));
});
