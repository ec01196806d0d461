// The browser that the browser tests drive: any Chromium or Chrome that is there, or else Debian's.

import { findProgram } from './program.mjs';

/** @type {import('./program.mjs').Program} */
const chromium = {
  title: 'Chromium or Chrome',
  purpose: 'The browser test',
  variable: 'CHROMIUM_PATH',
  names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'],
  places: [
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/usr/bin/chromium',
    '/snap/bin/chromium',
  ],
  ask: ['--version'],
  says: /chrom/i,
  debian: 'chromium',
  home: 'https://www.chromium.org',
};

/** @param {import('./program.mjs').Probe} [probe] @returns {Promise<string>} the path of a browser that runs */
export const findBrowser = (probe) => findProgram(chromium, probe);
