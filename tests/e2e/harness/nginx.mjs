// A real nginx in front of an HTTP backend, with the example of deploy/forward_auth. No service: a process of
// its own in a folder of its own.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atEnd } from './ending.mjs';
import { freePort } from './gateway.mjs';
import { until, within } from './wait.mjs';

const example = fileURLToPath(new URL('../../../deploy/forward_auth/nginx.conf', import.meta.url));
const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

// The example, for these ports. `change`: what else is different in its text.
function configuration(folder, ports, change) {
  let server = readFileSync(example, 'utf8');
  for (const [port, other] of Object.entries(ports)) {
    if (!server.includes(`127.0.0.1:${port}`)) throw new Error(`the example has no port ${port}`);
    server = server.replaceAll(`127.0.0.1:${port}`, `127.0.0.1:${other}`);
  }
  return `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
  ${change(server)}
}
`;
}

const accepts = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1')
    .once('connect', () => resolve(true)).once('error', () => resolve(false));
  socket.once('close', () => socket.destroy()).once('connect', () => socket.end());
});

// { port, log }
export async function startNginx(t, { gateway, backend, change = (text) => text }) {
  const nginx = { port: await freePort() };
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-nginx-'));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  for (const name of temporary) mkdirSync(join(folder, name));
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration(folder, { 8000: nginx.port, 8080: gateway.port, 9001: backend.port }, change));
  const child = spawn('/usr/sbin/nginx', ['-p', folder, '-c', file, '-e', join(folder, 'error.log')], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('error', resolve).once('close', resolve));
  atEnd(t, async () => {
    child.kill('SIGKILL');
    await within('nginx to end', ended);
  });
  Object.defineProperty(nginx, 'log', { get: () => readFileSync(join(folder, 'error.log'), 'utf8') });
  await until('nginx to accept', () => accepts(nginx.port));
  return nginx;
}

// An HTTP backend that remembers the fields that it got, by their names.
export async function httpBackend(t) {
  const backend = { requests: [] };
  const server = http.createServer((request, response) => {
    backend.requests.push({ url: request.url, fields: request.headers });
    response.end('the page');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  backend.port = server.address().port;
  atEnd(t, () => {
    server.closeAllConnections?.();
    server.close();
  });
  return backend;
}
