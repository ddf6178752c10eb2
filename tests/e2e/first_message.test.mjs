// CONTRACT sections 2 `first_message`, 3 `refuse_with` and 4 `auth`; SECURITY 1 and 11: who a client is,
// said in its first message, before anything of it reaches anybody; and a no that a browser can read.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import WebSocket from 'ws';
import { acceptUpgrade, rawBackend, upgradeAnswer, wsBackend } from './harness/backends.mjs';
import { atEnd } from './harness/ending.mjs';
import { ask, freePort, startGateway, users } from './harness/gateway.mjs';
import { now, token } from './harness/tokens.mjs';
import { patience, sleep, until, within } from './harness/wait.mjs';
import { closePayload, frame, opcodes } from './harness/wire.mjs';

const { text, binary } = opcodes;

const sayers = (within = '5s', more = {}) => users({ credentials: [{ header: 'Authorization' }, { first_message: within }], ...more });
const auth = (bearer, more = {}) => JSON.stringify({ type: 'auth', token: bearer, ...more });
const rooms = [{ match: 'lobby', join: 'everyone', publish: 'everyone' }];

function start(t, { backend, route = {}, within: seconds, ...more } = {}) {
  return startGateway(t, {
    workers: 2,
    authenticators: { users: sayers(seconds) },
    ...(backend ? { backend } : { backends: {} }),
    route: { ...(!backend && { backend: undefined, rooms }), ...route },
    ...more,
  });
}

// A client octet by octet that has its 101 and has said nothing.
async function silent(t, gateway, request = {}) {
  const answer = await ask(t, gateway, request);
  assert.equal(answer.status, 101, answer.raw);
  answer.peer.opening = answer;
  return answer.peer;
}

const hear = async (peer) => JSON.parse((await peer.message()).payload);

async function authenticated(t, gateway, request = {}) {
  const peer = await silent(t, gateway, request);
  peer.send(frame(text, auth(request.as ?? (await token()))));
  assert.equal((await hear(peer)).type, 'authenticated');
  return peer;
}

const refusals = (gateway) => gateway.log.filter(({ event }) => event === 'connection_refused')
  .map(({ reason, status, code }) => ({ reason, status, code }));

describe('a first message', () => {
  test('says who a client is, and then all is as with any other', async (t) => {
    const gateway = await start(t);
    const peer = await silent(t, gateway);
    const exp = Math.floor(now()) + 600;
    peer.send(frame(text, auth(await token({ exp }), { more: 1 })));
    assert.deepEqual(await hear(peer), { type: 'authenticated', subject: 'alice', expires_at: exp + 30 });
    peer.send(frame(text, '{"type":"join","room":"lobby"}'), frame(text, '{"type":"message","room":"lobby","payload":1}'));
    assert.deepEqual(await hear(peer), { type: 'joined', room: 'lobby' });
    assert.deepEqual(await hear(peer), { type: 'message', room: 'lobby', from: 'alice', payload: 1 });
    peer.send(frame(text, auth(await token())));
    assert.equal((await hear(peer)).code, 'bad_message');
    const line = await gateway.logged('the opening', ({ event }) => event === 'connection_opened');
    assert.deepEqual([line.subject, line.authenticator], ['alice', 'users']);
  });

  test('may have others behind it in the same octets: none is lost, none comes before its answer', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await start(t, { backend: backend.port });
    const bearer = await token();
    const octets = Buffer.concat([frame(text, auth(bearer)), ...[...Array(50).keys()].map((i) => frame(text, `${i}`))]);
    // As a whole behind the head, and cut inside a frame behind the first message.
    const peers = [(await ask(t, gateway, { after: octets })).peer];
    const cut = await silent(t, gateway);
    cut.send(octets.subarray(0, octets.length - 70));
    await sleep(50);
    cut.send(octets.subarray(octets.length - 70));
    peers.push(cut);
    for (const peer of peers) {
      assert.equal((await hear(peer)).type, 'authenticated');
      for (let i = 0; i < 50; ++i) assert.equal((await peer.message()).payload.toString(), `${i}`);
    }
    assert.ok(!backend.messages.some((one) => one.includes('auth')));
  });

  test('is the gateway\'s on an opaque route; the backend is asked after it, for just the subprotocol told', async (t) => {
    const backend = await wsBackend(t, { handleProtocols: (offered) => [...offered][0] });
    const gateway = await start(t, { backend: backend.port, route: { subprotocols: ['v2', 'v1'] } });
    const peer = await silent(t, gateway, { fields: { 'Sec-WebSocket-Protocol': 'v9, v1, v2' } });
    assert.deepEqual(peer.opening.fields['sec-websocket-protocol'], ['v1']);
    await sleep(100);
    assert.equal(backend.octets, 0);
    peer.send(frame(text, auth(await token({ sub: 'bob' }))));
    assert.equal((await hear(peer)).subject, 'bob');
    await backend.opened();
    const { fields } = backend.requests[0];
    assert.deepEqual(fields['sec-websocket-protocol'], ['v1']);
    assert.deepEqual(fields['x-gatehouse-subject'], ['bob']);
    peer.send(frame(text, 'hello'));
    assert.equal((await peer.message()).payload.toString(), 'hello');
    assert.deepEqual(backend.messages, ['hello']);
  });

  test('is not waited for where the handshake holds a credential, good or bad', async (t) => {
    const gateway = await start(t);
    const { peer, status } = await ask(t, gateway, { token: await token() });
    assert.equal(status, 101);
    peer.send(frame(text, '{"type":"leave","room":"lobby"}'));
    assert.deepEqual(await hear(peer), { type: 'left', room: 'lobby' });
    assert.equal((await ask(t, gateway, { token: 'rubbish' })).status, 401);
    assert.equal((await ask(t, gateway, { fields: { Authorization: ['Bearer a', 'Bearer b'] } })).status, 401);
  });

  test('that is anything else ends it with 4401, the same for every reason', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await start(t, { backend: backend.port });
    const good = await token();
    const firsts = {
      credential_malformed: [frame(text, 'hello'), frame(binary, auth(good)), frame(text, `{"type":"join","token":"${good}"}`),
        frame(text, '{"type":"auth"}'), frame(text, `{"type":"auth","token":"x","token":"${good}"}`), frame(text, '')],
      malformed: [frame(text, auth('')), frame(text, auth('a.b'))],
      bad_signature: [frame(text, auth(await token({}, { key: new TextEncoder().encode('y'.repeat(32)) })))],
      expired: [frame(text, auth(await token({ exp: Math.floor(now()) - 60 })))],
      too_long: [frame(text, auth(await token({ x: 'x'.repeat(6_200) })))],
    };
    const told = new Set();
    for (const [reason, octets] of Object.entries(firsts)) {
      for (const one of octets) {
        const peer = await silent(t, gateway);
        peer.send(one, frame(text, auth(good)));
        const close = await peer.close();
        told.add(JSON.stringify(close));
        peer.send(frame(opcodes.close, closePayload(close.code)));
        await peer.end();
        await until(reason, () => refusals(gateway).at(-1)?.reason === reason);
      }
    }
    assert.deepEqual([...told], [JSON.stringify({ code: 4401, reason: 'Unauthorized' })]);
    assert.ok(refusals(gateway).every(({ status, code }) => status === 401 && code === 4401));
    assert.equal(backend.octets, 0);
    assert.ok(!gateway.output.includes(good));
  });

  test('comes in time, or the client is closed with 4408; its pings are answered meanwhile', async (t) => {
    const gateway = await start(t, { within: '500ms' });
    const peer = await silent(t, gateway);
    const began = Date.now();
    peer.send(frame(opcodes.ping, 'are you there'), frame(text, auth(await token()).slice(0, 9), { fin: false }));
    const pong = await peer.frame();
    assert.deepEqual([pong.opcode, pong.payload.toString()], [opcodes.pong, 'are you there']);
    assert.equal((await peer.close()).code, 4408);
    const took = Date.now() - began;
    assert.ok(took >= 450 && took < 500 + 200 * patience, `${took} ms`);
    await until('the line', () => refusals(gateway).length === 1);
    assert.deepEqual(refusals(gateway), [{ reason: 'first_message_too_slow', status: 408, code: 4408 }]);
  });

  test('has at most 10 KiB and 8 frames', async (t) => {
    const gateway = await start(t);
    const bearer = await token();
    const spaces = (size) => auth(bearer) + ' '.repeat(size - auth(bearer).length);
    const inFrames = (count) => [...Array(count).keys()].map((i) =>
      frame(i ? opcodes.continuation : text, i ? '' : auth(bearer), { fin: i === count - 1 }));
    for (const [octets, code] of [
      [[frame(text, spaces(10_240))], 0], [[frame(text, spaces(10_241))], 1009], [inFrames(8), 0], [inFrames(9), 1008],
      [[frame(text, '', { length: 2n ** 63n - 1n })], 1009], [[frame(text, '', { length: 2n ** 64n - 1n })], 1002],
      [[frame(text, auth(bearer), { rsv: 4 })], 1002], [[frame(opcodes.ping, 'x'.repeat(126))], 1002],
      [[frame(text, auth(bearer), { masked: false })], 1002],
    ]) {
      const peer = await silent(t, gateway);
      peer.send(...octets);
      if (code === 0) assert.equal((await hear(peer)).type, 'authenticated');
      else assert.equal((await peer.close()).code, code);
    }
    assert.equal((await gateway.admin('/healthz')).status, 200);
  });

  test('is followed by `allow`, and by the count of the subject', async (t) => {
    const gateway = await start(t, {
      route: { allow: { claim: 'plan', equals: 'pro' }, limits: { subject: { connections: 1 }, ip: { connections: 3 } } },
    });
    const free = await silent(t, gateway);
    free.send(frame(text, auth(await token())));
    assert.equal((await hear(free)).type, 'authenticated');
    assert.equal((await free.close()).code, 4403);
    free.destroy();
    await authenticated(t, gateway, { as: await token({ plan: 'pro' }) });
    const second = await authenticated(t, gateway, { as: await token({ plan: 'pro' }) });
    assert.equal((await second.close()).code, 4429);
    second.destroy();
    // Those who have said nothing count for their address.
    await silent(t, gateway);
    await silent(t, gateway);
    assert.equal((await ask(t, gateway)).status, 429);
    await until('the lines', () => refusals(gateway).length === 3);
    assert.deepEqual(refusals(gateway).map(({ code }) => code), [4403, 4429, undefined]);
  });

  test('makes nobody a guest', async (t) => {
    const gateway = await start(t, {
      within: '300ms', authenticators: { users: sayers('300ms'), guests: { anonymous: {} } }, route: { authenticate: ['users', 'guests'] },
    });
    const peer = await silent(t, gateway);
    assert.equal((await peer.close()).code, 4408);
    const other = await silent(t, gateway);
    other.send(frame(text, '{"type":"join","room":"lobby"}'));
    assert.equal((await other.close()).code, 4401);
  });

  test('that never comes because the client goes leaves nothing behind', async (t) => {
    const gateway = await start(t, { route: { limits: { ip: { connections: 1 } } } });
    for (let i = 0; i < 3; ++i) {
      const peer = await until('a place', async () => {
        const answer = await ask(t, gateway);
        return answer.status === 101 && answer.peer;
      });
      if (i === 1) peer.send(frame(opcodes.close, closePayload(1000)));
      else peer.destroy();
      if (i === 1) assert.equal((await peer.close()).code, 1000);
    }
    await until('the lines', () => refusals(gateway).filter(({ reason }) => reason === 'client_left').length === 3);
  });

  test('works for node ws, and for python3-websockets', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await start(t, { backend: backend.port });
    const socket = new WebSocket(gateway.url(), ['chat']);
    atEnd(t, () => socket.terminate());
    const bearer = await token();
    socket.on('open', () => {
      socket.send(auth(bearer));
      socket.send('héllo');
    });
    const heard = [];
    socket.on('message', (payload) => heard.push(payload.toString()));
    await until('the echo', () => heard.length === 2);
    assert.equal(heard[1], 'héllo');
    const peer = fileURLToPath(new URL('peers/first_message.py', import.meta.url));
    const { error, out, err } = await new Promise((resolve) => {
      execFile('/usr/bin/python3', [peer, gateway.url(), bearer], { timeout: 30_000 },
        (failed, stdout, stderr) => resolve({ error: failed, out: stdout, err: stderr }));
    });
    assert.equal(error, null, err);
    assert.equal(out, 'ok\n');
  });
});

describe('the backend behind a first message', () => {
  const cases = {
    'speaks another subprotocol': [(peer, head) => peer.send(upgradeAnswer(head, 'Sec-WebSocket-Protocol: other\r\n')), 1014, 'backend_wrong'],
    'speaks no subprotocol': [acceptUpgrade, 1014, 'backend_wrong'],
    'answers 503': [(peer) => peer.send('HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n'), 1014, 'backend_wrong'],
    'answers 200': [(peer) => peer.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), 1014, 'backend_wrong'],
    'answers 404': [(peer) => peer.send('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'), 1014, 'backend_refused'],
    'answers 403': [(peer) => peer.send('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'), 4403, 'backend_refused'],
    'answers nothing': [() => {}, 1014, 'backend_too_slow'],
  };
  for (const [what, [behave, code, reason]] of Object.entries(cases)) {
    test(`${what}: ${code}`, async (t) => {
      const backend = await rawBackend(t, { behave });
      const gateway = await start(t, { backend: backend.port, backendMore: { connect_timeout: '300ms' } });
      const peer = await authenticated(t, gateway, { fields: { 'Sec-WebSocket-Protocol': 'chat' } });
      peer.send(frame(text, 'for the backend'));
      assert.equal((await peer.close()).code, code);
      await until('the line', () => refusals(gateway).length === 1);
      assert.deepEqual([refusals(gateway)[0].reason, refusals(gateway)[0].code], [reason, code]);
      assert.ok(!backend.text().includes('for the backend'));
    });
  }

  test('is not there: 1014', async (t) => {
    const gateway = await start(t, { backend: await freePort() });
    const peer = await authenticated(t, gateway);
    assert.equal((await peer.close()).code, 1014);
    await until('the line', () => refusals(gateway)[0]?.code === 1014);
  });

  test('takes its time: what the client says meanwhile waits, and a client that goes is let go', async (t) => {
    const waiting = [];
    const backend = await rawBackend(t, { behave: (peer, head) => waiting.push({ peer, head }) });
    const gateway = await start(t, { backend: backend.port });
    const peer = await authenticated(t, gateway);
    for (let i = 0; i < 10; ++i) peer.send(frame(text, `${i}`));
    await until('the backend to be asked', () => waiting.length === 1);
    await sleep(50);
    acceptUpgrade(waiting[0].peer, waiting[0].head);
    for (let i = 0; i < 10; ++i) assert.equal((await waiting[0].peer.message()).payload.toString(), `${i}`);
    const other = await authenticated(t, gateway);
    await until('the backend to be asked again', () => waiting.length === 2);
    other.destroy();
    await waiting[1].peer.end();
    await gateway.logged('the client that left', ({ reason }) => reason === 'client_left');
  });
});

describe('an instance with clients that have said nothing', () => {
  test('drains them with 1012, at once', async (t) => {
    const gateway = await start(t, { within: '1m' });
    const peer = await silent(t, gateway);
    gateway.signal('SIGTERM');
    const { code, reason } = await peer.close();
    assert.equal(code, 1012);
    assert.match(reason, /^retry_after_ms=\d+$/);
    peer.destroy();
    await within('the end', gateway.ended, 5_000 * patience);
  });

  test('still serves others: over half of max_connections the oldest of them goes, with 1013', async (t) => {
    const gateway = await start(t, { within: '1m', max_connections: 20 });
    const dawdling = [];
    for (let i = 0; i < 40; ++i) dawdling.push(await silent(t, gateway));
    assert.equal((await dawdling[0].close()).code, 1013);
    const peer = await authenticated(t, gateway);
    peer.send(frame(text, '{"type":"join","room":"lobby"}'));
    assert.deepEqual(await hear(peer), { type: 'joined', room: 'lobby' });
    const latest = dawdling.at(-1);
    latest.send(frame(text, auth(await token())));
    assert.equal((await hear(latest)).type, 'authenticated');
    assert.ok(refusals(gateway).some(({ reason, status, code }) => reason === 'crowded' && status === 503 && code === 1013));
  });
});

describe('refuse_with: close', () => {
  const closing = async (t, more = {}) => {
    const backend = await wsBackend(t, { handleProtocols: (offered) => [...offered][0] });
    const { route = {}, ...top } = more;
    const gateway = await startGateway(t, { backend: backend.port, route: { refuse_with: 'close', ...route }, ...top });
    const code = async (request) => (await (await silent(t, gateway, request)).close()).code;
    return { backend, gateway, code };
  };

  test('accepts, and then closes with the code', async (t) => {
    const { backend, gateway, code } = await closing(t, {
      route: { origins: ['https://app.test'], allow: { claim: 'plan', equals: 'pro' }, limits: { subject: { connections: 1 } } },
    });
    const pro = await token({ plan: 'pro' });
    assert.equal(await code(), 4401);
    assert.equal(await code({ token: 'rubbish' }), 4401);
    assert.equal(await code({ token: await token() }), 4403);
    assert.equal(await code({ token: pro, fields: { Origin: 'https://evil.test' } }), 4403);
    const peer = await silent(t, gateway, { token: pro, fields: { 'Sec-WebSocket-Protocol': 'b, a' } });
    assert.deepEqual(peer.opening.fields['sec-websocket-protocol'], ['b']);
    peer.send(frame(text, 'hello'));
    assert.equal((await peer.message()).payload.toString(), 'hello');
    assert.deepEqual(backend.requests[0].fields['sec-websocket-protocol'], ['b']);
    assert.equal(await code({ token: pro }), 4429);
    assert.equal(backend.requests.length, 1);
    await until('the lines', () => refusals(gateway).length === 5);
    assert.deepEqual(refusals(gateway).map(({ status }) => status), [401, 401, 403, 403, 429]);
    assert.deepEqual(refusals(gateway).map((one) => one.code), [4401, 4401, 4403, 4403, 4429]);
  });

  test('is for what a code can say: the rest stays HTTP', async (t) => {
    const { gateway } = await closing(t);
    const status = async (request) => (await ask(t, gateway, request)).status;
    assert.equal(await status({ target: '/elsewhere' }), 404);
    assert.equal(await status({ target: '/chat/../x' }), 400);
    assert.equal(await status({ fields: { 'Sec-WebSocket-Version': '12' } }), 426);
    assert.equal(await status({ fields: { Upgrade: null } }), 426);
    assert.equal(await status({ fields: { 'Sec-WebSocket-Protocol': ', ,' } }), 400);
  });

  test('says 4429 for the rate of an address, where the request is one for a WebSocket', async (t) => {
    const { gateway, code } = await closing(t, { route: { limits: { ip: { handshakes: '1/m', burst: 1 } } } });
    assert.equal(await code(), 4401);
    assert.equal(await code(), 4429);
    assert.equal((await ask(t, gateway, { fields: { Upgrade: null } })).status, 429);
  });

  test('says 1014 for a backend that is away, and takes the closing handshake', async (t) => {
    const gateway = await startGateway(t, { backend: await freePort(), route: { refuse_with: 'close' } });
    const socket = new WebSocket(gateway.url(), { headers: { Authorization: `Bearer ${await token()}` } });
    atEnd(t, () => socket.terminate());
    let opened = false;
    socket.on('open', () => (opened = true));
    const code = await within('the close', new Promise((resolve) => socket.once('close', resolve)));
    assert.deepEqual([opened, code], [true, 1014]);
  });

  test('keeps what the client says until the backend is there', async (t) => {
    const { gateway } = await closing(t);
    const { status, peer } = await ask(t, gateway, { token: await token(), after: frame(text, 'early') });
    assert.equal(status, 101);
    assert.equal((await peer.message()).payload.toString(), 'early');
  });
});
