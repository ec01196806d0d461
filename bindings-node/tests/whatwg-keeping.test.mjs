// What keeps a WebSocket of itoden/whatwg from being collected, and a process from ending: the garbage-collection rules of the
// standard. Each program runs in a process of its own; a server in this one tells how its connection ended.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { closed, each, plain, startServer } from './helpers.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

const PRELUDE = (url, transport) => `
  import { WebSocket, WebSocketStream } from 'itoden/whatwg';
  const url = '${url}';
  const make = () => new WebSocket(url, { node: { transport: '${transport}' } });
  const next = (target, type) => new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
  /** Whether it is collected, after as many tries as would be enough. */
  const isCollected = async (ref) => {
    for (let tries = 0; tries < 40; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      globalThis.gc?.();
      if (!ref.deref()) return true;
    }
    return false;
  };
`;

/** Runs a program; a process that does not end by itself is killed, and fails. */
async function program(url, transport, source) {
  const { stdout } = await run(process.execPath, ['--expose-gc', '--input-type=module', '--eval', PRELUDE(url, transport) + source], {
    cwd: root,
    timeout: 20_000,
  });
  return stdout.trim();
}

/** How the first connection to a server ends. */
async function endOf(wss) {
  const [peer] = await once(wss, 'connection');
  return closed(peer);
}

describe('keeping', { concurrency: 4 }, () => {
  // Collecting.

  each('an open WebSocket that nobody can hear is collected, and the server gets a Close frame without a code', async (t, transport) => {
    const { wss, url } = await startServer(t, transport);
    const end = endOf(wss);
    const printed = await program(
      url,
      transport,
      `
      const ref = await (async () => {
        const ws = make();
        await next(ws, 'open');
        return new WeakRef(ws);
      })();
      const alive = setInterval(() => {}, 1000);
      console.log(await isCollected(ref));
      setTimeout(() => clearInterval(alive), 200);
      `,
    );
    assert.equal(printed, 'true');
    assert.deepEqual(await end, [1005, '']);
  });

  for (const [listener, state, kept] of [
    ["ws.onmessage = () => {}", 'OPEN', true],
    ["ws.onerror = () => {}", 'OPEN', true],
    ["ws.onclose = () => {}", 'OPEN', true],
    ["ws.addEventListener('message', () => {})", 'OPEN', true],
    ["ws.addEventListener('close', { handleEvent() {} })", 'OPEN', true],
    ["ws.onopen = () => {}", 'OPEN', false],
    ["ws.addEventListener('other', () => {})", 'OPEN', false],
    ["ws.onmessage = () => {}; ws.onmessage = null", 'OPEN', false],
    ["const f = () => {}; ws.addEventListener('close', f); ws.removeEventListener('close', f)", 'OPEN', false],
    ["ws.addEventListener('message', () => {}, { once: true }); ws.dispatchEvent(new Event('message'))", 'OPEN', false],
    ["const c = new AbortController(); ws.addEventListener('close', () => {}, { signal: c.signal }); c.abort()", 'OPEN', false],
    ['', 'CONNECTING', false],
    ["ws.onopen = () => {}", 'CONNECTING', true],
    ["ws.onmessage = () => {}", 'CONNECTING', true],
    ["ws.onerror = () => {}", 'CONNECTING', true],
    ["ws.onclose = () => {}", 'CONNECTING', true],
    ["ws.onmessage = () => {}; ws.close()", 'CLOSING', false],
    ["ws.onclose = () => {}; ws.close()", 'CLOSING', true],
    ["ws.onerror = () => {}; ws.close()", 'CLOSING', true],
  ]) {
    plain(`while ${state} it is ${kept ? '' : 'not '}kept by: ${listener || 'nothing'}`, async (t) => {
      let answer;
      const { wss, url } = await startServer(t, 'stream', state === 'CONNECTING' ? { verifyClient: (_info, done) => (answer = done) } : {});
      // Nothing is answered any more, so that it stays in its state.
      if (state === 'CLOSING') wss.on('connection', (peer) => peer.pause());
      const printed = await program(
        url,
        'native',
        `
        const ref = await (async () => {
          const ws = make();
          ${state === 'CONNECTING' ? '' : "await next(ws, 'open');"}
          ${listener};
          if (ws.readyState !== WebSocket.${state}) throw new Error('it is in state ' + ws.readyState);
          return new WeakRef(ws);
        })();
        console.log(await isCollected(ref));
        process.exit();
        `,
      );
      answer?.(false);
      assert.equal(printed, String(!kept));
    });
  }

  plain('one whose data waits to be sent is kept until they are', async (t) => {
    const { wss, url } = await startServer(t, 'native');
    const arrived = once(wss, 'connection');
    const size = 32 << 20;
    const printing = program(
      url,
      'native',
      `
      const ref = await (async () => {
        const ws = make();
        await next(ws, 'open');
        ws.send(new Uint8Array(${size}));
        return new WeakRef(ws);
      })();
      console.log(await isCollected(ref));
      fetch(url.replace('ws', 'http')).catch(() => {});
      const alive = setInterval(() => {}, 1000);
      while (!(await isCollected(ref)));
      console.log('sent and collected');
      clearInterval(alive);
      `,
    );
    const [peer] = await arrived;
    peer.pause();
    let received = 0;
    const end = closed(peer);
    peer.on('message', (data) => (received += data.length));
    // The program says by a request that it has looked.
    await once(wss, 'wsClientError');
    peer.resume();
    assert.equal(await printing, 'false\nsent and collected');
    await end;
    assert.equal(received, size);
  });

  plain('once it is closed it is collected, whoever listens', async (t) => {
    const { url } = await startServer(t, 'native');
    const printed = await program(
      url,
      'native',
      `
      const ref = await (async () => {
        const ws = make();
        ws.onmessage = ws.onerror = ws.onopen = () => {};
        ws.onclose = () => {};
        await next(ws, 'open');
        ws.close();
        await next(ws, 'close');
        return new WeakRef(ws);
      })();
      console.log(await isCollected(ref));
      `,
    );
    assert.equal(printed, 'true');
  });

  plain('a WebSocketStream is kept while it is open', async (t) => {
    const { url } = await startServer(t, 'native');
    const printed = await program(
      url,
      'native',
      `
      const ref = await (async () => {
        const stream = new WebSocketStream(url);
        await stream.opened;
        return new WeakRef(stream);
      })();
      console.log(await isCollected(ref));
      ref.deref().close();
      `,
    );
    assert.equal(printed, 'false');
  });

  // The process.

  each('an open connection that somebody listens to keeps the process alive', async (t, transport) => {
    const { wss, url } = await startServer(t, transport);
    wss.on('connection', (peer) => {
      // Longer than a process would need to end.
      setTimeout(() => peer.send('still there'), 300);
    });
    assert.equal(
      await program(url, transport, "const ws = make(); ws.onmessage = ({ data }) => { console.log(data); ws.onmessage = null; };"),
      'still there',
    );
  });

  each('an open connection that nobody listens to does not keep the process alive, and the server hears 1001', async (t, transport) => {
    const { wss, url } = await startServer(t, transport);
    const end = endOf(wss);
    assert.equal(await program(url, transport, "const ws = make(); await next(ws, 'open'); globalThis.kept = ws; console.log('open');"), 'open');
    assert.deepEqual(await end, [1001, '']);
  });

  each('a server that does not answer does not keep the process alive', async (t, transport) => {
    const { wss, url } = await startServer(t, transport);
    wss.on('connection', (peer) => peer.pause());
    assert.equal(await program(url, transport, "const ws = make(); await next(ws, 'open'); globalThis.kept = ws; console.log('open');"), 'open');
  });

  each('what was sent leaves before the process ends', async (t, transport) => {
    const { wss, url } = await startServer(t, transport);
    const arrived = once(wss, 'connection');
    const printing = program(url, transport, "const ws = make(); await next(ws, 'open'); ws.send(new Blob([new Uint8Array(8 << 20)])); ws.send('last');");
    const [peer] = await arrived;
    const got = [];
    peer.on('message', (data) => got.push(data.length));
    const end = closed(peer);
    await printing;
    await end;
    assert.deepEqual(got, [8 << 20, 4]);
  });

  each('a listener that is added later keeps the process alive again', async (t, transport) => {
    const { wss, url } = await startServer(t, transport);
    wss.on('connection', (peer) => peer.on('message', () => setTimeout(() => peer.close(4000, 'late'), 200)));
    const printed = await program(
      url,
      transport,
      `
      const ws = make();
      await next(ws, 'open');
      setTimeout(() => {
        ws.onclose = ({ code }) => console.log(code);
        ws.send('now');
      }, 50);
      `,
    );
    assert.equal(printed, '4000');
  });

  each('a closing handshake is finished before the process ends', async (t, transport) => {
    const { wss, url } = await startServer(t, transport);
    const end = endOf(wss);
    await program(url, transport, "const ws = make(); await next(ws, 'open'); ws.close(4001, 'bye');");
    assert.deepEqual(await end, [4001, 'bye']);
  });

  each('the process ends after a refused connection', async (_t, transport) => {
    const source = "const ws = make(); ws.onclose = ({ code }) => console.log(code); ws.onopen = ws.onmessage = () => {};";
    assert.equal(await program('ws://127.0.0.1:2', transport, source), '1006');
  });

  each('the process ends after a WebSocketStream is closed', async (t, transport) => {
    const { url } = await startServer(t, transport);
    const source = `
      const stream = new WebSocketStream(url, { node: { transport: '${transport}' } });
      const { readable } = await stream.opened;
      stream.close();
      console.log((await stream.closed).closeCode, (await readable.getReader().read()).done);`;
    assert.equal(await program(url, transport, source), '1005 true');
  });
});
