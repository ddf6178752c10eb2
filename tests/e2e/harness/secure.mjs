// A gateway with TLS towards clients, for a whole file of tests, and clients that believe its certificate.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import net from 'node:net';
import tls from 'node:tls';
import WebSocket from 'ws';
import { authority } from './certificates.mjs';
import { atEnd, suiteContext } from './ending.mjs';
import { policyOf, startGateway } from './gateway.mjs';
import { token } from './tokens.mjs';
import { within } from './wait.mjs';
import { Peer } from './wire.mjs';

const suite = suiteContext('tls');
export const ca = authority(suite);
export const stranger = authority(suite, 'stranger');

const own = ca.sign('DNS:chat.test,IP:127.0.0.1');
const other = ca.sign('DNS:other.test,DNS:*.apps.test');

// Of a listener, and what lies beside the policy.
export const certificates = [{ certificate: 'own.crt', key: 'own.key' }, { certificate: 'other.crt', key: 'other.key' }];
export const files = {
  'own.crt': own.cert, 'own.key': own.key, 'other.crt': other.cert, 'other.key': other.key, 'ca.crt': ca.cert,
};

// Listens with TLS on gateway.port; `more`: of the listener's tls.
export const secureGateway = (t, { listener = {}, more = {}, files: its = files, ...policy } = {}) =>
  startGateway(t, (gateway) => ({
    listen: [{ address: `127.0.0.1:${gateway.port}`, tls: { certificates, ...more }, ...listener }],
    admin: { address: `127.0.0.1:${gateway.adminPort}` },
    ...policyOf(policy),
  }), { files: its });

export const urlOf = (gateway) => `wss://127.0.0.1:${gateway.port}/chat`;

export async function client(t, url, options = {}) {
  const headers = { Authorization: `Bearer ${await token()}`, ...options.headers };
  const socket = new WebSocket(url, { ca: ca.cert, servername: 'chat.test', ...options, headers });
  atEnd(t, () => socket.terminate());
  await within('a WebSocket', new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
    socket.once('unexpected-response', (_, response) => reject(Object.assign(new Error(`${response.statusCode}`), { status: response.statusCode })));
  }));
  return socket;
}

export async function echoes(socket, text = 'hello') {
  const answer = within('a message', new Promise((resolve) => socket.once('message', resolve)));
  socket.send(text);
  assert.equal((await answer).toString(), text);
}

export const refusal = (gateway, reason) => gateway.logged(`refused for ${reason}`,
  (line) => line.event === 'connection_refused' && line.reason === reason);

// A TLS connection of node's, or the error that it ended in.
export function handshake(t, port, options = {}) {
  return within('a TLS handshake', new Promise((resolve) => {
    const socket = tls.connect({ port, host: '127.0.0.1', ca: ca.cert, servername: 'chat.test', ...options });
    atEnd(t, () => socket.destroy());
    socket.once('secureConnect', () => resolve({ socket, peer: new Peer(socket), protocol: socket.alpnProtocol, version: socket.getProtocol() }));
    socket.once('error', (error) => resolve({ error: error.code ?? error.message, message: error.message }));
  }));
}

// What `openssl s_client` says, which the system's configuration keeps from nothing; `input` is typed in.
export function sClient(port, args, input = '') {
  return new Promise((resolve) => {
    const child = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args], { timeout: 20_000, env: anything },
      (error, out, err) => resolve({ code: error?.code ?? 0, said: out + err }));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

// For the openssl command: Debian's configuration asks for TLS 1.2.
export const anything = { ...process.env, OPENSSL_CONF: '/dev/null' };

// A ClientHello, as node writes it.
export async function firstFlight() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const hello = new Promise((resolve) => server.once('connection', (socket) => socket.once('data', (octets) => {
    socket.destroy();
    resolve(octets);
  })));
  tls.connect({ port: server.address().port, host: '127.0.0.1', servername: 'chat.test' }).on('error', () => {});
  const octets = await hello;
  server.close();
  return octets;
}
