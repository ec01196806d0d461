// @ts-check
// The browsers that the page is tried in, and a hand in them: what it does waits until there is something to do it to.

import { launch } from 'puppeteer-core';

/** @typedef {import('puppeteer-core').Page} Page */
/** @typedef {'Chromium' | 'Firefox'} Name */

/** @type {readonly Name[]} */
export const names = ['Chromium', 'Firefox'];

/** Why a browser can't be tried, or `false`. `npm test` looks for both. @param {Name} name */
export const missing = (name) => name === 'Firefox' && process.env.FIREFOX_PATH === '' && 'npm test found no Firefox';

const quiet = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Starts one whose pages are light or dark. @param {Name} name @param {'light' | 'dark'} scheme */
export async function start(name, scheme) {
  if (name === 'Chromium') {
    const args = [...quiet, ...(scheme === 'dark' ? ['--force-dark-mode'] : [])];
    return launch({ executablePath: process.env.CHROMIUM_PATH || '/usr/bin/chromium', args });
  }
  // 0 is dark, 1 light.
  const extraPrefsFirefox = { 'layout.css.prefers-color-scheme.content-override': scheme === 'dark' ? 0 : 1 };
  return launch({ browser: 'firefox', executablePath: process.env.FIREFOX_PATH || '/usr/bin/firefox-esr', extraPrefsFirefox });
}

/** A failure guard: nothing waits for this. */
const PATIENCE = { timeout: 20_000 };

/** Elements of a page, by a CSS selector and what they say. */
export class Elements {
  #page;
  #selector;
  /** @type {string | RegExp} */ #says;
  #index;

  /** @param {Page} page @param {string} selector @param {string | RegExp} [says] @param {number} [index] */
  constructor(page, selector, says = '', index = 0) {
    this.#page = page;
    this.#selector = selector;
    this.#says = says;
    this.#index = index;
  }

  /** Those that say it. @param {string | RegExp} says */
  saying(says) {
    return new Elements(this.#page, this.#selector, says, this.#index);
  }

  /** The one of this number, from 0. @param {number} index */
  nth(index) {
    return new Elements(this.#page, this.#selector, this.#says, index);
  }

  /** Waits until it is there, and seen unless `hidden` ones count too. @param {{ hidden?: boolean, timeout?: number }} [options] */
  async there({ hidden = false, timeout = PATIENCE.timeout } = {}) {
    const says = this.#says instanceof RegExp ? this.#says : this.#says.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const pattern = new RegExp(says).source;
    const found = await this.#page
      .waitForFunction(
        (selector, source, index, hidden) => {
          const all = Array.from(document.querySelectorAll(selector)).filter((each) => new RegExp(source).test(each.textContent ?? ''));
          const one = all[index];
          return one && (hidden || one.getClientRects().length > 0) ? one : null;
        },
        { timeout, polling: 20 },
        this.#selector,
        pattern,
        this.#index,
        hidden,
      )
      .catch(async (error) => {
        const texts = await this.#page.$$eval(this.#selector, (all) => all.map(({ textContent }) => textContent));
        throw new Error(`no ${this.#selector} says ${this.#says}, but: ${JSON.stringify(texts).slice(0, 1000)}`, { cause: error });
      });
    const element = found.asElement();
    if (!element) throw new Error(`${this.#selector} is no element`);
    return /** @type {import('puppeteer-core').ElementHandle<Element>} */ (element);
  }

  async text() {
    return (await this.there({ hidden: true })).evaluate(({ textContent }) => textContent ?? '');
  }

  /** @param {string} name */
  async attribute(name) {
    return (await this.there({ hidden: true })).evaluate((each, name) => each.getAttribute(name), name);
  }

  /** What each of them says now. */
  texts() {
    return this.#page.$$eval(this.#selector, (all) => all.map(({ textContent }) => textContent ?? ''));
  }

  /** An attribute of each of them now. @param {string} name */
  attributes(name) {
    return this.#page.$$eval(this.#selector, (all, name) => all.map((each) => each.getAttribute(name) ?? ''), name);
  }

  /** How many there are now. */
  async count() {
    return (await this.texts()).length;
  }

  /** Whether it is seen now. */
  async isSeen() {
    return this.#page.$$eval(this.#selector, (all, index) => (all[index]?.getClientRects().length ?? 0) > 0, this.#index);
  }

  async click() {
    await (await this.there()).click();
  }

  async focus() {
    await (await this.there()).focus();
  }

  async hasFocus() {
    return (await this.there()).evaluate((each) => each === document.activeElement);
  }

  /** Clicks a box that is not ticked. */
  async tick() {
    const box = await this.there();
    if (!(await box.evaluate((each) => each instanceof HTMLInputElement && each.checked))) await box.click();
  }

  /** Replaces what is in a field, at once, as who pastes does. @param {string} text */
  async paste(text) {
    await (await this.there()).evaluate((each, text) => {
      if (!(each instanceof HTMLInputElement || each instanceof HTMLTextAreaElement)) throw new Error(`${each.tagName} takes no text`);
      each.focus();
      each.select();
      document.execCommand(text ? 'insertText' : 'delete', false, text);
    }, text);
  }

  /** Leaves a field, with the key that does. */
  async leave() {
    await this.focus();
    await this.#page.keyboard.press('Tab');
  }

  /** @param {string} value */
  async choose(value) {
    await (await this.there()).select(value);
  }

  /** Opens a file from the disk. @param {string} path */
  async open(path) {
    const input = /** @type {import('puppeteer-core').ElementHandle<HTMLInputElement>} */ (await this.there({ hidden: true }));
    await input.uploadFile(path);
  }
}
