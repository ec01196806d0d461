// The set-up that every command begins with: the tool check, then each step that is wanted, in order.

import { findBrowser } from './browser.mjs';
import { addonStep, nodeTypeScriptStep, npmStep, wasmTypeScriptStep } from './node.mjs';
import { findPeers } from './peers.mjs';
import { extensionStep, venvStep } from './python.mjs';
import { ask } from './run.mjs';
import { stamps } from './stamp.mjs';
import { checkTools } from './tools.mjs';
import { findToolchain, wasmStep } from './wasm.mjs';

/** @typedef {'npm' | 'node' | 'python' | 'wasm' | 'browser' | 'peers'} Part */
/** @typedef {{ tools: import('./tools.mjs').Tools, env: Record<string, string> }} Ready env is for the programs to come */

/** @type {Part[]} */
export const allParts = ['npm', 'node', 'python', 'wasm', 'browser', 'peers'];

/**
 * Builds what is missing or stale of the parts.
 * @param {Part[]} parts
 * @returns {Promise<Ready>}
 */
export async function setUp(parts) {
  const tools = checkTools();
  console.log(
    `✓ tools: Rust ${tools.rustc.version}, Node ${process.versions.node}, Python ${tools.python.version} (${tools.python.command})`,
  );
  const wanted = new Set(parts);
  const rust = ask('rustc', ['-vV']).output;
  const { ensure } = stamps();
  /** @type {Ready} */
  const ready = { tools, env: {} };

  if (wanted.has('npm') || wanted.has('node') || wanted.has('wasm')) await ensure(npmStep());
  if (wanted.has('node')) {
    await ensure(addonStep(rust));
    await ensure(nodeTypeScriptStep());
  }
  if (wanted.has('python')) {
    await ensure(venvStep(tools.python));
    await ensure(extensionStep(rust));
  }
  if (wanted.has('wasm')) {
    await ensure(wasmStep(await findToolchain()));
    await ensure(wasmTypeScriptStep());
  }
  if (wanted.has('browser')) {
    ready.env.CHROMIUM_PATH = await findBrowser();
    console.log(`✓ browser: ${ready.env.CHROMIUM_PATH}`);
  }
  if (wanted.has('peers')) Object.assign(ready.env, await findPeers());
  return ready;
}
