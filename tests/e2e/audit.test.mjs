// The log: JSON lines that say who came, who was refused and why, who left and how; never a credential
// (SECURITY 7).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rawBackend, wsBackend } from './harness/backends.mjs';
import { ask, open, refused, startGateway, users } from './harness/gateway.mjs';
import { issuer, now, rawToken, token } from './harness/tokens.mjs';
import { within } from './harness/wait.mjs';
import { closePayload, connect, frame, opcodes } from './harness/wire.mjs';

const { text, close } = opcodes;
const event = (name) => (line) => line.event === name;

describe('the audit log', () => {
  test('is JSON, one object a line, with time, level and event', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    await open(t, gateway);
    await refused(t, gateway, {});
    await gateway.logged('a refusal', event('connection_refused'));
    for (const line of gateway.output.split('\n').slice(0, -1)) {
      const parsed = JSON.parse(line);
      assert.match(parsed.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
      assert.match(parsed.level, /^(debug|info|warn|error)$/);
      assert.match(parsed.event, /^[a-z_]+$/);
    }
  });

  test('tells of an opened and a closed connection: who, where, code, octets and messages each way', async (t) => {
    const backend = await rawBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const client = await open(t, gateway);
    const server = await backend.opened();
    const [id] = backend.heads[0].fields['x-gatehouse-connection'];
    const opened = await gateway.logged('the opening', event('connection_opened'));
    assert.deepEqual([opened.connection, opened.subject, opened.route, opened.address, opened.authenticator],
      [id, 'alice', '/chat', '127.0.0.1', 'users']);
    client.send(frame(text, '12345'), frame(text, 'a', { fin: false }), frame(opcodes.continuation, 'b'));
    server.send(frame(text, 'x'.repeat(300), { masked: false }));
    await client.message();
    await server.message();
    await server.message();
    client.send(frame(close, closePayload(4002, 'a reason of the client')));
    await server.close();
    server.send(frame(close, closePayload(4002), { masked: false }));
    server.socket.end();
    await client.close();
    const closed = await gateway.logged('the end', event('connection_closed'));
    assert.deepEqual(
      [closed.connection, closed.subject, closed.code, closed.by, closed.client_messages, closed.client_octets,
        closed.backend_messages, closed.backend_octets],
      [id, 'alice', 4002, 'client', 2, 7, 1, 300]);
    assert.ok(closed.duration_ms >= 0 && closed.duration_ms < 60_000);
  });

  test('tells who ended a connection and why', async (t) => {
    const backend = await rawBackend(t);
    const gateway = await startGateway(t, {
      backend: backend.port, route: { max_message: '1KiB', limits: { connection: { messages: '1/s', burst: 1, on_exceed: 'close' } } },
    });
    const byLimit = await open(t, gateway);
    byLimit.send(frame(text, '1'), frame(text, '2'));
    assert.equal((await byLimit.close()).code, 1008);
    const ofLimit = await gateway.logged('1008', (line) => line.event === 'connection_closed' && line.code === 1008);
    assert.equal(ofLimit.by, 'gateway');
    assert.match(ofLimit.reason, /^[a-z_]+$/);
    const hit = await gateway.logged('the limit', event('limit_hit'));
    assert.deepEqual([hit.limit, hit.subject], ['connection_messages', 'alice']);

    await open(t, gateway);
    (await backend.opened(2)).send(frame(close, closePayload(4003), { masked: false }));
    const ofBackend = await gateway.logged('4003', (line) => line.event === 'connection_closed' && line.code === 4003);
    assert.equal(ofBackend.by, 'backend');
  });

  test('has the true reason of a refusal, which the client is not told', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, {
      backend: backend.port, route: { allow: { claim: 'plan', equals: 'pro' }, origins: ['https://app.example.com'] },
    });
    const reasonOf = async (what, request) => {
      const before = gateway.log.length;
      await refused(t, gateway, request);
      const line = await gateway.logged(what, (one, at) => at >= before && one.event === 'connection_refused');
      assert.match(line.reason, /^[a-z_0-9]+$/);
      return line;
    };
    const reasons = new Set();
    const cases = {
      'no credential': {},
      'a bad signature': { token: await token({}, { key: new TextEncoder().encode('x'.repeat(40)) }) },
      'an expired token': { token: await token({ exp: now() - 3_600, iat: now() - 7_200 }) },
      'another audience': { token: await token({ aud: 'other' }) },
      'another issuer': { token: await token({ iss: 'https://other.test/' }) },
      'another algorithm': { token: rawToken({ alg: 'none' }, { iss: issuer, sub: 'alice' }) },
      'no token at all': { token: 'rubbish' },
      'allow': { token: await token() },
      'Origin': { fields: { Origin: 'https://evil.example' } },
      'no route': { target: '/nowhere' },
      'no WebSocket': { fields: { Upgrade: null, Connection: null } },
      'a malformed request': { target: '/a/../b' },
    };
    for (const [what, request] of Object.entries(cases)) {
      const line = await reasonOf(what, request);
      assert.ok(!reasons.has(line.reason), `${what} has the reason ${line.reason} of another case`);
      reasons.add(line.reason);
      assert.ok(line.status >= 400 && line.status < 500);
      assert.equal(line.address, '127.0.0.1');
    }
    backend.stop();
    const away = await reasonOf('no backend', { token: await token({ plan: 'pro' }) });
    assert.deepEqual([away.status, away.subject], [502, 'alice']);
  });

  test('escapes what a client sends: a line stays a line', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, {
      backend: backend.port, routes: [{ path: '/app/*', authenticate: ['users'], backend: 'chat' }],
    });
    const sub = 'a"b\\c {"event":"forged"} \u202e é';
    const client = await open(t, gateway, { target: '/app/%22%7B', token: await token({ sub }) });
    const opened = await gateway.logged('the opening', event('connection_opened'));
    assert.equal(opened.subject, sub);
    await refused(t, gateway, { target: '/%22%2C%22event%22%3A%22forged%22%7D' });
    await gateway.logged('the refusal', event('connection_refused'));
    assert.equal(gateway.log.some(event('forged')), false);
    client.destroy();
  });

  test('never has a credential, from whatever place, at the level debug', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, {
      backend: backend.port, log: { level: 'debug', format: 'json' }, drain: { timeout: '500ms' },
      authenticators: {
        users: users({ credentials: [{ header: 'Authorization' }, { subprotocol: 'bearer.' }, { query: 'token' }, { cookie: 'access_token' }] }),
      },
      route: { origins: ['*'] },
    });
    const Origin = 'https://app.example.com';
    const used = [];
    for (const expired of [false, true]) {
      for (let place = 0; place < 4; ++place) {
        const made = await token({ n: place, ...(expired ? { exp: now() - 3_600, iat: now() - 7_200 } : {}) });
        used.push(made);
        const request = [
          { token: made }, { fields: { 'Sec-WebSocket-Protocol': `chat, bearer.${made}` } },
          { target: `/chat?token=${made}` }, { fields: { Cookie: `access_token=${made}`, Origin } },
        ][place];
        assert.equal((await ask(t, gateway, request)).status, expired ? 401 : 101);
        // Requests that end before or beside the credential, which is still in them.
        await ask(t, gateway, { ...request, target: `/nowhere?token=${made}` });
        await ask(t, gateway, { ...request, target: `/../chat?token=${made}` });
      }
    }
    const broken = await connect(gateway.port);
    broken.send(`GET /chat?token=${used[0]} HTTP/1.1\r\nAuthorization: Bearer ${used[1]}\r\nBad Name: x\r\n\r\n`);
    await broken.end();
    broken.destroy();
    await gateway.stop();
    for (const made of used) {
      for (const part of [made, ...made.split('.').slice(1)]) assert.equal(gateway.output.includes(part), false);
    }
  });

  test('as text has the same events', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, log: { level: 'info', format: 'text' }, drain: { timeout: '500ms' } });
    await open(t, gateway);
    await refused(t, gateway, {});
    await gateway.stop();
    assert.match(gateway.output, /connection_opened .*subject="?alice/);
    assert.match(gateway.output, /connection_refused/);
  });

  test('at the level warn leaves out what is ordinary', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, log: { level: 'warn', format: 'json' } });
    const client = await open(t, gateway);
    client.destroy();
    await gateway.stop();
    assert.equal(gateway.log.some(({ level }) => level === 'info' || level === 'debug'), false);
  });

  test('that nobody reads does not stop the gateway', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    gateway.child.stdout.pause();
    gateway.child.stderr.pause();
    for (let i = 0; i < 1_500; ++i) {
      const answer = await ask(t, gateway, { token: await token({ sub: `u${'x'.repeat(200)}` }) });
      assert.equal(answer.status, 101);
      answer.peer.destroy();
    }
    gateway.child.stdout.resume();
    gateway.child.stderr.resume();
    const client = await within('a new connection', open(t, gateway));
    client.send(frame(text, 'alive'));
    assert.equal((await client.message()).payload.toString(), 'alive');
  });
});
