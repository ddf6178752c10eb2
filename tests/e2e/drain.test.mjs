// SIGTERM and SIGINT: not ready, then no new connections, then 1012 to the open ones, exit 0 within
// drain.timeout. And the admin listener's health, which tells a load balancer.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rawBackend, wsBackend } from './harness/backends.mjs';
import { ask, freePort, gatehouse, open, startGateway } from './harness/gateway.mjs';
import { token } from './harness/tokens.mjs';
import { atEnd } from './harness/ending.mjs';
import { untilMetric } from './harness/metrics.mjs';
import { patience, sleep, until, within } from './harness/wait.mjs';
import { closePayload, connect, frame, opcodes, upgradeRequest } from './harness/wire.mjs';

const { text, close } = opcodes;
const refusedConnection = (port) => connect(port).then((peer) => { peer.destroy(); return false; }, () => true);

describe('draining', () => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    test(`${signal} closes clients with 1012 and backends with 1001, and the process exits 0`, async (t) => {
      const backend = await rawBackend(t);
      const gateway = await startGateway(t, { backend: backend.port });
      const clients = [];
      for (let i = 0; i < 8; ++i) clients.push(await open(t, gateway));
      await backend.opened(8);
      gateway.signal(signal);
      for (const client of clients) {
        const { code, reason } = await client.close();
        assert.equal(code, 1012);
        assert.match(reason, /^retry_after_ms=\d+$/);
        client.send(frame(close, closePayload(1012)));
        client.end().then(() => client.destroy());
      }
      for (const server of backend.peers) {
        assert.equal((await server.close()).code, 1001);
        server.send(frame(close, closePayload(1001), { masked: false }));
        server.socket.end();
      }
      const { code } = await within('the process to exit', gateway.ended);
      assert.equal(code, 0);
    });
  }

  test('every listener is closed and what was accepted before gets its answer', async (t) => {
    const backend = await rawBackend(t);
    const second = await freePort();
    const first = await freePort();
    const gateway = await startGateway(t, {
      backend: backend.port, listen: [{ address: `127.0.0.1:${first}` }, { address: `127.0.0.1:${second}` }],
    });
    const holding = await open(t, gateway, { port: first });
    assert.equal((await ask(t, gateway, { port: second, token: await token() })).status, 101);
    const request = upgradeRequest({ fields: { Authorization: `Bearer ${await token()}` } });
    const early = await connect(second);
    atEnd(t, () => early.destroy());
    early.send(request.slice(0, 40));
    await until('the early one to be accepted', () => true);
    gateway.signal('SIGTERM');
    assert.equal((await holding.close()).code, 1012);
    early.send(request.slice(40));
    const head = await early.head();
    assert.equal(head.status, 503);
    assert.ok(head.fields['retry-after']);
    await until('the listeners to be closed',
      async () => (await refusedConnection(first)) && (await refusedConnection(second)));
  });

  test('a client that has not asked yet gets its 503 at once, and does not hold the process', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, handshake_timeout: '60s', drain: { timeout: '60s' } });
    const request = upgradeRequest({ fields: { Authorization: `Bearer ${await token()}` } });
    const waiting = [];
    for (const said of ['', request.slice(0, 40)]) waiting.push((await connect(gateway.port)).send(said));
    atEnd(t, () => waiting.forEach((peer) => peer.destroy()));
    await untilMetric(gateway, waiting.length, 'gatehouse_admitting_connections');
    gateway.signal('SIGTERM');
    for (const peer of waiting) {
      const { status, fields } = await peer.head();
      assert.equal(status, 503);
      assert.ok(fields['retry-after']);
      await peer.end();
    }
    assert.deepEqual(await within('the process to exit', gateway.ended), { code: 0, signal: null });
  });

  test('connections that wait to be accepted are answered, not reset', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const request = upgradeRequest({ fields: { Authorization: `Bearer ${await token()}` } });
    const connected = [];
    let refusals = 0;
    await Promise.all(Array.from({ length: 200 }, async () => {
      try {
        const peer = await connect(gateway.port);
        atEnd(t, () => peer.destroy());
        connected.push(peer.send(request));
        if (connected.length === 20) gateway.signal('SIGTERM');
      } catch {
        refusals += 1;  // the listener was closed: an answer too
      }
    }));
    assert.equal(connected.length + refusals, 200);
    assert.ok(connected.length >= 20);
    for (const peer of connected) assert.ok([101, 503].includes((await peer.head()).status));
  });

  test('a client that never answers its Close does not hold the process longer than drain.timeout', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, drain: { timeout: '1s' } });
    const client = await open(t, gateway);
    gateway.signal('SIGTERM');
    const began = Date.now();
    assert.equal((await client.close()).code, 1012);
    const { code } = await within('the process to exit', gateway.ended);
    assert.equal(code, 0);
    assert.ok(Date.now() - began < 2_500 * patience, `${Date.now() - began} ms`);
  });

  test('a client that stopped reading does not hold the process longer than drain.timeout', async (t) => {
    const backend = await wsBackend(t, { behave: (socket) => socket.send(Buffer.alloc(20 * 1024 * 1024)) });
    const gateway = await startGateway(t, { backend: backend.port, drain: { timeout: '1s' } });
    const client = await open(t, gateway);
    client.socket.pause();
    gateway.signal('SIGTERM');
    assert.equal((await within('the process to exit', gateway.ended)).code, 0);
  });

  test('what was sent before the drain arrives before the 1012', async (t) => {
    const backend = await rawBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const client = await open(t, gateway);
    const server = await backend.opened();
    for (let i = 0; i < 20; ++i) server.send(frame(text, `${i}`, { masked: false }));
    await client.message();
    gateway.signal('SIGTERM');
    let count = 1;
    for (;;) {
      const next = await client.dataFrame();
      if (next.opcode === close) break;
      ++count;
    }
    assert.equal(count, 20);
  });

  test('with no connection the process exits at once', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const began = Date.now();
    gateway.signal('SIGTERM');
    assert.equal((await within('the process to exit', gateway.ended)).code, 0);
    assert.ok(Date.now() - began < 1_500 * patience);
  });
});

describe('a drain in its parts', () => {
  const echo = async (client, payload) => {
    client.send(frame(text, payload));
    assert.equal((await client.message()).payload.toString(), payload);
  };

  test('during drain.delay it is not ready, and serves clients as before, new ones too', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, drain: { delay: '800ms', spread: '0s', timeout: '10s' } });
    const old = await open(t, gateway);
    const began = Date.now();
    gateway.signal('SIGTERM');
    await until('it to be not ready', async () => (await gateway.admin('/readyz')).status === 503);
    const late = await open(t, gateway);
    await echo(old, 'old');
    await echo(late, 'late');
    assert.ok(Date.now() - began < 800, `too slow to tell: ${Date.now() - began} ms`);
    for (const client of [old, late]) assert.equal((await client.close()).code, 1012);
    assert.ok(Date.now() - began >= 790, `${Date.now() - began} ms`);
    await until('every worker to close its listener', () => refusedConnection(gateway.port));
  });

  test('clients are told to go one after the other over drain.spread, and served until then', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, drain: { spread: '1s', timeout: '10s' } });
    const clients = [];
    for (let i = 0; i < 60; ++i) clients.push(await open(t, gateway));
    const leaving = clients.splice(10, 20);
    gateway.signal('SIGTERM');
    await until('the listeners to be closed', () => refusedConnection(gateway.port));
    const began = Date.now();
    const told = [];
    const all = Promise.all(clients.map(async (client, number) => {
      for (let i = 0; ; ++i) {
        client.send(frame(text, `${i}`));
        const next = await client.dataFrame();
        if (next.opcode !== close) {
          assert.equal(next.payload.toString(), `${i}`);
          await sleep(20);
          continue;
        }
        told.push({ number, at: Date.now() - began, code: next.payload.readUInt16BE(0), reason: next.payload.subarray(2).toString() });
        client.send(frame(close, closePayload(1012)));
        client.end().then(() => client.destroy());
        return;
      }
    }));
    // That others go by themselves keeps nobody from being told, and tells nobody earlier.
    for (const client of leaving) client.destroy();
    await within('all to be told', all);
    assert.ok(told.every(({ code }) => code === 1012));
    const waits = new Set(told.map(({ reason }) => Number(/^retry_after_ms=(\d+)$/.exec(reason)[1])));
    assert.ok(waits.size > 30, 'each has its own time to come back');
    for (const part of [0, 1, 2, 3]) {
      const here = told.filter(({ at }) => Math.min(3, Math.floor(at / 250)) === part).length;
      assert.ok(here >= 2 && here <= 25, `${here} of ${told.length} in quarter ${part}: ${told.map(({ at }) => at)}`);
    }
    // Of two clients either may be the first, whichever came first.
    let inOrder = 0, pairs = 0;
    for (const [i, one] of told.entries()) {
      for (const other of told.slice(i + 1)) {
        pairs += 1;
        inOrder += one.number < other.number ? 1 : 0;
      }
    }
    assert.ok(inOrder > 0.2 * pairs && inOrder < 0.8 * pairs, `${inOrder} of ${pairs} pairs in the order that they came in`);
    assert.deepEqual(await within('the process to exit', gateway.ended), { code: 0, signal: null });
  });

  test('many clients at once are told by the slice, and all of them', async (t) => {
    const gateway = await startGateway(t, {
      workers: 1, drain: { spread: '0s', timeout: '10s' }, backends: {},
      routes: [{ path: '/rooms', authenticate: ['users'], rooms: [{ match: '*', join: 'everyone' }] }],
    });
    const bearer = await token();
    const clients = [];
    while (clients.length < 1_200) {  // a slice has 1 024
      clients.push(...await Promise.all(Array.from({ length: 100 }, () => open(t, gateway, { target: '/rooms', token: bearer }))));
    }
    gateway.signal('SIGTERM');
    await Promise.all(clients.map(async (client) => {
      assert.equal((await client.close()).code, 1012);
      client.destroy();
    }));
    assert.deepEqual(await within('the process to exit', gateway.ended), { code: 0, signal: null });
  });

  test('drain.timeout is the end of all of it, counted from the signal', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, drain: { delay: '400ms', spread: '400ms', timeout: '1s' } });
    const client = await open(t, gateway);
    const began = Date.now();
    gateway.signal('SIGTERM');
    assert.equal((await client.close()).code, 1012);  // which it never answers
    assert.deepEqual(await within('the process to exit', gateway.ended), { code: 0, signal: null });
    const took = Date.now() - began;
    assert.ok(took >= 950 && took < 1_350 * patience, `${took} ms`);
  });

  for (const [phase, drain] of [['delay', { delay: '20s' }], ['spread', { spread: '20s' }]]) {
    test(`a second signal during drain.${phase} ends the process at once, with exit 0 and a last word to clients`, async (t) => {
      const backend = await wsBackend(t);
      const gateway = await startGateway(t, { backend: backend.port, drain: { timeout: '30s', ...drain } });
      const clients = [];
      for (let i = 0; i < 6; ++i) clients.push(await open(t, gateway));
      gateway.signal('SIGTERM');
      await until('it to drain', async () => (await gateway.admin('/readyz')).status === 503);
      const began = Date.now();
      gateway.signal('SIGTERM');
      for (const client of clients) assert.equal((await client.close()).code, 1012);
      assert.deepEqual(await within('the process to exit', gateway.ended), { code: 0, signal: null });
      assert.ok(Date.now() - began < 1_000 * patience, `${Date.now() - began} ms`);
    });
  }
});

describe('the admin listener', () => {
  test('says that it is alive and ready, and not ready while draining', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    assert.equal((await gateway.admin('/healthz')).status, 200);
    assert.equal((await gateway.admin('/readyz')).status, 200);
    assert.equal((await gateway.admin('/nothing')).status, 404);
    const client = await open(t, gateway);
    gateway.signal('SIGTERM');
    await client.close();
    assert.equal((await gateway.admin('/readyz')).status, 503);
    assert.equal((await gateway.admin('/healthz')).status, 200);
  });

  test('survives rubbish, and a client that says nothing', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    for (const octets of ['rubbish\r\n\r\n', Buffer.alloc(100_000, 0xff), 'GET /healthz HTTP/1.1\r\n', '']) {
      const peer = await connect(gateway.adminPort);
      atEnd(t, () => peer.destroy());
      peer.send(octets);
    }
    assert.equal((await gateway.admin('/healthz')).status, 200);
  });

  test('healthcheck asks the running instance of a policy', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    assert.equal((await gatehouse(['healthcheck', '--policy', gateway.file])).code, 0);
    gateway.signal('SIGTERM');
    await gateway.ended;
    const { code, err } = await gatehouse(['healthcheck', '--policy', gateway.file]);
    assert.notEqual(code, 0);
    assert.match(err, /\S/);
  });
});
