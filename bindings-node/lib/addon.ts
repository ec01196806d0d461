// The native addon, or one sentence that says why it can't be loaded.

type Native = typeof import('../native.js');

export const native: Native = load();

function load(): Native {
  try {
    return require('../native.js') as Native;
  } catch (error) {
    const { platform, arch, version } = process;
    throw new Error(
      `itoden has no native addon that loads on ${platform}-${arch} with Node ${version}. What was tried:\n` +
        `${causes(error).map((text) => `  - ${text}`).join('\n')}\n` +
        'Install the package anew on this platform, without --omit=optional and with this platform in its lock file.',
      { cause: error },
    );
  }
}

/** The loader of napi-rs chains one error for each file that it tried. */
function causes(error: unknown): string[] {
  const texts: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) {
    texts.push(at.message.split('\n', 1)[0] ?? '');
  }
  // The first one says only that all others failed.
  return texts.length > 1 ? texts.slice(1) : texts;
}
