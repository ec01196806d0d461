// @ts-check
// The panel "On the wire": the messages that were sent, and the frame of the one that is chosen. The itoden codec, in
// WebAssembly, makes the frame and takes it apart again; this file only draws what the codec says.

import init, { FrameDecoder, FrameEncoder } from '/itoden-wasm/index.js';
import { byId, element } from './dom.js';
import { drawFrame } from './frame.js';

const MESSAGES_KEPT = 20;
const EXAMPLE = { text: 'Hello', key: Uint8Array.of(0x37, 0xfa, 0x21, 0x3d), source: 'the example of RFC 6455 §5.7' };

const form = byId('wire-form', HTMLFormElement);
const list = byId('sent', HTMLElement);
const useOwnKey = byId('use-own-key', HTMLInputElement);
const ownKeyInput = byId('own-key', HTMLInputElement);
const ownKeyProblem = byId('own-key-problem', HTMLElement);
const codecProblem = byId('wire-problem', HTMLElement);

/** @type {Map<string, { text: string, key: Uint8Array }>} by the value of its radio button, oldest first */
const sent = new Map();
let ownKey = EXAMPLE.key;
let nextId = 1;
/** @type {{ encoder: FrameEncoder, decoder: FrameDecoder } | undefined} */
let codec;

/** Loads the codec and shows an example, so that there is something to see before anything is said. */
export async function startWirePanel() {
  add(EXAMPLE.text, EXAMPLE.key, EXAMPLE.source);
  try {
    await init();
    // A page is a client, so its frames are masked; who takes them apart is the server (RFC 6455 §5.3).
    codec = { encoder: new FrameEncoder('client'), decoder: new FrameDecoder('server') };
    showChosen();
  } catch (error) {
    codecProblem.textContent = `The codec could not be loaded, so no frame is shown: ${error}`;
  }
}

/**
 * Adds a message that was sent, and shows it.
 * @param {string} text
 */
export function showSent(text) {
  add(text, nextKey());
}

/**
 * @param {string} text
 * @param {Uint8Array} key
 * @param {string} source
 */
function add(text, key, source = '') {
  const id = String(nextId++);
  sent.set(id, { text, key });
  const choice = element('input', { type: 'radio', name: 'sent', value: id });
  const said = element('span', { class: 'said', dir: 'auto' }, text);
  list.prepend(element('label', {}, choice, said, element('span', { class: 'source' }, source)));
  choice.click();
  list.scrollTop = 0;
  if (sent.size > MESSAGES_KEPT) {
    sent.delete([...sent.keys()][0] ?? '');
    list.lastElementChild?.remove();
  }
}

function chosen() {
  return sent.get(String(new FormData(form).get('sent')));
}

function showChosen() {
  const message = chosen();
  if (!codec || !message) return;
  const bytes = codec.encoder.encodeText(message.text, { maskingKey: message.key });
  const [frame] = codec.decoder.push(bytes);
  if (frame) drawFrame(bytes, frame);
}

function nextKey() {
  return useOwnKey.checked ? ownKey : crypto.getRandomValues(new Uint8Array(4));
}

/** Takes the reader's own key over, if it is one. */
function readOwnKey() {
  const digits = ownKeyInput.value.replaceAll(' ', '');
  const isKey = /^[0-9a-f]{8}$/i.test(digits);
  ownKeyInput.ariaInvalid = String(!isKey);
  ownKeyProblem.textContent = isKey ? '' : `A masking key is 8 hex digits; this is '${digits}'.`;
  if (isKey) ownKey = Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  return isKey;
}

form.addEventListener('input', ({ target }) => {
  if (target === ownKeyInput) useOwnKey.checked = true;
  const isKeyChange = target === ownKeyInput || (target instanceof HTMLInputElement && target.name === 'key');
  const message = chosen();
  // A new choice of key holds for all messages to come, and at once for the one that is shown.
  if (isKeyChange && readOwnKey() && message) message.key = nextKey();
  showChosen();
});
form.addEventListener('submit', (event) => event.preventDefault());
