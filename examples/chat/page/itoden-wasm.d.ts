// The server serves the package itoden-wasm under this path, so the page needs no bundler.
declare module '*/itoden-wasm/index.js' {
  export * from 'itoden-wasm';
  export { default } from 'itoden-wasm';
}
