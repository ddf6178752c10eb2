// Clients and backends that others wrote: node ws, python3-websockets, Deno, Socket.IO and curl, through
// the gateway and with each other.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import http from 'node:http';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { rawBackend, upgradeAnswer, wsBackend } from './harness/backends.mjs';
import { atEnd, suiteContext } from './harness/ending.mjs';
import { startGateway } from './harness/gateway.mjs';
import { token } from './harness/tokens.mjs';
import { patience, within } from './harness/wait.mjs';
import { frame, opcodes } from './harness/wire.mjs';

const peers = fileURLToPath(new URL('peers/', import.meta.url));
// Debian's own: another python3 may come first in PATH, without the package.
const python = '/usr/bin/python3';
// Deno itself: what node_modules/.bin has starts it as a child, which outlives a signal.
const deno = fileURLToPath(new URL(`node_modules/@deno/${process.platform}-${process.arch}-glibc/deno`, import.meta.url));
const environment = { ...process.env, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' };

const run = (command, args) => new Promise((resolve) => {
  execFile(command, args, { timeout: 20_000 * patience, env: environment },
    (error, out, err) => resolve({ code: error ? error.code : 0, out: out.trim(), err }));
});

async function backendProcess(t, command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env: environment });
  const ended = new Promise((resolve) => child.once('close', resolve));
  atEnd(t, () => {
    child.kill('SIGKILL');
    return within('a backend to end', ended);
  });
  const port = await within('a backend to say its port', new Promise((resolve) =>
    child.stdout.once('data', (text) => resolve(Number(text)))), 20_000);
  return { port };
}

const nodeClient = (url, bearer, place) => new Promise((resolve, reject) => {
  const socket = new WebSocket(place === 'query' ? `${url}?token=${bearer}` : url,
    place === 'subprotocol' ? ['chat', `bearer.${bearer}`] : [],
    place === 'header' ? { headers: { Authorization: `Bearer ${bearer}` } } : {});
  const messages = ['héllo wörld', Buffer.from(Array.from({ length: 256 }, (_, i) => i)), 'x'.repeat(60_000), ''];
  let received = 0;
  socket.on('open', () => messages.forEach((message) => socket.send(message)));
  socket.on('message', (payload, isBinary) => {
    const expected = messages[received++];
    if (isBinary !== Buffer.isBuffer(expected) || !payload.equals(Buffer.from(expected))) reject(new Error('a message differs'));
    if (received === messages.length) socket.close(4321, 'bye');
  });
  socket.on('unexpected-response', (_, response) => resolve(`refused ${response.statusCode}`));
  socket.on('close', (code) => (code === 4321 ? resolve('ok') : reject(new Error(`closed with ${code}`))));
  socket.on('error', reject);
});

const clients = {
  'node ws': { places: ['header', 'subprotocol', 'query'], refusal: 'refused 401', run: nodeClient },
  'python3-websockets': {
    places: ['header', 'subprotocol', 'query'], refusal: 'refused 401',
    run: async (...args) => {
      const { out, err } = await run(python, [`${peers}client.py`, ...args]);
      return out || err;
    },
  },
  'Deno': {
    places: ['subprotocol', 'query'], refusal: 'refused',
    run: async (...args) => {
      const { out, err } = await run(deno, ['run', '--allow-net', `${peers}client.deno.ts`, ...args]);
      return out || err;
    },
  },
};
const backends = {
  'node ws': (t) => wsBackend(t, { handleProtocols: (offered) => (offered.has('chat') ? 'chat' : false) }),
  'python3-websockets': (t) => backendProcess(t, python, [`${peers}backend.py`]),
  'Deno': (t) => backendProcess(t, deno, ['run', '--allow-net', `${peers}backend.deno.ts`]),
};

for (const [backendName, start] of Object.entries(backends)) {
  describe(`a backend on ${backendName}`, () => {
    const suite = suiteContext(backendName);
    let gateway;
    let bearer;
    before(async () => {
      const backend = await start(suite);
      gateway = await startGateway(suite, { backend: backend.port, route: { max_message: '1MiB' } });
      bearer = await token();
    });
    for (const [name, client] of Object.entries(clients)) {
      test(`echoes to ${name} with a token in ${client.places.join(', ')}`, async () => {
        for (const place of client.places) assert.equal(await client.run(gateway.url(), bearer, place), 'ok', place);
      });
      test(`is not reached by ${name} with a bad token`, async () => {
        assert.equal(await client.run(gateway.url(), 'rubbish', client.places[0]), client.refusal);
      });
    }
  });
}

describe('Socket.IO', () => {
  test('with its websocket transport talks through the gateway, and not without a token', async (t) => {
    const server = http.createServer();
    const backend = new Server(server);
    const subjects = [];
    backend.on('connection', (socket) => {
      subjects.push(socket.request.headers['x-gatehouse-subject']);
      socket.join('room');
      socket.on('say', (text, answer) => {
        backend.to('room').emit('said', text);
        answer({ got: text });
      });
      socket.on('octets', (octets, answer) => answer(octets));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    atEnd(t, () => backend.close());
    const gateway = await startGateway(t, {
      backend: server.address().port, routes: [{ path: '/socket.io/', authenticate: ['users'], backend: 'chat' }],
    });
    const connect = (options) => {
      const socket = io(`http://127.0.0.1:${gateway.port}`, { transports: ['websocket'], reconnection: false, ...options });
      atEnd(t, () => socket.close());
      return socket;
    };
    const alice = connect({ extraHeaders: { Authorization: `Bearer ${await token()}` } });
    const bob = connect({ query: { token: await token({ sub: 'bob' }) } });
    await within('both to connect', Promise.all([alice, bob].map((socket) => new Promise((resolve, reject) => {
      socket.on('connect', resolve);
      socket.on('connect_error', reject);
    }))));
    assert.deepEqual(subjects.sort(), ['alice', 'bob']);
    const heard = new Promise((resolve) => bob.on('said', resolve));
    assert.deepEqual(await within('an answer', alice.emitWithAck('say', 'héllo')), { got: 'héllo' });
    assert.equal(await within('a message', heard), 'héllo');
    const octets = Buffer.from([0, 1, 2, 255]);
    assert.ok(octets.equals(await within('octets', bob.emitWithAck('octets', octets))));
    const mallory = connect({});
    await within('a refusal', new Promise((resolve) => mallory.on('connect_error', resolve)));
    assert.equal(subjects.length, 2);
  });
});

describe('curl', () => {
  const key = ['-H', 'Upgrade: websocket', '-H', 'Connection: Upgrade', '-H', 'Sec-WebSocket-Version: 13',
    '-H', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
  const curl = (gateway, ...args) => run('curl', ['-sS', '-i', '--http1.1', '--max-time', '5', ...args, gateway.url().replace('ws:', 'http:')]);

  test('sees 101 and the first frame of the backend with a token, and 401 without', async (t) => {
    const backend = await rawBackend(t, {
      behave: (peer, head) => {
        peer.send(upgradeAnswer(head), frame(opcodes.text, 'welcome', { masked: false }), frame(opcodes.close, '', { masked: false }));
      },
    });
    const gateway = await startGateway(t, { backend: backend.port, handshake_timeout: '5s' });
    const accepted = await curl(gateway, ...key, '-H', `Authorization: Bearer ${await token()}`, '--max-time', '1');
    assert.match(accepted.out, /^HTTP\/1\.1 101 /);
    assert.match(accepted.out, /welcome/);
    const denied = await curl(gateway, ...key);
    assert.match(denied.out, /^HTTP\/1\.1 401 /);
    assert.match(denied.out, /www-authenticate: Bearer error="invalid_token"/i);
    assert.equal(denied.code, 0, denied.err);
    assert.equal(backend.connections, 1);
  });

  test('without an upgrade sees 426, complete and closed', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const { code, out } = await curl(gateway, '-H', `Authorization: Bearer ${await token()}`);
    assert.equal(code, 0);
    assert.match(out, /^HTTP\/1\.1 426 /);
    const posted = await curl(gateway, '-d', 'x=1');
    assert.match(posted.out, /^HTTP\/1\.1 4\d\d /);
  });
});
