// @ts-check
// The chat's page as its tests speak of it.

/** @typedef {import('playwright-core').Page} Page */

export class ChatPage {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.state = page.getByTestId('connection-state');
    this.composer = page.getByTestId('composer-input');
    this.messages = page.getByTestId('messages');
    this.people = page.getByTestId('people').locator('li');
    this.nameInput = page.getByTestId('name-input');
    this.wireHex = page.getByTestId('wire-hex');
    this.ownKey = page.getByTestId('own-key');
  }

  /** @param {URL} url @param {string} name */
  async join(url, name) {
    await this.page.goto(url.href);
    await this.nameInput.fill(name);
    await this.page.getByTestId('join').click();
    await this.untilReady();
  }

  /** Until the visitor is in the room and the codec is loaded. */
  async untilReady() {
    await this.untilState('open');
    await this.page.locator('#frame:not([hidden])').waitFor({ state: 'attached' });
  }

  /** @param {'open' | 'connecting' | 'closed'} name */
  async untilState(name) {
    await this.state.and(this.page.locator(`[data-state="${name}"]`)).waitFor();
    if ((await this.state.textContent()) !== name) throw new Error(`The page doesn't say '${name}'`);
  }

  /** @param {string} text */
  async send(text) {
    await this.composer.fill(text);
    await this.composer.press('Enter');
  }

  /** What someone said, once it is there. @param {string} name @param {string | RegExp} text */
  message(name, text) {
    const said = this.messages.locator(`.message[data-name="${name}"]`).filter({ hasText: text }).last();
    return said.locator('.text').textContent();
  }

  /** What the wire panel shows of the chosen message. */
  wire() {
    return this.page.evaluate(() => {
      /** @param {string} selector */
      const texts = (selector) => Array.from(document.querySelectorAll(selector), (found) => found.textContent).join(' ');
      return {
        chosen: texts('#sent label:has(:checked) .said'),
        header: texts('#wire-bits .cells'),
        opcode: texts('#wire-bits [data-field=opcode] .meaning'),
        masked: texts('#wire-payload [data-field=masked]'),
        key: texts('#wire-payload [data-field=key]'),
        unmasked: texts('#wire-payload [data-field=text]'),
        text: texts('#wire-payload .character'),
        size: texts('#wire-size'),
        hex: texts('#wire-hex'),
      };
    });
  }
}
