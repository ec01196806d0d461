// Reverse proxies in front of servers, each with a configuration written here. A path names the server: /NAME/..., and
// /NAME/brief/... is a way to it on which silence ends the connection.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

/** How long a connection under /NAME/brief/ may be silent, in milliseconds. */
const BRIEF = 300;

/**
 * @typedef {object} Layout
 * @property {string} folder
 * @property {number} port
 * @property {number} securePort
 * @property {Record<string, number>} backends the ports of the servers, by name
 * @property {{ certificate: string, key: string, bundle: string }} paths
 */

/** @type {Record<string, { path: () => string, configuration: (layout: Layout) => string, args: (file: string, folder: string) => string[] }>} */
export const proxies = {
  nginx: {
    path: () => process.env.NGINX_PATH ?? '/usr/sbin/nginx',
    args: (file, folder) => ['-p', folder, '-c', file, '-e', 'stderr'],
    configuration: ({ folder, port, securePort, backends, paths }) => `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr error;
events {}
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  server {
    listen 127.0.0.1:${port};
    listen 127.0.0.1:${securePort} ssl;
    ssl_certificate ${paths.certificate};
    ssl_certificate_key ${paths.key};
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    ${Object.entries(backends).map(([name, backend]) => `
    location /${name}/ { proxy_pass http://127.0.0.1:${backend}; }
    location /${name}/brief/ { proxy_pass http://127.0.0.1:${backend}; proxy_read_timeout ${BRIEF}ms; }`).join('')}
  }
}
`,
  },

  HAProxy: {
    path: () => process.env.HAPROXY_PATH ?? '/usr/sbin/haproxy',
    args: (file) => ['-db', '-q', '-f', file],
    configuration: ({ port, securePort, backends, paths }) => `
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
frontend all
  bind 127.0.0.1:${port}
  bind 127.0.0.1:${securePort} ssl crt ${paths.bundle} alpn http/1.1
  option forwardfor
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  ${Object.keys(backends).map((name) => `use_backend ${name}-brief if { path_beg /${name}/brief/ }\n  use_backend ${name} if { path_beg /${name}/ }`).join('\n  ')}
${Object.entries(backends).map(([name, backend]) => `backend ${name}
  server here 127.0.0.1:${backend}
backend ${name}-brief
  timeout tunnel ${BRIEF}ms
  server here 127.0.0.1:${backend}`).join('\n')}
`,
  },
};

/** A port that nothing listens at. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until somebody listens at a port. */
async function untilOpen(port, signal) {
  while (!signal.aborted) {
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * Starts a proxy, in one process.
 * @param {keyof typeof proxies} name
 * @param {{ folder: string, backends: Record<string, number>, paths: Layout['paths'] }} setting the folder is a temporary one
 */
export async function startProxy(name, { folder: parent, backends, paths }) {
  const folder = join(parent, name);
  mkdirSync(folder);
  // Neither proxy can be told to take any free port. If another process takes one of these in the meantime: again.
  for (let tries = 1; ; tries += 1) {
    const [port, securePort] = [await freePort(), await freePort()];
    const file = join(folder, 'configuration');
    writeFileSync(file, proxies[name].configuration({ folder, port, securePort, backends, paths }));
    const child = spawn(proxies[name].path(), proxies[name].args(file, folder), { stdio: ['ignore', 'inherit', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => void (said += text));
    const over = new AbortController();
    child.once('error', (error) => (said += error.message, over.abort())); // prettier-ignore
    const ended = new Promise((resolve) => child.once('close', resolve)).finally(() => over.abort());
    await Promise.race([Promise.all([untilOpen(port, over.signal), untilOpen(securePort, over.signal)]), ended]);
    if (!over.signal.aborted) {
      const end = async (signal) => {
        child.kill(signal);
        await ended;
      };
      return { ws: `ws://127.0.0.1:${port}`, wss: `wss://127.0.0.1:${securePort}`, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') };
    }
    if (tries === 5 || !/in use/i.test(said)) throw new Error(`${proxies[name].path()} did not start: ${said}`);
  }
}
