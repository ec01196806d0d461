// How workerd imports a module.
declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}
