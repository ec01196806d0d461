// @ts-check
// The page: where bytes come from, and what is chosen of them.

import init from 'itoden-wasm/deflate';
import initHandshake from 'itoden-wasm/handshake';
import { Composer } from './compose.js';
import { frameRows, messageRows } from './describe.js';
import { drawDetail } from './detail.js';
import { byId, element } from './dom.js';
import { examples } from './examples.js';
import { List } from './list.js';
import { Strip, drawFigures, drawNotes, drawOpening } from './overview.js';
import { readBytes, readFile, readPasted } from './readers/file.js';
import { ReadError } from './readers/text.js';
import { startTabs } from './tabs.js';
import { byteCount, counted } from './words.js';

/** @typedef {import('./readers/file.js').Capture} Capture */
/** @typedef {import('./session.js').Session} Session */

/** How long the page reads at a stretch, in milliseconds, before it looks at the keyboard again. */
const STRETCH = 12;
/** The largest file that is read. */
const LARGEST_FILE = 512 << 20;

const status = byId('status', HTMLElement);
const problem = byId('problem', HTMLElement);
const progress = byId('progress', HTMLProgressElement);
const pasted = byId('pasted', HTMLTextAreaElement);
const fileInput = byId('file', HTMLInputElement);
const connections = byId('connections', HTMLSelectElement);
const capturePart = byId('capture', HTMLElement);
const sender = byId('sender', HTMLSelectElement);
const extensions = byId('extensions', HTMLInputElement);
const midstream = byId('midstream', HTMLInputElement);

/** @type {Capture | undefined} */
let capture;
/** @type {Session | undefined} */
let session;
let start = 0;
let frameIndex = -1;
let focusBytes = () => {};
/** Each reading ends those before it. */
let reading = 0;
/** What to read again when a setting changes. */
let readAgain = () => {};
/** What the panel of files shows: the last one. */
let readFileAgain = () => fail('');

const list = new List((row) => showFrame(isByMessage() ? (session?.message(row).first ?? 0) : row, false));
const strip = new Strip((index) => showFrame(index));
const composer = new Composer(
  (bytes, role, negotiated) => {
    const settings = { sender: role, extensions: negotiated, midstream: false };
    void read('Typed', () => readBytes('typed', bytes, settings, byteCount(bytes.length)), Infinity);
  },
  (text) => fail(text),
);

function settings() {
  const value = sender.value === 'client' || sender.value === 'server' ? sender.value : 'any';
  return { sender: /** @type {'any' | 'client' | 'server'} */ (value), extensions: extensions.value.trim(), midstream: midstream.checked };
}

/** @param {string} text */
function fail(text) {
  reading += 1;
  progress.hidden = true;
  capturePart.hidden = true;
  status.textContent = '';
  problem.textContent = text;
}

/** A pause in which the browser draws and listens. @returns {Promise<void>} */
function pause() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve();
    port2.postMessage(null);
  });
}

/**
 * Reads with pauses; shows it, or says why it can't be read.
 * @param {string} name
 * @param {() => Generator<number, Capture>} begin
 * @param {number} [choice] which frame is chosen: the first, an error if there is one, or Infinity for the last
 */
async function read(name, begin, choice = 0) {
  const mine = (reading += 1);
  problem.textContent = '';
  try {
    const steps = begin();
    for (let from = performance.now(); ; ) {
      const step = steps.next();
      if (step.done) return showCapture(name, step.value, choice);
      if (performance.now() - from < STRETCH) continue;
      progress.hidden = false;
      progress.value = Math.min(step.value, 1);
      status.textContent = `Reading ${name} …`;
      await pause();
      if (mine !== reading) return;
      from = performance.now();
    }
  } catch (error) {
    if (mine !== reading) return;
    if (!(error instanceof ReadError)) console.error(error);
    fail(error instanceof ReadError ? error.message : `${name} could not be read: ${error}`);
  }
}

/** @param {string} name @param {Capture} read @param {number} choice */
function showCapture(name, read, choice) {
  capture = read;
  progress.hidden = true;
  capturePart.hidden = false;
  const [frames, errors] = read.sessions.reduce(([sum, bad], each) => [sum + each.sums.client.frames + each.sums.server.frames, bad + each.errors.size], [0, 0]);
  const parts = [counted(read.sessions.length, 'connection'), counted(frames, 'frame'), errors ? counted(errors, 'error') : 'no errors'];
  status.textContent = `${name}: ${read.kind}; ${parts.join(', ')}.`;
  byId('connections-label', HTMLElement).hidden = read.sessions.length < 2;
  connections.replaceChildren(
    ...read.sessions.map((each, index) =>
      element('option', { value: String(index) }, `${each.title} (${counted(each.itemCount, 'frame')}${each.errors.size ? `, ${counted(each.errors.size, 'error')}` : ''})`),
    ),
  );
  showSession(0, choice);
}

/** @param {number} index @param {number} [choice] */
function showSession(index, choice = 0) {
  session = capture?.sessions[index];
  if (!session || !capture) return;
  const times = session.lanes.map((lane) => lane.times.at(0)).filter((time) => !Number.isNaN(time));
  start = times.length ? Math.min(...times) : NaN;
  drawNotes([...capture.notes, ...session.notes]);
  drawOpening(session);
  drawFigures(session);
  strip.show(session, start);
  showRows();
  const first = choice === 0 ? (session.errors.keys().next().value ?? 0) : choice;
  if (session.itemCount > 0) showFrame(Math.min(first, session.itemCount - 1));
  else byId('detail', HTMLElement).replaceChildren(element('p', { class: 'note' }, 'There are no frames in it.'));
}

const isByMessage = () => document.querySelector('input[name="list"]:checked')?.getAttribute('value') === 'messages';

function showRows() {
  if (!session) return;
  if (isByMessage()) list.show(messageRows(session, start), 'Messages');
  else list.show(frameRows(session, start), 'Frames');
}

/** @param {number} index @param {boolean} [inList] whether the list is to follow */
function showFrame(index, inList = true) {
  if (!session || session.itemCount === 0) return;
  frameIndex = index;
  const message = session.item(index).message;
  if (inList && !isByMessage()) list.choose(index, { tells: false });
  else if (inList && !Number.isNaN(message)) list.choose(message, { tells: false });
  const drawn = drawDetail({ session, index, start, onLeave: () => list.focus(), onFrame: showFrame });
  focusBytes = drawn.focusBytes;
  strip.choose(index);
}

function showNextError() {
  const errors = [...(session?.errors.keys() ?? [])];
  const next = errors.find((index) => index > frameIndex) ?? errors[0];
  if (next !== undefined) showFrame(next);
}

/** @param {File} file */
async function open(file) {
  tabs.choose('file');
  if (file.size > LARGEST_FILE) return fail(`${file.name} has ${byteCount(file.size)}; files up to ${byteCount(LARGEST_FILE)} are read.`);
  fail('');
  status.textContent = `Reading ${file.name} …`;
  const mine = reading;
  let bytes;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch (error) {
    return fail(`${file.name} could not be read: ${error}. If it is a folder, choose a file in it.`);
  }
  if (mine !== reading) return;
  readFileAgain = () => {
    readAgain = readFileAgain;
    void read(file.name, () => readFile(file.name, bytes, settings()));
  };
  readFileAgain();
}

function readTextarea() {
  readAgain = readTextarea;
  if (!pasted.value.trim()) return fail('');
  const name = pasted.value === examples[0]?.text ? 'An example' : 'Pasted';
  void read(name, () => readPasted('pasted', pasted.value, settings()));
}

/** Who comes sees a frame at once, which the first paste replaces. */
function beginWithExample() {
  if (pasted.value) return;
  pasted.value = examples[0]?.text ?? '';
  pasted.addEventListener('focus', () => pasted.select(), { once: true });
}

function listen() {
  pasted.addEventListener('input', readTextarea);
  fileInput.addEventListener('change', () => fileInput.files?.[0] && open(fileInput.files[0]));
  for (const setting of [sender, extensions, midstream]) setting.addEventListener('change', () => readAgain());
  connections.addEventListener('change', () => showSession(Number(connections.value)));
  byId('next-error', HTMLButtonElement).addEventListener('click', showNextError);
  for (const choice of document.querySelectorAll('input[name="list"]')) {
    choice.addEventListener('change', () => {
      showRows();
      showFrame(Math.max(frameIndex, 0));
    });
  }
  byId('list', HTMLElement).addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === 'e' || event.key === 'E') showNextError();
    else if (event.key === 'ArrowRight' || event.key === 'Enter') focusBytes();
    else return;
    event.preventDefault();
  });
  // Without these a browser would leave the page for the file that is dropped on it.
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    document.body.classList.add('dropping');
  });
  document.addEventListener('dragleave', ({ relatedTarget }) => relatedTarget ?? document.body.classList.remove('dropping'));
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    document.body.classList.remove('dropping');
    const file = event.dataTransfer?.files[0];
    if (file && event.dataTransfer) {
      fileInput.files = event.dataTransfer.files; // so that its name stands there
      void open(file);
    } else fail('What was dropped is no file.');
  });
}

function offerExamples() {
  const buttons = examples.map((example) => {
    const button = element('button', { type: 'button', class: 'link' }, example.name);
    button.addEventListener('click', () => {
      pasted.value = example.text;
      extensions.value = example.extensions ?? '';
      sender.value = example.sender ?? 'any';
      midstream.checked = false;
      byId('settings', HTMLDetailsElement).open = Boolean(example.extensions || example.sender);
      readTextarea();
    });
    return button;
  });
  byId('examples', HTMLElement).replaceChildren(...buttons);
}

const tabs = startTabs((name) => {
  byId('settings', HTMLElement).hidden = name === 'type';
  readAgain = () => {};
  if (name === 'type') composer.show();
  else if (name === 'paste') readTextarea();
  else readFileAgain();
});

try {
  await Promise.all([init(), initHandshake()]);
  offerExamples();
  beginWithExample();
  listen();
  readTextarea();
  document.documentElement.dataset.ready = '';
} catch (error) {
  fail(`The codec could not be loaded, so nothing can be shown: ${error}`);
}

// Offline the page comes from what this worker has kept. Where there are none, as over plain http, it only needs the network.
navigator.serviceWorker?.register('service-worker.js').catch((error) => console.warn(`Without offline use: ${error}`));
