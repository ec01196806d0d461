// @ts-check
// Three panels, of which one is shown. The arrow keys choose, as ARIA's pattern for tabs has it.

import { byId } from './dom.js';

const names = ['paste', 'file', 'type'];

/** @param {(name: string) => void} onChoose @returns {{ choose: (name: string) => void }} `choose` tells nobody */
export function startTabs(onChoose) {
  const tabs = names.map((name) => byId(`tab-${name}`, HTMLButtonElement));

  /** @param {string} name */
  function choose(name) {
    for (const [index, tab] of tabs.entries()) {
      const isChosen = names[index] === name;
      tab.setAttribute('aria-selected', String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      byId(`panel-${names[index]}`, HTMLElement).hidden = !isChosen;
    }
  }

  for (const [index, tab] of tabs.entries()) {
    const name = names[index] ?? 'paste';
    tab.addEventListener('click', () => {
      choose(name);
      onChoose(name);
    });
    tab.addEventListener('keydown', (event) => {
      const next = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: names.length - 1 }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      const other = tabs[(next + tabs.length) % tabs.length];
      other?.focus();
      other?.click();
    });
  }
  return { choose };
}
