// Chromium and Firefox as clients of this package's servers.

import { after, before, describe, test } from 'node:test';
import { launchBrowser, openWindow } from '../lib/browser.mjs';
import { makeCertificate } from '../lib/certificate.mjs';
import { launchFirefox } from '../lib/firefox.mjs';
import { echo } from '../programs/peers/echo.mjs';
import { WS } from './ends.mjs';
import { testExchanges } from './exchanges.mjs';
import { endpoints, serveAll } from './servers.mjs';

/** Chromium with the interface of the other one. */
async function launchChromium() {
  const browser = await launchBrowser();
  const { page } = await openWindow(browser, { ignoreHTTPSErrors: true });
  return {
    version: browser.version(),
    goto: (url) => page.goto(url),
    evaluate: (expression) => page.evaluate(expression),
    stop: () => browser.close(),
  };
}

/** A failure guard: nothing waits for this. */
const DEADLINE = { timeout: 60_000 };

const browsers = { Chromium: launchChromium, Firefox: launchFirefox };

const certificate = makeCertificate();
const servers = serveAll(certificate);

for (const [name, launch] of Object.entries(browsers)) {
  const skip = name === 'Firefox' && process.env.FIREFOX_PATH === '' && 'npm test found no Firefox';
  describe(`a page in ${name}`, { skip }, () => {
    /** @type {Awaited<ReturnType<typeof launchFirefox>>} */ let browser;
    before(async () => {
      browser = await launch();
    }, DEADLINE);
    after(() => browser?.stop());

    for (const [where, { deflate, secure }] of Object.entries(endpoints)) {
      describe(`at ${where}`, () => {
        // A page of the same scheme, so that its cookies are sent.
        before(() => browser.goto(servers.get(secure ? 'an https server' : 'an http server').url.replace('ws', 'http')), DEADLINE);

        const connect = ({ url, protocols, headers }) => {
          const cookie = headers.Cookie ? `document.cookie = ${JSON.stringify(headers.Cookie)}, ` : '';
          return browser.evaluate(`(${cookie}(${echo})(new WebSocket(${JSON.stringify(url)}, ${JSON.stringify(protocols)})))`);
        };
        const open = (wishes) => servers.get(where).open(connect, wishes);
        testExchanges(test, { peer: ['cookies', 'close without a code'], own: WS }, () => ({ open, deflate }));
      });
    }
  });
}
