// Types: code that was written for those of ws compiles with the import changed.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { plain } from './helpers.mjs';

const run = promisify(execFile);
const tsc = fileURLToPath(new URL('bin/tsc', import.meta.resolve('typescript/package.json')));
const written = readFileSync(new URL('fixtures/migrate.ts', import.meta.url), 'utf8');

/** Within the package, so that both packages are found from there. */
function temporary(t) {
  const folder = mkdtempSync(fileURLToPath(new URL('migrate-', import.meta.url)));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

plain('what goes beyond ws has types, for both kinds of modules', async (t) => {
  const folder = temporary(t);
  const text = readFileSync(new URL('fixtures/beyond.ts', import.meta.url), 'utf8');
  for (const file of ['module.mts', 'common.cts']) writeFileSync(path.join(folder, file), text);
  const compilerOptions = { target: 'es2023', module: 'nodenext', strict: true, noEmit: true, types: ['node'], exactOptionalPropertyTypes: true };
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['module.mts', 'common.cts'] }));
  await run(process.execPath, [tsc, '-p', folder]).catch(({ stdout }) => assert.fail(stdout));
});

for (const name of ['ws', 'itoden']) {
  plain(`what is written for the types of ws compiles with those of ${name}`, async (t) => {
    const folder = temporary(t);
    const text = written.replaceAll("from 'ws'", `from '${name}'`);
    assert.ok(text.includes(`from '${name}'`));
    // The classes and types that hang on the default export are named by it where there are no named ones.
    writeFileSync(path.join(folder, 'module.mts'), text.replace('new WebSocketDefault.Server(', 'new WebSocketServer('));
    const common = text.replace(/^import WebSocketDefault, \{(.*)\} from '(.*)';/m, "import WebSocketDefault = require('$2');\nimport {$1} from '$2';")
      .replaceAll(/\bWebSocket\.(?=[A-Z][a-z])/g, 'WebSocketDefault.');
    writeFileSync(path.join(folder, 'common.cts'), common);
    const compilerOptions = { target: 'es2023', module: 'nodenext', strict: true, noEmit: true, types: ['node'], skipLibCheck: true };
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['module.mts', 'common.cts'] }));
    await run(process.execPath, [tsc, '-p', folder]).catch(({ stdout }) => assert.fail(stdout));
  });
}
