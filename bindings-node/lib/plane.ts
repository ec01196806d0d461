// Who serves native sockets: the event loop of Node, or threads.

/**
 * Whether the event loop is to serve sockets: `'always'` if the environment variable ITODEN_DATA_PLANE says `loop`, `'possibly'`
 * if it says nothing and this is Node on a system where sockets are descriptors. `undefined` means threads. Whether the loop is
 * the one that the addon finds by its names, it sees for itself.
 *
 * This has to be known before libuv is touched: Bun ends the process where it is asked to watch a descriptor, and Deno says
 * yes and never tells anything. Electron and NW.js drive Node's loop from another one; there the loop serves who asks for it.
 */
export function servesInLoop(): 'always' | 'possibly' | undefined {
  const wanted = process.env['ITODEN_DATA_PLANE'] ?? '';
  if (wanted === 'threads') return undefined;
  if (wanted !== 'loop' && wanted !== '') {
    throw new TypeError(`ITODEN_DATA_PLANE is '${wanted}'; allowed are 'loop', 'threads', or nothing at all`);
  }
  if (isNode() && process.platform !== 'win32') {
    if (wanted === 'loop') return 'always';
    return EMBEDDERS.some((name) => name in process.versions) ? undefined : 'possibly';
  }
  if (wanted === '') return undefined;
  throw new Error("ITODEN_DATA_PLANE is 'loop', which works in Node only, and not on Windows; leave it out, or say 'threads'");
}

const EMBEDDERS = ['electron', 'nw'];

function isNode(): boolean {
  const { node, ...others } = process.versions;
  const foreign = ['bun', 'deno'].some((name) => name in others) || 'Bun' in globalThis || 'Deno' in globalThis;
  return node !== undefined && !foreign;
}
