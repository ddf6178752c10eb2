// CONTRACT section 4, close codes, and SECURITY 15: a Close passes across with its code and reason, and
// no code that may not be sent ever is.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { rawBackend, wsBackend } from './harness/backends.mjs';
import { suiteContext } from './harness/ending.mjs';
import { open, startGateway } from './harness/gateway.mjs';
import { token } from './harness/tokens.mjs';
import { closePayload, frame, opcodes } from './harness/wire.mjs';

const passes = (code) =>
  (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
const borders = [0, 1, 125, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015,
  1016, 1099, 1100, 1999, 2000, 2999, 3000, 3001, 3999, 4000, 4001, 4401, 4999, 5000, 5001, 32_768, 65_535];

describe('close codes', () => {
  const suite = suiteContext('close codes');
  let backend;
  let gateway;
  let bearer;
  before(async () => {
    backend = await rawBackend(suite);
    gateway = await startGateway(suite, { backend: backend.port });
    bearer = await token();
  });
  let opened = 0;
  async function pair(t) {
    const client = await open(t, gateway, { token: bearer });
    const server = await backend.opened(++opened);
    return { client, server };
  }

  test('of a client pass to the backend, or are 1002 for it where they may not be sent', async (t) => {
    for (const code of borders) {
      const { client, server } = await pair(t);
      client.send(frame(opcodes.close, closePayload(code, 'why')));
      const there = await server.close();
      if (passes(code)) {
        assert.deepEqual(there, { code, reason: 'why' }, `${code} at the backend`);
      } else {
        assert.equal((await client.close()).code, 1002, `${code}: what the client gets`);
        assert.equal(there.code, 1001, `${code}: what the backend gets`);
      }
      client.destroy();
      server.destroy();
    }
  });

  test('of a backend pass to the client, or are 1014 for it and 1002 for the backend', async (t) => {
    for (const code of borders) {
      const { client, server } = await pair(t);
      server.send(frame(opcodes.close, closePayload(code, 'why'), { masked: false }));
      const there = await client.close();
      if (passes(code)) {
        assert.deepEqual(there, { code, reason: 'why' }, `${code} at the client`);
      } else {
        assert.equal(there.code, 1014, `${code}: what the client gets`);
        assert.equal((await server.close()).code, 1002, `${code}: what the backend gets`);
      }
      client.destroy();
      server.destroy();
    }
  });

  test('the answering Close of the other side comes back, and both connections end', async (t) => {
    const { client, server } = await pair(t);
    client.send(frame(opcodes.close, closePayload(4000, 'done')));
    assert.deepEqual(await server.close(), { code: 4000, reason: 'done' });
    server.send(frame(opcodes.close, closePayload(4000, 'done'), { masked: false }));
    assert.equal((await client.close()).code, 4000);
    await client.end();
    server.socket.end();
  });

  test('a Close without a code passes without one, both ways', async (t) => {
    const one = await pair(t);
    one.client.send(frame(opcodes.close));
    assert.deepEqual(await one.server.close(), { code: undefined, reason: '' });
    const two = await pair(t);
    two.server.send(frame(opcodes.close, '', { masked: false }));
    assert.deepEqual(await two.client.close(), { code: undefined, reason: '' });
  });

  test('a reason of 123 octets passes, both ways', async (t) => {
    const reason = `${'é'.repeat(61)}x`;
    const one = await pair(t);
    one.client.send(frame(opcodes.close, closePayload(3000, reason)));
    assert.deepEqual(await one.server.close(), { code: 3000, reason });
    const two = await pair(t);
    two.server.send(frame(opcodes.close, closePayload(3000, reason), { masked: false }));
    assert.deepEqual(await two.client.close(), { code: 3000, reason });
  });

  test('a reason of 124 octets is 1002 for its sender', async (t) => {
    const one = await pair(t);
    one.client.send(frame(opcodes.close, closePayload(1000, 'x'.repeat(124))));
    assert.equal((await one.client.close()).code, 1002);
    assert.equal((await one.server.close()).code, 1001);
    const two = await pair(t);
    two.server.send(frame(opcodes.close, closePayload(1000, 'x'.repeat(124)), { masked: false }));
    assert.equal((await two.client.close()).code, 1014);
    assert.equal((await two.server.close()).code, 1002);
  });

  test('a reason that is not UTF-8 is 1007 for a client and 1014 behind a backend', async (t) => {
    for (const octets of [[0xff], [0xc3], [0xed, 0xa0, 0x80]]) {
      const payload = Buffer.concat([closePayload(1000), Buffer.from(octets)]);
      const one = await pair(t);
      one.client.send(frame(opcodes.close, payload));
      assert.equal((await one.client.close()).code, 1007);
      assert.equal((await one.server.close()).code, 1001);
      const two = await pair(t);
      two.server.send(frame(opcodes.close, payload, { masked: false }));
      assert.equal((await two.client.close()).code, 1014);
      assert.ok([1002, 1007].includes((await two.server.close()).code));
    }
  });

  test('a body of one octet is 1002 for its sender', async (t) => {
    const one = await pair(t);
    one.client.send(frame(opcodes.close, '\x03'));
    assert.equal((await one.client.close()).code, 1002);
    assert.equal((await one.server.close()).code, 1001);
    const two = await pair(t);
    two.server.send(frame(opcodes.close, '\x03', { masked: false }));
    assert.equal((await two.client.close()).code, 1014);
    assert.equal((await two.server.close()).code, 1002);
  });

  test('nothing that a client sends behind its Close reaches the backend', async (t) => {
    const { client, server } = await pair(t);
    client.send(frame(opcodes.close, closePayload(1000)), frame(opcodes.text, 'too late'));
    assert.equal((await server.close()).code, 1000);
    server.send(frame(opcodes.close, closePayload(1000), { masked: false }));
    server.socket.end();
    await server.end();
    assert.equal(server.received.length, 0);
  });

  test('what the backend sent before its Close arrives before it', async (t) => {
    const { client, server } = await pair(t);
    const text = frame(opcodes.text, 'x'.repeat(10_000), { masked: false });
    server.send(Buffer.concat([...Array(50).fill(text), frame(opcodes.close, closePayload(1000), { masked: false })]));
    for (let i = 0; i < 50; ++i) assert.equal((await client.message()).payload.length, 10_000);
    assert.equal((await client.close()).code, 1000);
  });

  test('a side that never answers a Close is let go after 5 s', async (t) => {
    const { client, server } = await pair(t);
    const began = Date.now();
    server.send(frame(opcodes.close, closePayload(1000), { masked: false }));
    assert.equal((await client.close()).code, 1000);
    await client.end(9_000);
    const seconds = (Date.now() - began) / 1_000;
    assert.ok(seconds > 4 && seconds < 8, `${seconds} s`);
  });
});

describe('closing between honest peers', () => {
  test('the code and reason of either side are what the other reports', async (t) => {
    const backend = await wsBackend(t, {
      behave: (socket) => socket.on('message', (message) => {
        if (`${message}` === 'close me') socket.close(4123, 'as you wish');
      }),
    });
    const gateway = await startGateway(t, { backend: backend.port });
    const { default: WebSocket } = await import('ws');
    const ending = (socket) => new Promise((resolve) =>
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })));
    const options = { headers: { Authorization: `Bearer ${await token()}` } };
    const one = new WebSocket(gateway.url(), options);
    one.on('open', () => one.send('close me'));
    assert.deepEqual(await ending(one), { code: 4123, reason: 'as you wish' });
    const two = new WebSocket(gateway.url(), options);
    two.on('open', () => two.close(3456, 'enough'));
    assert.deepEqual(await ending(two), { code: 3456, reason: 'enough' });
    await backend.closed(2);
    assert.deepEqual(backend.closes[1], { code: 3456, reason: 'enough' });
  });
});
