// CONTRACT section 3: which answer an opening handshake gets, and which of two faults answers first.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rawBackend, upgradeAnswer, wsBackend } from './harness/backends.mjs';
import { atEnd } from './harness/ending.mjs';
import { ask, open, refused, startGateway, users } from './harness/gateway.mjs';
import { now, secret, token } from './harness/tokens.mjs';
import { until, within } from './harness/wait.mjs';
import { acceptOf, connect, frame, opcodes, upgradeRequest } from './harness/wire.mjs';

const foreign = { Origin: 'https://evil.example' };

describe('the answer to an opening handshake', () => {
  test('a good token, route and backend get 101 with the right Sec-WebSocket-Accept', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const answer = await ask(t, gateway, { token: await token() });
    assert.equal(answer.status, 101);
    assert.deepEqual(answer.fields['sec-websocket-accept'], [acceptOf('dGhlIHNhbXBsZSBub25jZQ==')]);
    assert.match(answer.fields.upgrade[0], /^websocket$/i);
    assert.match(answer.fields.connection[0], /^upgrade$/i);
    assert.equal(answer.fields['sec-websocket-extensions'], undefined);
    answer.peer.send(frame(opcodes.text, 'hello'));
    assert.equal((await answer.peer.message()).payload.toString(), 'hello');
  });

  test('octets sent right behind the handshake reach the backend as a message', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const answer = await ask(t, gateway, { token: await token(), after: frame(opcodes.text, 'early') });
    assert.equal(answer.status, 101);
    assert.equal((await answer.peer.message()).payload.toString(), 'early');
  });

  test('octets that the backend sends right behind its 101 reach the client', async (t) => {
    const backend = await rawBackend(t, {
      behave: (peer, head) => peer.send(
        Buffer.concat([Buffer.from(upgradeAnswer(head)), frame(opcodes.text, 'first', { masked: false })])),
    });
    const gateway = await startGateway(t, { backend: backend.port });
    const peer = await open(t, gateway);
    assert.equal((await peer.message()).payload.toString(), 'first');
  });

  test('a handshake that comes octet by octet is as good as one in one piece', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const peer = await connect(gateway.port);
    atEnd(t, () => peer.destroy());
    const request = upgradeRequest({ fields: { Authorization: `Bearer ${await token()}` } });
    for (const octet of Buffer.from(request)) {
      peer.send(Buffer.from([octet]));
      await new Promise(setImmediate);
    }
    assert.equal((await peer.head()).status, 101);
  });

  test('a malformed request is 400', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    assert.equal((await refused(t, gateway, { request: 'rubbish\r\n\r\n' })).status, 400);
    assert.equal((await refused(t, gateway, { request: '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n' })).status, 400);
  });

  test('a key that is not 16 octets of base64, or missing, or twice is 400', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    for (const key of [null, '', 'AAAA', 'not base64!!', 'dGhlIHNhbXBsZSBub25jZQ',
      'dGhlIHNhbXBsZSBub25jZTE=', ['dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ==']]) {
      const answer = await refused(t, gateway,
        { token: await token(), fields: { 'Sec-WebSocket-Key': key } });
      assert.equal(answer.status, 400, `key ${JSON.stringify(key)}`);
    }
    assert.equal(backend.requests.length, 0);
  });

  test('a head that takes longer than handshake_timeout is 408', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, handshake_timeout: '300ms' });
    const answer = await refused(t, gateway, { request: 'GET /chat HTTP/1.1\r\nHost: gate' });
    assert.equal(answer.status, 408);
  });

  test('a connection that says nothing is closed at handshake_timeout', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, handshake_timeout: '300ms' });
    const peer = await connect(gateway.port);
    atEnd(t, () => peer.destroy());
    await peer.end();
  });

  test('a head over 32 KiB, 100 fields or 16 KiB in one field is 431', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const fields = (count, value = 'x') =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`X-Field-${i}`, value]));
    const bearer = await token();
    const status = async (more) => (await ask(t, gateway, { token: bearer, fields: more })).status;
    assert.equal(await status(fields(94)), 101, '100 fields with the six of the handshake');
    assert.equal(await status(fields(95)), 431, '101 fields');
    assert.equal(await status({ 'X-Long': 'x'.repeat(15_000) }), 101);
    assert.equal(await status({ 'X-Long': 'x'.repeat(16_385) }), 431);
    assert.equal(await status(fields(20, 'x'.repeat(1_400))), 101);
    assert.equal(await status(fields(20, 'x'.repeat(1_700))), 431);
    const long = `/chat?${'x'.repeat(40_000)}`;
    assert.ok([431, 414].includes((await refused(t, gateway, { token: bearer, target: long })).status));
  });

  test('a gateway that is full answers 503 with Retry-After', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, max_connections: 4 });
    const peers = [];
    for (let i = 0; i < 4; ++i) peers.push(await open(t, gateway));
    const answer = await refused(t, gateway, { token: await token() });
    assert.equal(answer.status, 503);
    assert.match(answer.fields['retry-after'][0], /^\d+$/);
    peers[0].destroy();
    await until('a place to be free again',
      async () => (await ask(t, gateway, { token: await token() })).status === 101);
  });

  test('too many handshakes of an address are 429 with Retry-After', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t,
      { backend: backend.port, route: { limits: { ip: { handshakes: '1/m', burst: 3 } } } });
    for (let i = 0; i < 3; ++i) await open(t, gateway);
    const answer = await refused(t, gateway, { token: await token() });
    assert.equal(answer.status, 429);
    const seconds = Number(answer.fields['retry-after'][0]);
    assert.ok(seconds >= 1 && seconds <= 60, `Retry-After: ${seconds}`);
    assert.equal((await ask(t, gateway, { token: await token(), localAddress: '127.0.0.2' })).status, 101,
      'another address is not concerned');
  });

  test('too many connections of an address are 429 with Retry-After', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t,
      { backend: backend.port, route: { limits: { ip: { connections: 2 } } } });
    const peers = [await open(t, gateway), await open(t, gateway)];
    const answer = await refused(t, gateway, { token: await token({ sub: 'bob' }) });
    assert.equal(answer.status, 429);
    assert.match(answer.fields['retry-after'][0], /^\d+$/);
    assert.equal((await ask(t, gateway, { token: await token(), localAddress: '127.0.0.3' })).status, 101);
    peers[0].destroy();
    await until('the place of a closed connection to be free',
      async () => (await ask(t, gateway, { token: await token() })).status === 101);
  });

  test('too many connections of a subject are 429 with Retry-After', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t,
      { backend: backend.port, route: { limits: { subject: { connections: 2 } } } });
    await open(t, gateway);
    await open(t, gateway, { localAddress: '127.0.0.4' });
    const answer = await refused(t, gateway, { token: await token(), localAddress: '127.0.0.5' });
    assert.equal(answer.status, 429);
    assert.match(answer.fields['retry-after'][0], /^\d+$/);
    await open(t, gateway, { token: await token({ sub: 'bob' }) });
  });

  test('no route for the host or path is 404', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, {
      backend: backend.port,
      routes: [
        { path: '/chat', hosts: ['chat.example.com'], authenticate: ['users'], backend: 'chat' },
        { path: '/app/*', authenticate: ['users'], backend: 'chat' },
        { path: '/teams/{team}/live', authenticate: ['users'], backend: 'chat' },
      ],
    });
    const bearer = await token();
    const status = async (target, host = 'chat.example.com') =>
      (await ask(t, gateway, { token: bearer, target, host })).status;
    assert.equal(await status('/chat'), 101);
    assert.equal(await status('/chat', 'CHAT.example.com:8080'), 101, 'host in any case, with a port');
    assert.equal(await status('/chat', 'evil.example.com'), 404);
    assert.equal(await status('/chat', 'chat.example.com.evil.com'), 404);
    assert.equal(await status('/Chat'), 404, 'paths are case-sensitive');
    assert.equal(await status('/chat/'), 404);
    assert.equal(await status('/chatter'), 404);
    assert.equal(await status('/app/x/y', 'any.example'), 101);
    assert.equal(await status('/application', 'any.example'), 404);
    assert.equal(await status('/teams/red/live'), 101);
    assert.equal(await status('/teams/red/blue/live'), 404);
    assert.equal(await status('/'), 404);
  });

  test('a request that asks for no WebSocket is 426 and says what to upgrade to', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const bearer = await token();
    for (const fields of [{ Upgrade: null, Connection: null }, { Upgrade: null }, { Upgrade: 'h2c' },
      { Upgrade: 'websockets' }]) {
      const answer = await refused(t, gateway, { token: bearer, fields });
      assert.equal(answer.status, 426, JSON.stringify(fields));
      assert.match(answer.fields.upgrade[0], /websocket/i);
    }
    assert.equal(backend.requests.length, 0);
  });

  test('another Sec-WebSocket-Version is 426 and names the one spoken', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    for (const version of ['12', '8', '0', '130', null]) {
      const answer = await refused(t, gateway,
        { token: await token(), fields: { 'Sec-WebSocket-Version': version } });
      assert.equal(answer.status, 426, `version ${version}`);
      assert.deepEqual(answer.fields['sec-websocket-version'], ['13']);
    }
  });

  test('an Origin that is not on the list is 403', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t,
      { backend: backend.port, route: { origins: ['https://app.example.com'] } });
    assert.equal((await refused(t, gateway, { token: await token(), fields: foreign })).status, 403);
    assert.equal(backend.requests.length, 0);
    assert.equal((await ask(t, gateway,
      { token: await token(), fields: { Origin: 'https://app.example.com' } })).status, 101);
    assert.equal((await ask(t, gateway, { token: await token() })).status, 101,
      'no Origin: not a browser, and no cookie');
  });

  test('a principal that allow does not name is 403', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t,
      { backend: backend.port, route: { allow: { claim: 'plan', in: ['pro', 'team'] } } });
    const status = async (claims) => (await ask(t, gateway, { token: await token(claims) })).status;
    assert.equal(await status({ plan: 'pro' }), 101);
    assert.equal(await status({ plan: 'free' }), 403);
    assert.equal(await status({}), 403);
    assert.equal(backend.requests.length, 1);
  });

  test('no credential and a bad one are the same 401', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const answers = [
      await refused(t, gateway, {}),
      await refused(t, gateway, { token: 'rubbish' }),
      await refused(t, gateway, { token: await token({ exp: now() - 3_600, iat: now() - 7_200 }) }),
      await refused(t, gateway, { token: await token({ iss: 'https://other.test/' }) }),
      await refused(t, gateway, { token: await token({ aud: 'other' }) }),
      await refused(t, gateway,
        { token: await token({}, { key: new TextEncoder().encode('x'.repeat(40)) }) }),
    ];
    for (const answer of answers) {
      assert.equal(answer.status, 401);
      assert.deepEqual(answer.fields['www-authenticate'], ['Bearer error="invalid_token"']);
      const withoutDate = (raw) => raw.replace(/date: .*/i, '');
      assert.equal(withoutDate(answer.raw), withoutDate(answers[0].raw));
    }
    assert.equal(backend.requests.length, 0);
  });

  test('no backend is 502', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    backend.stop();
    assert.equal((await refused(t, gateway, { token: await token() })).status, 502);
  });

  test('a backend that closes, or answers rubbish or 5xx or 200 or 302, is 502', async (t) => {
    for (const answer of ['', 'rubbish\r\n\r\n', 'HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      'HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n']) {
      const backend = await rawBackend(t, {
        behave: (peer) => { peer.send(answer); peer.socket.end(); },
      });
      const gateway = await startGateway(t, { backend: backend.port });
      const got = await refused(t, gateway, { token: await token() });
      assert.equal(got.status, 502, JSON.stringify(answer));
      assert.equal(got.fields.location, undefined);
    }
  });

  test('a backend that never answers the handshake is 504', async (t) => {
    const backend = await rawBackend(t, { behave: () => {} });
    const gateway = await startGateway(t,
      { backend: backend.port, backendMore: { connect_timeout: '300ms' } });
    assert.equal((await refused(t, gateway, { token: await token() })).status, 504);
  });

  test('a backend that has not answered at handshake_timeout is 504', async (t) => {
    const backend = await rawBackend(t, { behave: () => {} });
    const gateway = await startGateway(t, { backend: backend.port, handshake_timeout: '400ms' });
    assert.equal((await refused(t, gateway, { token: await token() })).status, 504);
  });

  test("a backend's own 4xx reaches the client as that status, without its fields or body", async (t) => {
    for (const status of [400, 401, 403, 404, 418, 429, 451]) {
      const backend = await rawBackend(t, {
        behave: (peer) => peer.send(
          `HTTP/1.1 ${status} Nope\r\nX-Internal: leak\r\nSet-Cookie: a=b\r\nContent-Length: 6\r\n\r\nsecret`),
      });
      const gateway = await startGateway(t, { backend: backend.port });
      const answer = await refused(t, gateway, { token: await token() });
      assert.equal(answer.status, status);
      assert.equal(answer.fields['x-internal'], undefined);
      assert.equal(answer.fields['set-cookie'], undefined);
      assert.doesNotMatch(answer.peer.received.toString(), /secret/);
    }
  });

  test('a denied client never causes a connection to the backend, whatever it sends along', async (t) => {
    const backend = await rawBackend(t, { silent: true, behave: () => {} });
    const gateway = await startGateway(t, {
      backend: backend.port,
      route: { origins: ['https://app.example.com'], allow: { subjects: ['alice'] } },
    });
    const after = frame(opcodes.text, 'a frame of a denied client');
    for (const request of [
      { after }, { token: 'rubbish', after }, { token: await token({ sub: 'bob' }), after },
      { token: await token(), fields: foreign, after }, { target: '/nowhere', after },
    ]) {
      const answer = await refused(t, gateway, request);
      assert.ok(answer.status >= 400 && answer.status < 500);
    }
    assert.equal(backend.connections, 0);
    assert.equal(backend.octets.length, 0);
  });
});

describe('of two faults the earlier step answers', () => {
  test('form before full: a malformed request to a full gateway is 400', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, max_connections: 2 });
    await open(t, gateway);
    await open(t, gateway);
    assert.equal((await refused(t, gateway, { fields: { 'Bad Name': 'x' } })).status, 400);
    assert.equal((await refused(t, gateway, { fields: { 'X-Long': 'x'.repeat(20_000) } })).status, 431);
    assert.equal((await refused(t, gateway, { target: '/a/../chat' })).status, 400);
    assert.equal((await refused(t, gateway, {})).status, 503);
  });

  test('full before host and path: an unknown path at a full gateway is 503', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, max_connections: 2 });
    await open(t, gateway);
    await open(t, gateway);
    assert.equal((await refused(t, gateway, { target: '/nowhere' })).status, 503);
  });

  test("path before the address's handshakes: an unknown path is 404 when the rate is used up", async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t,
      { backend: backend.port, route: { limits: { ip: { handshakes: '1/m', burst: 1 } } } });
    await open(t, gateway);
    assert.equal((await refused(t, gateway, { target: '/nowhere' })).status, 404);
    assert.equal((await refused(t, gateway, {})).status, 429);
  });

  test("the address's handshakes before upgrade fields: a plain GET over the rate is 429", async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t,
      { backend: backend.port, route: { limits: { ip: { handshakes: '1/m', burst: 1 } } } });
    const plain = { fields: { Upgrade: null, Connection: null } };
    assert.equal((await refused(t, gateway, plain)).status, 426);
    assert.equal((await refused(t, gateway, plain)).status, 429, 'refused handshakes count too');
  });

  test('upgrade fields before Origin: a plain GET from a foreign Origin is 426', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t,
      { backend: backend.port, route: { origins: ['https://app.example.com'] } });
    assert.equal((await refused(t, gateway,
      { fields: { Upgrade: null, Connection: null, ...foreign } })).status, 426);
    assert.equal((await refused(t, gateway,
      { fields: { 'Sec-WebSocket-Version': '8', ...foreign } })).status, 426);
  });

  test('Origin before the credential: no token from a foreign Origin is 403', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t,
      { backend: backend.port, route: { origins: ['https://app.example.com'] } });
    assert.equal((await refused(t, gateway, { fields: foreign })).status, 403);
    assert.equal((await refused(t, gateway, { token: 'rubbish', fields: foreign })).status, 403);
  });

  test('the credential before allow: an expired token of one who is not allowed is 401', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t,
      { backend: backend.port, route: { allow: { subjects: ['bob'] } } });
    const expired = await token({ exp: now() - 3_600, iat: now() - 7_200 });
    assert.equal((await refused(t, gateway, { token: expired })).status, 401);
  });

  test('allow before connections: one who is not allowed is 403 where the address is full', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, {
      backend: backend.port,
      route: { allow: { claim: 'plan', equals: 'pro' }, limits: { ip: { connections: 1 }, subject: { connections: 1 } } },
    });
    await open(t, gateway, { token: await token({ plan: 'pro' }) });
    assert.equal((await refused(t, gateway, { token: await token() })).status, 403);
    assert.equal((await refused(t, gateway, { token: await token({ plan: 'pro' }) })).status, 429);
  });

  test('connections before the backend: over the limit is 429 where the backend is away', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t,
      { backend: backend.port, route: { limits: { subject: { connections: 1 } } } });
    await open(t, gateway);
    backend.server.close();
    assert.equal((await refused(t, gateway, { token: await token() })).status, 429);
    assert.equal((await refused(t, gateway, { token: await token({ sub: 'bob' }) })).status, 502);
  });
});

describe('servers of a backend', () => {
  test('connections go to the servers in turn', async (t) => {
    const backends = [await wsBackend(t), await wsBackend(t)];
    const gateway = await startGateway(t,
      { servers: backends.map(({ port }) => `ws://127.0.0.1:${port}`), workers: 1 });
    for (let i = 0; i < 6; ++i) await open(t, gateway);
    assert.deepEqual(backends.map(({ requests }) => requests.length), [3, 3]);
  });

  test('a server that failed is passed over at once and skipped for a while', async (t) => {
    const dead = await rawBackend(t, { silent: true, behave: (peer) => peer.destroy() });
    const alive = await wsBackend(t);
    const gateway = await startGateway(t, {
      servers: [`ws://127.0.0.1:${dead.port}`, `ws://127.0.0.1:${alive.port}`], workers: 1,
    });
    for (let i = 0; i < 8; ++i) await open(t, gateway);
    assert.equal(alive.requests.length, 8);
    assert.equal(dead.connections, 1);
  });

  test('a server that refuses the connection costs a client nothing', async (t) => {
    const away = await wsBackend(t);
    away.stop();
    const alive = await wsBackend(t);
    const gateway = await startGateway(t,
      { servers: [`ws://127.0.0.1:${away.port}`, `ws://127.0.0.1:${alive.port}`] });
    for (let i = 0; i < 8; ++i) await open(t, gateway);
    assert.equal(alive.requests.length, 8);
  });

  test('where nobody listens, the operator is told just that', async (t) => {
    const away = await wsBackend(t);
    away.stop();
    const gateway = await startGateway(t, { backend: away.port });
    assert.equal((await refused(t, gateway, { token: await token() })).status, 502);
    const { reason } = await gateway.logged('the refusal', ({ event }) => event === 'connection_refused');
    assert.equal(reason, 'backend_unreachable');
  });

  test('a slow server is left after connect_timeout and the next one is asked', async (t) => {
    const slow = await rawBackend(t, { behave: () => {} });
    const alive = await wsBackend(t);
    const gateway = await startGateway(t, {
      servers: [`ws://127.0.0.1:${slow.port}`, `ws://127.0.0.1:${alive.port}`], workers: 1,
      backendMore: { connect_timeout: '200ms' },
    });
    for (let i = 0; i < 3; ++i) await open(t, gateway);
    assert.equal(slow.connections, 1);
  });

  test('a client that leaves while its backend is being asked is forgotten', async (t) => {
    const backend = await rawBackend(t, { behave: () => {} });
    const gateway = await startGateway(t, { backend: backend.port });
    const peer = await connect(gateway.port);
    peer.send(upgradeRequest({ fields: { Authorization: `Bearer ${await token()}` } }));
    const asked = await backend.opened();
    peer.destroy();
    await within('the backend to see the end', asked.end());
  });

  test('clients that leave in the very moment their backend answers harm nobody', async (t) => {
    const waiting = [];
    const backend = await rawBackend(t, { behave: (peer, head) => waiting.push({ peer, head }) });
    const gateway = await startGateway(t, { backend: backend.port, workers: 1, handshake_timeout: '300s' });
    const request = upgradeRequest({ fields: { Authorization: `Bearer ${await token()}` } });
    for (let round = 0; round < 4; ++round) {
      const clients = await Promise.all(Array.from({ length: 100 }, async () => (await connect(gateway.port)).send(request)));
      await until('the backend to be asked', () => waiting.length === 100);
      // In one turn of ours, so that a turn of the gateway sees both.
      clients.forEach((client, i) => {
        client.destroy();
        const { peer, head } = waiting[i];
        peer.send(i % 2 ? upgradeAnswer(head) : 'HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n');
      });
      waiting.length = 0;
    }
    const answer = ask(t, gateway, { token: await token() });
    await until('the gateway to dial for the next', () => waiting.length === 1);
    waiting[0].peer.send(upgradeAnswer(waiting[0].head));
    assert.equal((await answer).status, 101);
  });
});

describe('what the backend is told', () => {
  test('Host, path, query and Origin as they came, the credential stripped', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const bearer = await token();
    await ask(t, gateway, {
      target: `/chat?a=1&token=${bearer}&b=%20x&a=2`, host: 'Chat.Example.com:8443',
      fields: { Origin: 'https://app.example.com', Cookie: 'theme=dark', 'X-Other': 'kept' },
    });
    const [request] = backend.requests;
    assert.equal(request.url, '/chat?a=1&b=%20x&a=2');
    assert.deepEqual(request.fields.host, ['Chat.Example.com:8443']);
    assert.deepEqual(request.fields.origin, ['https://app.example.com']);
    assert.deepEqual(request.fields.cookie, ['theme=dark']);
    assert.deepEqual(request.fields['x-other'], ['kept']);
    assert.deepEqual(request.fields['x-gatehouse-subject'], ['alice']);
    assert.deepEqual(request.fields['x-forwarded-for'], ['127.0.0.1']);
    assert.deepEqual(request.fields['x-forwarded-proto'], ['http']);
    assert.deepEqual(request.fields['x-forwarded-host'], ['Chat.Example.com:8443']);
    assert.equal(request.fields['x-gatehouse-connection'].length, 1);
    assert.equal(JSON.stringify(request).includes(bearer), false);
  });

  test('no credential place of the route is passed on, used or not', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, {
      backend: backend.port,
      authenticators: {
        users: users({
          credentials: [{ header: 'Authorization' }, { header: 'X-Token' }, { subprotocol: 'bearer.' },
            { query: 'token' }, { cookie: 'access_token' }],
        }),
      },
      route: { origins: ['*'] },
    });
    const bearer = await token();
    const answer = await ask(t, gateway, {
      token: bearer, target: '/chat?token=unused-1&x=1',
      fields: {
        Origin: 'https://app.example.com', 'X-Token': 'unused-2', 'Sec-WebSocket-Protocol': 'chat, bearer.unused-3',
        Cookie: 'a=b; access_token=unused-4; c=d',
      },
    });
    assert.equal(answer.status, 101);
    const [request] = backend.requests;
    assert.doesNotMatch(JSON.stringify(request), /unused-/);
    assert.equal(JSON.stringify(request).includes(bearer), false);
    assert.equal(request.url, '/chat?x=1');
    assert.deepEqual(request.fields['sec-websocket-protocol'], ['chat']);
    assert.deepEqual(request.fields.cookie, ['a=b; c=d']);
  });

  test('with forward_credentials the backend gets them too', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, route: { forward_credentials: true } });
    const bearer = await token();
    await open(t, gateway, { token: bearer });
    assert.deepEqual(backend.requests[0].fields.authorization, [`Bearer ${bearer}`]);
    await ask(t, gateway, { target: `/chat?token=${bearer}` });
    assert.equal(backend.requests[1].url, `/chat?token=${bearer}`);
  });

  test("a server's base path is put before the path", async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { servers: [`ws://127.0.0.1:${backend.port}/base/v1`] });
    await open(t, gateway, { target: '/chat?x=1' });
    assert.equal(backend.requests[0].url, '/base/v1/chat?x=1');
  });

  test('claims are base64url JSON: all of them, or those of forward_claims', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, {
      backend: backend.port,
      routes: [
        { path: '/all', authenticate: ['users'], backend: 'chat' },
        { path: '/some', authenticate: ['users'], backend: 'chat', forward_claims: ['teams', 'role'] },
        { path: '/none', authenticate: ['users'], backend: 'chat', forward_claims: [] },
      ],
    });
    const claims = { teams: ['red', 'blå'], role: 'editor', plan: { level: 2 }, n: 1.5, yes: true, no: null };
    const bearer = await token(claims);
    for (const target of ['/all', '/some', '/none']) await open(t, gateway, { target, token: bearer });
    const sent = backend.requests.map(({ fields }) => {
      const [value, ...more] = fields['x-gatehouse-claims'] ?? [];
      assert.equal(more.length, 0);
      if (value === undefined) return undefined;
      assert.match(value, /^[A-Za-z0-9_-]+$/);
      return JSON.parse(Buffer.from(value, 'base64url').toString());
    });
    assert.deepEqual({ ...sent[0], ...claims }, sent[0]);
    assert.equal(sent[0].sub, 'alice');
    assert.deepEqual(sent[1], { teams: ['red', 'blå'], role: 'editor' });
    assert.ok(sent[2] === undefined || Object.keys(sent[2]).length === 0);
  });

  test('claims over 4 KiB are left out, with an audit line', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const bearer = await token({ big: 'x'.repeat(4_000) });
    await open(t, gateway, { token: bearer });
    assert.equal(backend.requests[0].fields['x-gatehouse-claims'], undefined);
    assert.deepEqual(backend.requests[0].fields['x-gatehouse-subject'], ['alice']);
    await gateway.logged('claims left out', (line) => line.event === 'claims_left_out');
  });

  test('each connection has an id of its own', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    for (let i = 0; i < 5; ++i) await open(t, gateway);
    const ids = backend.requests.map(({ fields }) => fields['x-gatehouse-connection'][0]);
    assert.equal(new Set(ids).size, 5);
    for (const id of ids) assert.match(id, /^[A-Za-z0-9_-]{8,64}$/);
  });

  test('extensions are offered neither to the backend nor to the client', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const answer = await ask(t, gateway, {
      token: await token(), fields: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
    });
    assert.equal(answer.status, 101);
    assert.equal(answer.fields['sec-websocket-extensions'], undefined);
    assert.equal(backend.requests[0].fields['sec-websocket-extensions'], undefined);
  });

  test('a backend that answers with an extension nobody offered is 502', async (t) => {
    const backend = await rawBackend(t, {
      behave: (peer, head) => peer.send(upgradeAnswer(head, 'Sec-WebSocket-Extensions: permessage-deflate\r\n')),
    });
    const gateway = await startGateway(t, { backend: backend.port });
    assert.equal((await refused(t, gateway, { token: await token() })).status, 502);
  });

  test("subprotocols reach the backend, and its choice the client", async (t) => {
    const backend = await wsBackend(t, { handleProtocols: (offered) => [...offered][1] ?? false });
    const gateway = await startGateway(t, { backend: backend.port });
    const answer = await ask(t, gateway, {
      fields: { 'Sec-WebSocket-Protocol': `chat, bearer.${await token()}, graphql-ws` },
    });
    assert.equal(answer.status, 101);
    assert.deepEqual(backend.requests[0].fields['sec-websocket-protocol'], ['chat, graphql-ws']);
    assert.deepEqual(answer.fields['sec-websocket-protocol'], ['graphql-ws']);
  });

  test('a client that offers only its token gets no subprotocol', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const answer = await ask(t, gateway,
      { fields: { 'Sec-WebSocket-Protocol': `bearer.${await token()}` } });
    assert.equal(answer.status, 101);
    assert.equal(backend.requests[0].fields['sec-websocket-protocol'], undefined);
    assert.equal(answer.fields['sec-websocket-protocol'], undefined);
  });

  test('a backend that chooses a subprotocol nobody offered is 502', async (t) => {
    const backend = await rawBackend(t, {
      behave: (peer, head) => peer.send(upgradeAnswer(head, 'Sec-WebSocket-Protocol: other\r\n')),
    });
    const gateway = await startGateway(t, { backend: backend.port });
    assert.equal((await refused(t, gateway,
      { token: await token(), fields: { 'Sec-WebSocket-Protocol': 'chat' } })).status, 502);
  });
});
