// @ts-check
// A real browser with an empty profile.

import { chromium } from 'playwright-core';

const FLAGS = [
  '--headless',
  '--no-sandbox', // for machines where the tests run as root
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  // Chromium looks nothing up by itself: the tests need no network.
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Chromium, which makes itself a new profile and removes it when it is closed. */
export function launchBrowser() {
  return chromium.launch({ executablePath: process.env.CHROMIUM_PATH || '/usr/bin/chromium', args: FLAGS });
}

/**
 * A new visitor's window. What the page complains about is collected.
 * @param {import('playwright-core').Browser} browser
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function openWindow(browser, options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...options });
  const page = await context.newPage();
  /** @type {string[]} */
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error}`));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  return { page, complaints, close: () => context.close() };
}
