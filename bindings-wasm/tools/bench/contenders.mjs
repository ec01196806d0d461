// The contenders that are in Node and in a page: itoden in WebAssembly, and the codec in JavaScript.

import { JavaScriptDecoder, JavaScriptEncoder } from './javascript-codec.mjs';

const lengthOf = (event) => (event.type === 'text' ? event.text : event.payload).length;

/** A connection: messages in and out, and every rule kept. */
const connection = ({ Connection }) => ({
  name: 'itoden Connection',
  class: 'itoden',
  decode({ masked, extensions, chunks }) {
    const receiver = new Connection(masked ? 'server' : 'client', { ...(extensions && { extensions }) });
    return {
      run() {
        let sum = 0;
        for (const chunk of chunks) for (const event of receiver.receive(chunk, { lend: true })) sum += lengthOf(event);
        return sum;
      },
      end: () => receiver.free(),
    };
  },
  encode({ masks, extensions, payloads, burst }) {
    const sender = new Connection(masks ? 'client' : 'server', { compressionThreshold: 0, ...(extensions && { extensions }) });
    return {
      run() {
        let sum = 0;
        for (let at = 0; at < payloads.length; ) {
          for (const end = Math.min(at + burst, payloads.length); at < end; at += 1) {
            const payload = payloads[at];
            if (typeof payload === 'string') sender.sendText(payload);
            else sender.sendBinary(payload, { lend: true });
          }
          // A socket takes several buffers at once, as it does from ws.
          for (const { length } of sender.takeOutputs()) sum += length;
        }
        return sum;
      },
      end: () => sender.free(),
    };
  },
});

/** Frames without a session: text is bytes. */
const frames = ({ FrameDecoder, FrameEncoder }) => ({
  name: 'itoden frames',
  class: 'variant',
  decode({ masked, deflate, kind, chunks }) {
    if (deflate || kind !== 'binary') return undefined;
    const decoder = new FrameDecoder(masked ? 'server' : 'client');
    return {
      run() {
        let sum = 0;
        for (const chunk of chunks) for (const frame of decoder.push(chunk)) sum += frame.payload.length;
        return sum;
      },
      end: () => decoder.free(),
    };
  },
  encode({ masks, deflate, payloads }) {
    if (deflate) return undefined;
    const encoder = new FrameEncoder(masks ? 'client' : 'server');
    return {
      run() {
        let sum = 0;
        for (const payload of payloads) sum += (typeof payload === 'string' ? encoder.encodeText(payload) : encoder.encodeBinary(payload)).length;
        return sum;
      },
    };
  },
});

const javascript = ({ pako }) => ({
  name: 'JavaScript',
  class: 'peer',
  decode({ masked, deflate, chunks }) {
    const decoder = new JavaScriptDecoder({ masked, ...(deflate && { pako }) });
    return {
      run() {
        let sum = 0;
        for (const chunk of chunks) for (const { length } of decoder.push(chunk)) sum += length;
        return sum;
      },
    };
  },
  encode({ masks, deflate, payloads }) {
    const encoder = new JavaScriptEncoder({ masks, ...(deflate && { pako }) });
    return {
      run() {
        let sum = 0;
        for (const payload of payloads) sum += encoder.encode(payload).length;
        return sum;
      },
    };
  },
});

/** @param {object} libraries `Connection`, `FrameDecoder` and `FrameEncoder` of itoden-wasm/deflate, and `pako` */
export const everywhere = (libraries) => [connection, frames, javascript].map((make) => make(libraries));
