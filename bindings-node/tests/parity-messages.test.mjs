// Messages, control frames, closing: the same with ws and here.

import { Blob } from 'node:buffer';
import { once } from 'node:events';
import { ending, frame, next, parity } from './parity.mjs';

const sendable = [
  ['text', () => 'κόσμε'],
  ['an empty text', () => ''],
  ['a number', () => 42],
  ['zero', () => 0],
  ['a Buffer', () => Buffer.from([1, 2, 3])],
  ['a Uint16Array', () => new Uint16Array([1, 2])],
  ['a DataView', () => new DataView(new Uint8Array([7, 8, 9]).buffer, 1, 1)],
  ['an ArrayBuffer', () => new Uint8Array([4, 5]).buffer],
  ['a SharedArrayBuffer', () => new SharedArrayBuffer(2)],
  ['an array', () => [1, 2, 25]],
  ['undefined', () => undefined],
  ['null', () => null],
  ['an object with a valueOf', () => ({ valueOf: () => 'value' })],
  ['an object with Symbol.toPrimitive', () => ({ [Symbol.toPrimitive]: () => 'primitive' })],
  ['a Blob', () => new Blob(['a ', 'blob'])],
  ['an empty Blob', () => new Blob([])],
];

for (const [what, make] of sendable) {
  parity(`${what} arrives as it is sent`, async (stage) => {
    const { client, server } = await stage.pair();
    for (const options of [{}, { binary: true }, { binary: false }]) {
      const got = next(server);
      // Anew each time: ws masks shared memory where it lies.
      client.send(make(), options);
      stage.note(...(await got));
    }
    for (const kind of ['ping', 'pong']) {
      const got = once(server, kind);
      client[kind](make());
      stage.note(kind, ...(await got));
    }
  });
}

parity('what is sent behind a Blob arrives behind it', async (stage) => {
  const { client, server } = await stage.pair();
  stage.watch('server', server, ['message', 'ping', 'pong', 'close']);
  const order = [];
  const blob = new Blob(['x'.repeat(1000)]);
  client.send(blob, () => order.push('blob'));
  stage.note('buffered', client.bufferedAmount);
  client.send('text', () => order.push('text'));
  client.ping('ping', true, () => order.push('ping'));
  client.send(blob, { fin: false });
  client.send('end', { fin: true }, () => order.push('end'));
  client.pong(new Blob(['pong']), true, () => order.push('pong'));
  client.close(1000, 'bye');
  stage.note('state', client.readyState);
  await Promise.all([ending(server), ending(client)]);
  stage.note(order);
});

parity('a Blob that is being read when the connection ends is told to its callback', async (stage) => {
  const { client } = await stage.pair();
  const end = ending(client);
  const failed = new Promise((resolve) => client.send(new Blob(['late']), resolve));
  client.terminate();
  stage.note(await failed, await end);
});

for (const binaryType of ['nodebuffer', 'arraybuffer', 'fragments']) {
  parity(`binaryType ${binaryType} with whole and with fragmented messages`, async (stage) => {
    const { server, socket } = await stage.rawPair();
    server.binaryType = binaryType;
    stage.note(server.binaryType);
    stage.watch('server', server, ['message', 'ping']);
    const got = next(server, 5);
    // The type counts for what comes behind it, so wait until it is set where the frames are decoded.
    socket.write(frame(9, 'now'));
    await once(server, 'ping');
    socket.write(
      Buffer.concat([
        frame(2, 'whole'),
        frame(2, 'one ', { fin: false }), frame(9, 'between'), frame(0, '', { fin: false }), frame(0, 'two'),
        frame(1, 'te', { fin: false }), frame(0, 'xt'),
        frame(2, ''),
        frame(1, 'last'),
      ]),
    ); // prettier-ignore
    await got;
  });
}

parity("binaryType 'blob' gives Blobs", async (stage) => {
  const { client, server } = await stage.pair();
  server.binaryType = 'blob';
  const got = next(server, 2);
  client.send(Buffer.from('some bytes'));
  client.send('text');
  const [[blob, isBinary], text] = await got;
  stage.note(blob instanceof Blob, blob.size, blob.type, await blob.text(), isBinary, ...text);
});

parity('binaryType can be changed, and not to nonsense', async (stage) => {
  const { client, server } = await stage.pair();
  for (const type of ['arraybuffer', 'fragments', 'nonsense', 'nodebuffer']) {
    server.binaryType = type;
    stage.note(server.binaryType);
    const [pong, got] = [once(server, 'pong'), next(server)];
    server.ping();
    await pong;
    client.send(Buffer.from('bytes'));
    stage.note(...(await got));
  }
});

parity('pings are answered, or not if autoPong is false', async (stage) => {
  for (const autoPong of [true, false]) {
    const { client, server } = await stage.pair({ server: { autoPong } });
    stage.watch('client', client, ['pong']);
    stage.watch('server', server, ['ping']);
    const [pinged, ponged] = [once(server, 'ping'), once(client, 'pong')];
    client.ping('are you there?');
    await pinged;
    if (!autoPong) server.pong('by hand');
    await ponged;
    client.terminate();
    await ending(server);
  }
});

const CLOSES = [[], [1000], [1000, 'fine'], [4999, 'κόσμε'], [3000, Buffer.from('bytes')], [1001, new Uint8Array([65, 66])], [undefined, 'no code']]; // prettier-ignore

for (const args of CLOSES) {
  parity(`close(${args.join(', ')}) is told to both ends`, async (stage) => {
    for (const who of ['client', 'server']) {
      const pair = await stage.pair();
      const clean = new Promise((resolve) => pair[who].addEventListener('close', resolve));
      pair[who].close(...args);
      stage.note(pair[who].readyState, ...(await Promise.all([ending(pair.client), ending(pair.server)])));
      const { type, code, reason, wasClean, target } = await clean;
      stage.note(type, code, reason, wasClean, target === pair[who], target.readyState);
    }
  });
}

parity('terminate() is 1006 at both ends', async (stage) => {
  for (const who of ['client', 'server']) {
    const pair = await stage.pair();
    pair[who].terminate();
    stage.note(pair[who].readyState, ...(await Promise.all([ending(pair.client), ending(pair.server)])));
  }
});

parity('what is sent too late is told to the callback and counted', async (stage) => {
  const { client } = await stage.pair();
  const late = (kind) => new Promise((resolve) => client[kind]('late', kind === 'send' ? {} : true, resolve));
  client.close();
  stage.note(await late('send'), await late('ping'), await late('pong'));
  await ending(client);
  stage.note(await late('send'), client.bufferedAmount);
  stage.note(client.close(), client.terminate(), client.pause(), client.isPaused);
});

parity('arguments that can not be sent throw', async (stage) => {
  const { client } = await stage.pair();
  for (const data of [{}, true, Symbol('x')]) {
    for (const kind of ['send', 'ping', 'pong']) {
      let threw = false;
      try {
        client[kind](data);
      } catch {
        threw = true;
      }
      stage.note(kind, typeof data, threw);
    }
  }
  for (const args of [[999], [1004], [1005], [1006], [1015], [2999], [5000], ['1000'], [1000, 'x'.repeat(124)]]) {
    let threw = false;
    try {
      client.close(...args);
    } catch {
      threw = true;
    }
    stage.note(args[0], threw, client.readyState);
  }
  for (const kind of ['ping', 'pong']) {
    let threw = false;
    try {
      client[kind]('x'.repeat(126));
    } catch {
      threw = true;
    }
    stage.note(kind, threw);
  }
});

const MISDEEDS = [
  ['no mask', [frame(1, 'x', { masked: false })]],
  ['RSV1', [frame(1, 'x', { rsv: 4 })]],
  ['RSV2', [frame(1, 'x', { rsv: 2 })]],
  ['RSV3', [frame(1, 'x', { rsv: 1 })]],
  ['all reserved bits', [frame(1, 'x', { rsv: 7 })]],
  ['opcode 3', [frame(3)]],
  ['opcode 11', [frame(11)]],
  ['a continuation of nothing', [frame(0)]],
  ['a message within another', [frame(1, 'a', { fin: false }), frame(1, 'b')]],
  ['a fragmented ping', [frame(9, '', { fin: false })]],
  ['a long ping', [frame(9, 'x'.repeat(126))]],
  ['a Close frame of one byte', [frame(8, 'x')]],
  ['a close code of 1006', [frame(8, Buffer.from([3, 238]))]],
  ['text that is not UTF-8', [frame(1, Buffer.from([0xc0, 0xaf]))]],
  ['a reason that is not UTF-8', [frame(8, Buffer.from([3, 232, 0xff]))]],
  ['a message above maxPayload', [frame(2, Buffer.alloc(1001))]],
  ['fragments above maxPayload', [frame(2, Buffer.alloc(999), { fin: false }), frame(0, 'ab')]],
  ['more than maxFragments', Array.from({ length: 4 }, (_, index) => frame(index ? 0 : 2, 'x', { fin: false }))],
];

for (const [what, frames] of MISDEEDS) {
  parity(`${what} is the same error, close code and end`, async (stage) => {
    const { server, socket, frames: until } = await stage.rawPair({ maxPayload: 1000, maxFragments: 3 });
    stage.watch('server', server, ['message', 'error', 'close']);
    const end = ending(server);
    socket.write(Buffer.concat([frame(1, 'before'), ...frames]));
    const close = await until((bytes) => (bytes[0] === 0x88 && bytes.length >= 4 ? bytes.readUInt16BE(2) : undefined));
    socket.end();
    await end;
    stage.note('on the wire', close);
  });
}

parity('while paused nothing is told', async (stage) => {
  const { client, server } = await stage.pair();
  server.pause();
  stage.note(server.isPaused);
  stage.watch('server', server, ['message']);
  client.send('one');
  client.send('two');
  const pong = once(client, 'pong');
  client.ping();
  await new Promise(setImmediate);
  const got = next(server, 2);
  stage.note('resumed');
  server.resume();
  stage.note(server.isPaused);
  await Promise.all([got, pong]);
});

parity('with allowSynchronousEvents false each event has a turn of its own', async (stage) => {
  const { server, socket } = await stage.rawPair({ allowSynchronousEvents: false });
  let turn = 0;
  const turns = new Set();
  const tick = () => {
    turn += 1;
    if (server.readyState !== server.CLOSED) setImmediate(tick);
  };
  setImmediate(tick);
  for (const event of ['message', 'ping', 'pong']) {
    server.on(event, (data) => {
      stage.note(event, data, 'alone', !turns.has(turn));
      turns.add(turn);
      // Microtasks of one come before the next.
      Promise.resolve().then(() => stage.note('after', event));
    });
  }
  stage.watch('server', server, ['close']);
  const end = ending(server);
  socket.write(
    Buffer.concat([
      frame(1, 'one'), frame(2, 'two'), frame(9, 'three'), frame(10, 'four'), frame(1, 'five'),
      frame(8, Buffer.from([3, 232])),
    ]),
  ); // prettier-ignore
  socket.on('data', () => {});
  socket.on('end', () => socket.end());
  await end;
});

parity('handlers as in a browser get the same events', async (stage) => {
  const { client, server } = await stage.pair();
  const note = ({ type, target, data, code, reason, wasClean }) =>
    stage.note(type, target === server, data, code, reason, wasClean);
  server.onmessage = note;
  server.addEventListener('message', { handleEvent: note }, { once: true });
  server.addEventListener('close', note);
  server.addEventListener('close', note);
  server.addEventListener('nonsense', note);
  const got = next(server, 2);
  client.send('text');
  client.send(Buffer.from('bytes'));
  await got;
  stage.note(server.onmessage === note, server.onerror, server.listenerCount('close'));
  server.onmessage = null;
  server.removeEventListener('close', note);
  server.onclose = note;
  client.close(3001, 'done');
  await ending(server);
});

parity('a message may be sent in fragments, with a ping between them', async (stage) => {
  const { client, server } = await stage.pair();
  stage.watch('server', server, ['message', 'ping']);
  const got = next(server, 3);
  client.send('one ', { fin: false });
  client.ping('between');
  client.send('two ', { fin: false, binary: true });
  client.send('three', { fin: true });
  client.send(Buffer.from('bin'), { fin: false });
  client.send(Buffer.from('ary'));
  client.send('whole');
  await got;
});

parity('callbacks of what is sent are called in order, without an error', async (stage) => {
  const { client } = await stage.pair();
  const done = [];
  await new Promise((resolve) => {
    client.send('a', (error) => done.push(['send', error ?? null]));
    client.ping((error) => done.push(['ping', error ?? null]));
    client.pong('x', (error) => done.push(['pong', error ?? null]));
    client.send('b', { compress: false }, (error) => resolve(done.push(['send', error ?? null])));
  });
  stage.note(done);
});
