// The packed package in the hands of those who use it: bundlers, browsers, workers, workerd, Deno and Bun. Each runs the
// shared vectors (in every chunking once a browser), a client and a server with handshake and compression, and those of the README.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { consumer, program, readmeBlocks, tenLinesModule, vectorsModule } from './packed.mjs';

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const types = { html: 'text/html', js: 'text/javascript', mjs: 'text/javascript', wasm: 'application/wasm' };
/** A failure guard: nothing waits for this. */
const DEADLINE = { timeout: 120_000 };

const dist = './node_modules/itoden-wasm/dist';
const page = (script) => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module">${script}</script>`;
const RUN = 'run().catch((error) => String(error.stack))';
/** What a page waits for: what a worker posts, or why it can't. */
const told = (start) => `globalThis.result = new Promise((resolve, reject) => { ${start} }).catch((error) => String(error));`;
const failing = "({ message }) => reject(new Error(message || 'the worker could not be started'))";
const dedicated = (options) => page(told(`const worker = new Worker('./dedicated.js', ${options}); worker.onmessage = ({ data }) => resolve(data); worker.onerror = ${failing};`));
const shared = (options) => page(told(`const worker = new SharedWorker('./shared.js', ${options}); worker.port.onmessage = ({ data }) => resolve(data); worker.onerror = ${failing};`));
const service = (options) => page(told(`navigator.serviceWorker.register('./service.js', ${options}).then(() => navigator.serviceWorker.ready).then(({ active }) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }) => resolve(data);
  active.postMessage('run', [port2]);
}, reject);`));

/** Where others of the same browser have had the vectors in every chunking, each is had once. */
const RUN_ONCE = RUN.replace('run()', 'run(false)');
/** What each kind of worker does with what it imports. */
const workers = {
  dedicated: `${RUN}.then((result) => postMessage(result));`,
  shared: `onconnect = ({ ports: [port] }) => ${RUN_ONCE}.then((result) => port.postMessage(result));`,
  service: `onmessage = (event) => event.waitUntil(${RUN_ONCE}.then((result) => event.ports[0].postMessage(result)));`,
};

let project;
let count;
let server;
let origin;
const browsers = [];

before(async () => {
  project = consumer();
  const vectors = vectorsModule();
  count = vectors.count;
  project.write('vectors.js', vectors.source);
  project.write('ten-lines.js', tenLinesModule());
  project.write('bare.js', program('itoden-wasm/deflate', 'itoden-wasm/handshake'));
  project.write('main.js', `import { run } from './bare.js';\nglobalThis.result = ${RUN};\n`);
  project.write('plain-lines.js', tenLinesModule(`${dist}/deflate.js`, `${dist}/handshake.js`));
  project.write('plain.js', program(`${dist}/deflate.js`, `${dist}/handshake.js`, './plain-lines.js'));
  project.write('plain.html', page(`import { run } from './plain.js'; globalThis.result = ${RUN};`));
  for (const [kind, code] of Object.entries(workers)) project.write(`${kind}.js`, `import { run } from './plain.js';\n${code}\n`);
  for (const [kind, html] of Object.entries({ dedicated, shared, service })) project.write(`${kind}.html`, html("{ type: 'module' }"));
  server = createServer(({ url }, response) => {
    const path = join(project.home, new URL(url, 'http://localhost').pathname.replace(/^\/itoden-wasm\//, '/node_modules/itoden-wasm/dist/'));
    if (!existsSync(path)) return response.writeHead(404).end();
    response.writeHead(200, { 'Content-Type': types[path.split('.').at(-1)] ?? 'text/plain' }).end(readFileSync(path));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  origin = `http://127.0.0.1:${server.address().port}`;
});

after(async () => {
  for (const browser of browsers) await browser.close();
  server?.close();
  project?.remove();
});

const launch = {
  async Chromium() {
    const { chromium } = await import('playwright-core');
    const args = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];
    return chromium.launch({ executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium', args });
  },
  async Firefox() {
    const { launch } = await import('puppeteer-core');
    return launch({ browser: 'firefox', executablePath: process.env.FIREFOX_PATH || '/usr/bin/firefox-esr', headless: true });
  },
};
const started = new Map();

/** What a page of the project tells. @param {'Chromium' | 'Firefox'} name @param {string} path */
async function visit(name, path) {
  if (!started.has(name)) {
    started.set(name, launch[name]());
    browsers.push(await started.get(name));
  }
  const page = await (await started.get(name)).newPage();
  await page.goto(`${origin}/${path}`);
  await page.waitForFunction('globalThis.result !== undefined');
  const result = await page.evaluate('globalThis.result');
  await page.close();
  return result;
}

const noFirefox = process.env.FIREFOX_PATH === '' && 'npm test found no Firefox';

for (const [name, skip] of [['Chromium', false], ['Firefox', noFirefox]]) {
  for (const [place, title] of [
    ['plain', 'a plain script of the type module'],
    ['dedicated', 'a dedicated worker'],
    ['shared', 'a shared worker'],
    ['service', 'a service worker'],
  ]) {
    test(`${name}, ${title}`, { ...DEADLINE, skip }, async () => {
      assert.equal(await visit(name, `${place}.html`), count);
    });
  }

  for (const kind of Object.keys(workers)) {
    test(`${name}, a ${kind} worker that is a bundled classic script`, { ...DEADLINE, skip }, async () => {
      const { build } = await import('esbuild');
      project.write('explicit.js', program('itoden-wasm/deflate', 'itoden-wasm/handshake', './ten-lines.js', `await init('/itoden-wasm/deflate.wasm'); await initHandshake('/itoden-wasm/handshake.wasm');`));
      project.write(`classic-${kind}.js`, `import { run } from './explicit.js';\n${workers[kind].replace(RUN, RUN_ONCE)}\n`);
      await build({
        entryPoints: [join(project.home, `classic-${kind}.js`)], bundle: true, format: 'iife', platform: 'browser', logLevel: 'error',
        outfile: join(project.home, `classic/${kind}.js`),
      });
      project.write(`classic/${kind}.html`, { dedicated, shared, service }[kind]('{}'));
      assert.equal(await visit(name, `classic/${kind}.html`), count);
    });
  }

  test(`${name}, the page and the worker of the README`, { ...DEADLINE, skip }, async () => {
    const [pageCode, workerCode] = readmeBlocks('Loading')[0].code.split('// worker.js\n');
    // The page's line prints; here it tells what it prints.
    const printed = pageCode.replace('console.log(', 'globalThis.tell(');
    assert.ok(workerCode && printed !== pageCode, 'the README shows a page and its worker');
    project.write('worker.js', workerCode);
    project.write('readme.html', page(`globalThis.result = new Promise((resolve) => { globalThis.tell = (name, payload) => resolve(name + ' ' + new TextDecoder().decode(payload)); });\n${printed}\nworker.postMessage(Uint8Array.of(0x81, 2, 0x68, 0x69));`));
    assert.equal(await visit(name, 'readme.html'), 'text hi');
  });
}

test('Node imports the package', DEADLINE, async () => {
  const { stdout } = await run(process.execPath, ['-e', "import('./bare.js').then(({ run }) => run()).then(console.log)"], { cwd: project.home });
  assert.equal(Number(stdout), count);
});

/** A page for what a bundler made. */
const html = (script, module = true) => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script ${module ? 'type="module"' : 'defer'} src="./${script}"></script>`;

test('esbuild bundles it; the module is copied beside', DEADLINE, async () => {
  const { build } = await import('esbuild');
  await build({
    entryPoints: [join(project.home, 'main.js')], bundle: true, format: 'esm', minify: true, platform: 'browser',
    outdir: join(project.home, 'esbuild'), logLevel: 'error',
  });
  // esbuild leaves `new URL(…, import.meta.url)` as it is.
  for (const name of ['deflate.wasm', 'handshake.wasm']) {
    project.write(`esbuild/${name}`, readFileSync(join(project.home, dist, name)));
  }
  project.write('esbuild/index.html', html('main.js'));
  assert.equal(await visit('Chromium', 'esbuild/index.html'), count);
});

test('Vite bundles it with its module', DEADLINE, async () => {
  const { build } = await import('vite');
  project.write('index.html', '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module" src="/main.js"></script>');
  await build({ root: project.home, base: './', logLevel: 'error', configFile: false, build: { outDir: 'vite', target: 'es2022' } });
  assert.ok(readdirSync(join(project.home, 'vite/assets')).some((name) => /^deflate-.*\.wasm$/.test(name)), 'the module is an asset');
  assert.equal(await visit('Chromium', 'vite/index.html'), count);
});

test('webpack bundles it with its module', DEADLINE, async () => {
  const webpack = require('webpack');
  const stats = await new Promise((resolve, reject) => {
    webpack({
      mode: 'production', context: project.home, entry: './main.js', target: 'web', performance: false,
      output: { path: join(project.home, 'webpack'), filename: 'main.js', publicPath: 'auto' },
    }, (error, found) => (error ? reject(error) : resolve(found)));
  });
  assert.deepEqual(stats.toJson({ all: false, errors: true, warnings: true }).errors, []);
  project.write('webpack/index.html', html('main.js', false));
  assert.equal(await visit('Chromium', 'webpack/index.html'), count);
});

for (const [title, imports, conditions] of [
  ['by the condition workerd', "import { run } from './bare.js';", ['workerd']],
  ['by initSync and a static import', "import { run } from './static.js';", []],
]) {
  test(`workerd ${title}`, DEADLINE, async () => {
    const { Miniflare } = await import('miniflare');
    const { build } = await import('esbuild');
    const load = 'initSync(codec); initHandshakeSync(handshakes);';
    project.write('static.js', program('itoden-wasm/deflate', 'itoden-wasm/handshake', './ten-lines.js', load)
      .replace('import init, {', "import codec from 'itoden-wasm/deflate.wasm';\nimport handshakes from 'itoden-wasm/handshake.wasm';\nimport { initSync,")
      .replace('import initHandshake, {', 'import { initSync as initHandshakeSync,'));
    project.write('edge.js', `${imports}\nexport default { fetch: async () => Response.json(await ${RUN}) };\n`);
    const out = join(project.home, 'edge');
    await build({
      entryPoints: [join(project.home, 'edge.js')], bundle: true, format: 'esm', conditions, outfile: join(out, 'edge.js'),
      loader: { '.wasm': 'copy' }, assetNames: '[name]', logLevel: 'error',
    });
    const miniflare = new Miniflare({
      modules: true, modulesRoot: out, scriptPath: join(out, 'edge.js'), modulesRules: [{ type: 'CompiledWasm', include: ['**/*.wasm'] }],
      compatibilityDate: '2026-01-01',
    });
    try {
      const response = await miniflare.dispatchFetch('http://localhost/');
      assert.equal(await response.json(), count);
    } finally {
      await miniflare.dispose();
    }
  });
}

/** Where both are to be had from npm, which installs them with the rest (tests/package.json). */
const isCommon = ['linux', 'darwin', 'win32'].includes(process.platform) && ['x64', 'arm64'].includes(process.arch);

/** @param {string} name a package with a program */
function programOf(name) {
  const manifest = require.resolve(`${name}/package.json`);
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8'));
  return join(manifest, '..', typeof bin === 'string' ? bin : bin[name]);
}

for (const [name, args] of [
  ['deno', ['run', '--allow-read']],
  ['bun', ['run']],
]) {
  test(`${name} imports it`, { ...DEADLINE, skip: !isCommon && `there is no ${name} for this platform` }, async () => {
    const path = programOf(name);
    project.write('run.mjs', "import { run } from './bare.js';\nconsole.log(await run());\n");
    // Some are programs, some scripts of Node that start one.
    const isScript = readFileSync(path).subarray(0, 2).toString() === '#!' || /\.c?js$/.test(path);
    const [command, first] = isScript ? [process.execPath, [path]] : [path, []];
    const { stdout } = await run(command, [...first, ...args, 'run.mjs'], { cwd: project.home, env: { ...process.env, DENO_NO_UPDATE_CHECK: '1' } });
    assert.equal(Number(stdout), count);
  });
}
