// Every client of every language talks to every server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const python = join(root, '.venv', process.platform === 'win32' ? 'Scripts' : 'bin', 'python');
const program = (name) => join(here, 'programs', name);

const servers = {
  Node: [process.execPath, program('echo_server.mjs')],
  Python: [python, program('echo_server.py')],
  Rust: ['cargo', 'run', '--quiet', '-p', 'itoden-net', '--example', 'echo_server', '--', '127.0.0.1:0'],
};
const clients = {
  Node: [process.execPath, program('echo_client.mjs')],
  Python: [python, program('echo_client.py')],
};

const messages = [
  'text:',
  'text:Hello',
  'text:κόσμε 𐍈',
  ...[0, 1, 125, 126, 65535, 65536, 1 << 20].map((length) => `binary:${length}`),
  ...Array.from({ length: 200 }, (_, at) => `text:message ${at}`),
];

for (const [serverLanguage, [command, ...args]] of Object.entries(servers)) {
  describe(`a server in ${serverLanguage}`, () => {
    let server;
    let url;

    before(async () => {
      server = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
      const lines = createInterface({ input: server.stdout });
      [url] = await Promise.race([
        once(lines, 'line'),
        once(server, 'exit').then(([code]) => Promise.reject(new Error(`the server ended with ${code}`))),
      ]);
    });

    after(async () => {
      if (server.exitCode !== null || server.signalCode !== null) return;
      const ended = once(server, 'exit');
      server.kill();
      await ended;
    });

    for (const [clientLanguage, [clientCommand, ...clientArgs]] of Object.entries(clients)) {
      test(`echoes what a client in ${clientLanguage} sends, and closes with its code`, async () => {
        const client = spawn(clientCommand, [...clientArgs, url], { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] });
        client.stdin.end(messages.join('\n'));
        const [output, [code]] = await Promise.all([text(client.stdout), once(client, 'exit')]);
        assert.equal(code, 0);
        assert.equal(output.trim(), `${messages.length} echoed, closed with 3000 done`);
      });
    }
  });
}
