// Measures in a page: the codec in WebAssembly against the one in JavaScript.

import init, { Connection, FrameDecoder, FrameEncoder } from '/itoden-wasm/deflate.js';
import pako from '/pako.mjs';
import { everywhere } from './contenders.mjs';
import { measure, workloads } from './workloads.mjs';

await init();
const contenders = everywhere({ Connection, FrameDecoder, FrameEncoder, pako });

/** The workloads whose names have all the words. @param {string[]} words */
globalThis.namesOf = (words) => workloads.map(({ name }) => name).filter((name) => words.every((word) => name.split(' ').includes(word)));

/** Measures one. @param {string} name @param {number} rounds */
globalThis.measureOne = (name, rounds) => measure(workloads.find((shape) => shape.name === name), contenders, rounds, Connection);
