// node node.mjs FOLDER ROUNDS [WORD]...: measures in this process, against the peers that are installed in FOLDER, each
// workload whose name has all the words; a line of JSON for each contender.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Connection, FrameDecoder, FrameEncoder } from 'itoden-wasm/deflate';
import { everywhere } from './contenders.mjs';
import { measure, workloads } from './workloads.mjs';

const [folder, rounds, ...words] = process.argv.slice(2);
const require = createRequire(join(folder, 'package.json'));
const { Receiver, Sender, PerMessageDeflate } = require('ws');
const driver = require('websocket-driver');
const permessageDeflate = require('permessage-deflate');

/** An agreement without parameters, which is what the wire has. */
function agreed(extension) {
  extension.accept([{}]);
  return extension;
}

/** A string of what is text, as each of the others gives. */
const ws = {
  name: 'ws',
  class: 'peer',
  decode({ masked, deflate, chunks, total }) {
    const extensions = deflate
      ? { 'permessage-deflate': agreed(new PerMessageDeflate({ threshold: 0, isServer: masked })) }
      : {};
    const receiver = new Receiver({ isServer: masked, extensions, maxPayload: 16 << 20 });
    return {
      run: () =>
        new Promise((resolve, reject) => {
          let sum = 0;
          receiver.on('error', reject);
          receiver.on('message', (data, isBinary) => {
            sum += isBinary ? data.length : data.toString().length;
            if (sum === total) resolve(sum);
          });
          for (const chunk of chunks) receiver.write(Buffer.from(chunk.buffer));
        }),
      end: () => extensions['permessage-deflate']?.cleanup(),
    };
  },
  encode({ masks, deflate, payloads }) {
    const extensions = deflate
      ? { 'permessage-deflate': agreed(new PerMessageDeflate({ threshold: 0, isServer: !masks })) }
      : {};
    let sum = 0;
    const socket = {
      cork() {},
      uncork() {},
      write(chunk, callback) {
        // What is not masked is given as it was sent, a string too; a socket writes bytes.
        sum += (typeof chunk === 'string' ? Buffer.from(chunk) : chunk).length;
        callback?.();
        return true;
      },
    };
    const sender = new Sender(socket, extensions);
    return {
      run: () =>
        new Promise((resolve) => {
          let left = payloads.length;
          const sent = () => {
            left -= 1;
            if (left === 0) resolve(sum);
          };
          for (const payload of payloads) {
            const binary = typeof payload !== 'string';
            sender.send(payload, { binary, mask: masks, fin: true, compress: deflate }, sent);
          }
        }),
      end: () => extensions['permessage-deflate']?.cleanup(),
    };
  },
};

/** The driver after its handshake, which is played with a key of the RFC. */
function open(masked, deflate) {
  const headers = {
    host: 'example.com', connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', ...(deflate && { 'sec-websocket-extensions': 'permessage-deflate' }),
  };
  const opened = driver.http({ method: 'GET', url: '/', headers, connection: {} }, { maxLength: 16 << 20, requireMasking: masked, masking: !masked });
  if (deflate) opened.addExtension(permessageDeflate);
  opened.io.on('data', () => {});
  opened.start();
  return opened;
}

const websocketDriver = {
  name: 'websocket-driver',
  class: 'peer',
  decode({ masked, deflate, chunks, total }) {
    const receiver = open(masked, deflate);
    return {
      run: () =>
        new Promise((resolve, reject) => {
          let sum = 0;
          receiver.on('error', reject);
          receiver.on('message', ({ data }) => {
            sum += data.length;
            if (sum === total) resolve(sum);
          });
          for (const chunk of chunks) receiver.parse(Buffer.from(chunk.buffer));
        }),
    };
  },
  encode({ masks, deflate, payloads }) {
    const sender = open(!masks, deflate);
    return {
      run: () =>
        new Promise((resolve) => {
          let sum = 0;
          let left = payloads.length;
          sender.io.removeAllListeners('data');
          // Some frames come in two pieces.
          sender.io.on('data', ({ length }) => {
            sum += length;
            left -= 1;
            if (left === 0) resolve(sum);
          });
          for (const payload of payloads) {
            if (typeof payload === 'string') sender.text(payload);
            else sender.binary(Buffer.from(payload.buffer));
          }
        }),
    };
  },
};

const libraries = { Connection, FrameDecoder, FrameEncoder, pako: require('pako') };
const contenders = [...everywhere(libraries).filter(({ name }) => name !== 'JavaScript'), ws, websocketDriver];
for (const shape of workloads.filter(({ name }) => words.every((word) => name.split(' ').includes(word)))) {
  for (const line of await measure(shape, contenders, Number(rounds), Connection)) console.log(JSON.stringify(line));
}
