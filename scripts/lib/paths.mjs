// Where things are. All other paths in these scripts are relative to the root of the repository.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The Python that the scripts install everything into. */
export const venv = join(root, '.venv');
export const venvPython = join(venv, 'bin', 'python');

/** What the scripts keep between runs; cargo's own folder, so that `cargo clean` clears it too. */
export const kept = join(root, 'target');

/** Where cargo builds. */
export const built = process.env.CARGO_TARGET_DIR ?? kept;

/** The npm workspaces of the root package.json. */
export const workspaces = ['bindings-node', 'bindings-wasm', 'examples/chat', 'examples/inspector', 'tests'];

/** The benchmark of the core: a cargo workspace of its own, with a lockfile of its own. */
export const benchManifest = join(root, 'core', 'bench', 'Cargo.toml');
