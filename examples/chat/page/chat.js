// @ts-check
// The room as the page shows it: messages, people, the composer, and the state of the connection.

import { Connection } from './connection.js';
import { byId, element } from './dom.js';
import { showSent, startWirePanel } from './wire.js';

/** @typedef {import('../events.js').ChatEvent} ChatEvent */
/** @typedef {import('../events.js').Message} Message */

const stateText = byId('connection-state', HTMLElement);
const countdown = byId('countdown', HTMLElement);
const reconnect = byId('reconnect', HTMLButtonElement);
const bead = document.querySelector('#bead');
const people = byId('people', HTMLElement);
const log = byId('log', HTMLElement);
const messages = byId('messages', HTMLOListElement);
const newest = byId('newest', HTMLButtonElement);
const notice = byId('notice', HTMLElement);
const composer = byId('composer', HTMLFormElement);
const input = byId('composer-input', HTMLTextAreaElement);
const nameDialog = byId('name-dialog', HTMLDialogElement);
const nameInput = byId('name-input', HTMLInputElement);
const nameProblem = byId('name-problem', HTMLElement);
const wire = byId('wire', HTMLElement);
const showWire = byId('show-wire', HTMLButtonElement);

let myName = '';
/** @type {'idle' | import('./connection.js').State['name']} */
let state = 'idle';
/** @type {ReturnType<typeof setInterval> | undefined} */
let countdownTimer;

const connection = new Connection(showState, showEvent);

/** @param {import('./connection.js').State} next */
function showState(next) {
  state = next.name;
  clearInterval(countdownTimer);
  countdown.textContent = '';
  reconnect.hidden = state !== 'closed';
  document.body.dataset.state = stateText.dataset.state = state;
  stateText.textContent = state;
  if (next.name === 'open') notice.textContent = '';
  if (next.name === 'refused') askName(next.reason);
  if (next.name === 'closed') {
    const tick = () => {
      const seconds = Math.max(0, Math.ceil((next.retryAt - Date.now()) / 1000));
      countdown.textContent = `reconnecting in ${seconds} s`;
    };
    tick();
    countdownTimer = setInterval(tick, 250);
  }
}

/** @param {ChatEvent} event */
function showEvent(event) {
  const follow = isAtEnd() || (event.type === 'message' && event.name === myName);
  switch (event.type) {
    case 'welcome':
      myName = event.you;
      people.replaceChildren();
      event.people.forEach(addPerson);
      log.ariaBusy = 'true'; // what was said before isn't read aloud
      messages.replaceChildren();
      event.history.forEach(addMessage);
      log.ariaBusy = 'false';
      scrollToEnd();
      return;
    case 'message':
      addMessage(event);
      if (event.name !== myName) moveBead('reverse');
      break;
    case 'joined':
      addPerson(event.name);
      addNote(`${event.name} joined`);
      break;
    case 'left':
      removePerson(event.name);
      addNote(`${event.name} left`);
      break;
    case 'error':
      notice.textContent = event.message;
      return;
  }
  if (follow) scrollToEnd();
  else newest.hidden = false;
}

/** @param {Message} message */
function addMessage({ name, text, at }) {
  const date = new Date(at);
  const day = date.toLocaleDateString(undefined, { dateStyle: 'long' });
  const previous = messages.lastElementChild;
  if (lastDay() !== day) addNote(day, 'day');
  const item = element('li', { class: name === myName ? 'message mine' : 'message', 'data-name': name, 'data-day': day });
  // One after another from the same person: the name need not be said again, but for those who can't see the place.
  if (previous instanceof HTMLElement && previous.dataset.name === name && previous.dataset.day === day) {
    item.classList.add('more');
  }
  item.style.setProperty('--hue', String(hueOf(name)));
  item.append(
    element('span', { class: 'face', 'aria-hidden': 'true' }, [...name][0] ?? ''),
    element('span', { class: 'name', dir: 'auto' }, name),
    element(
      'time',
      { datetime: date.toISOString(), title: date.toLocaleString() },
      date.toLocaleTimeString(undefined, { timeStyle: 'short' }),
    ),
    element('p', { class: 'text', dir: 'auto' }, text),
  );
  messages.append(item);
}

function lastDay() {
  const said = messages.querySelectorAll('.message');
  const last = said[said.length - 1];
  return last instanceof HTMLElement ? last.dataset.day : undefined;
}

/**
 * @param {string} text
 * @param {string} [kind]
 */
function addNote(text, kind = '') {
  messages.append(element('li', { class: `aside ${kind}` }, text));
}

/** @param {string} name */
function addPerson(name) {
  const isMe = name === myName;
  const person = element('li', { class: isMe ? 'me' : '', 'data-name': name, dir: 'auto' }, name, isMe ? ' (you)' : '');
  person.style.setProperty('--hue', String(hueOf(name)));
  people.append(person);
}

/** @param {string} name */
function removePerson(name) {
  for (const person of people.querySelectorAll('li')) if (person.dataset.name === name) person.remove();
}

/**
 * Everyone has a colour, which their name decides.
 * @param {string} name
 */
function hueOf(name) {
  let hash = 7;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  return (hash * 47) % 360;
}

function isAtEnd() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 40;
}

function scrollToEnd() {
  log.scrollTop = log.scrollHeight;
  newest.hidden = true;
}

/** @param {'normal' | 'reverse'} direction */
function moveBead(direction) {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  const way = [
    { transform: 'translateX(0)', opacity: 1 },
    { transform: 'translateX(108px)', opacity: 1 },
  ];
  bead?.animate(way, { duration: 450, easing: 'ease-in-out', direction });
}

// The composer

composer.addEventListener('submit', (event) => {
  event.preventDefault();
  const text = input.value;
  if (state !== 'open') {
    notice.textContent = 'There is no connection. Your text stays here until there is.';
    return;
  }
  notice.textContent = '';
  connection.send(text);
  showSent(text);
  moveBead('normal');
  input.value = '';
  input.focus();
});

input.addEventListener('keydown', (event) => {
  // While an input method composes a word, Enter belongs to it.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  composer.requestSubmit();
});

newest.addEventListener('click', scrollToEnd);
log.addEventListener('scroll', () => {
  if (isAtEnd()) newest.hidden = true;
});
reconnect.addEventListener('click', () => connection.connect());

// The wire panel is beside the room, and on a narrow screen in its place

/** @param {boolean} shown */
function toggleWire(shown) {
  document.body.classList.toggle('wire-shown', shown);
  showWire.ariaExpanded = String(shown);
  (shown ? wire : input).focus();
}

showWire.addEventListener('click', () => toggleWire(showWire.ariaExpanded !== 'true'));
byId('hide-wire', HTMLButtonElement).addEventListener('click', () => toggleWire(false));
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && !nameDialog.open) toggleWire(false);
});

// The name

/** @param {string} problem what was wrong with the name before, if anything */
function askName(problem = '') {
  nameProblem.textContent = problem;
  nameInput.value = rememberedName();
  nameDialog.showModal();
  nameInput.select();
}

nameDialog.addEventListener('close', () => {
  // Closed by Escape, and there is no room to go back to.
  if (state === 'idle' || state === 'refused') askName(nameProblem.textContent ?? '');
  else input.focus();
});
byId('name-form', HTMLFormElement).addEventListener('submit', () => {
  const name = nameInput.value.trim();
  try {
    localStorage.setItem('name', name);
  } catch {
    // Storage is switched off: the name is asked for again next time.
  }
  connection.join(name);
});
byId('change-name', HTMLButtonElement).addEventListener('click', () => askName());

function rememberedName() {
  try {
    return localStorage.getItem('name') ?? '';
  } catch {
    return '';
  }
}

startWirePanel();
if (rememberedName()) {
  connection.join(rememberedName());
  input.focus();
} else {
  askName();
}
