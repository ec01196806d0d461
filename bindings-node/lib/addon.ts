// The native addon, or one error that says why it can't be loaded.

import path from 'node:path';

type Native = typeof import('../native.js');

export const native: Native = load();

function load(): Native {
  try {
    return require('../native.js') as Native;
  } catch (error) {
    const { platform, arch, version } = process;
    const message =
      `itoden has no native addon that loads on ${platform}-${arch} with Node ${version}. What was tried:\n` +
      `${causes(error).map((text) => `  - ${text}`).join('\n')}\n` +
      'Install the package anew on this platform, without --omit=optional and with this platform in its lock file.';
    throw Object.assign(new Error(message, { cause: error }), { code: 'ITODEN_ADDON_NOT_LOADED' });
  }
}

/** The loader of napi-rs chains one error for each file that it tried, the last one outermost. */
function causes(error: unknown): string[] {
  const texts: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) {
    texts.unshift(located(at.message.split('\n', 1)[0] ?? ''));
  }
  // The outermost one says only that all others failed.
  return texts.length > 1 ? texts.slice(0, -1) : texts;
}

/** With the whole path of a file beside the loader. */
function located(text: string): string {
  return text.replace(/'\.\/([^']+)'/, (_all, file: string) => `'${path.join(__dirname, '..', file)}'`);
}
