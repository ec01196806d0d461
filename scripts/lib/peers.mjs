// The programs of the system that the interop tests are made with, besides Chromium.

import { Failure } from './failure.mjs';
import { findProgram } from './program.mjs';

const purpose = 'The interop tests';

/** @type {import('./program.mjs').Program[]} */
export const peers = [
  {
    title: 'Firefox',
    purpose,
    variable: 'FIREFOX_PATH',
    names: ['firefox-esr', 'firefox'],
    places: ['/Applications/Firefox.app/Contents/MacOS/firefox', '/usr/bin/firefox-esr'],
    ask: ['--version'],
    says: /firefox/i,
    debian: 'firefox-esr',
    home: 'https://www.mozilla.org/firefox',
  },
  {
    title: 'nginx',
    purpose,
    variable: 'NGINX_PATH',
    names: ['nginx'],
    places: ['/usr/sbin/nginx'],
    ask: ['-v'],
    says: /nginx/i,
    debian: 'nginx',
    home: 'https://nginx.org',
  },
  {
    title: 'HAProxy',
    purpose,
    variable: 'HAPROXY_PATH',
    names: ['haproxy'],
    places: ['/usr/sbin/haproxy'],
    ask: ['-v'],
    says: /haproxy/i,
    debian: 'haproxy',
    home: 'https://www.haproxy.org',
  },
];

/**
 * Finds or installs all of them. Where one can't be had its tests are skipped, and that is said; in CI it is an error.
 * @param {object} [machine] replaced by tests
 * @param {(program: import('./program.mjs').Program) => Promise<string>} [machine.find]
 * @param {boolean} [machine.ci]
 * @param {(line: string) => void} [machine.say]
 * @returns {Promise<Record<string, string>>} the environment for the tests: a path for each, or nothing where there is none
 */
export async function findPeers({ find = findProgram, ci = Boolean(process.env.CI), say = console.log } = {}) {
  /** @type {Record<string, string>} */
  const env = {};
  for (const program of peers) {
    try {
      env[program.variable] = await find(program);
      say(`✓ ${program.title}: ${env[program.variable]}`);
    } catch (error) {
      if (ci || !(error instanceof Failure)) throw error;
      env[program.variable] = '';
      say(`✗ ${program.title}: not here, so its tests are SKIPPED. ${error.message}`);
    }
  }
  return env;
}
