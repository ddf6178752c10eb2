// CONTRACT sections 2 "Time" and 4 `expiring`, `refresh`; SECURITY 8 and 9: a socket does not outlive
// its token, and its token can be replaced while it is open, by nobody else's.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import WebSocket from 'ws';
import { wsBackend } from './harness/backends.mjs';
import { atEnd } from './harness/ending.mjs';
import { jwt, open, startGateway, users } from './harness/gateway.mjs';
import { RoomClient, join, leave, message } from './harness/rooms.mjs';
import { now, token } from './harness/tokens.mjs';
import { deadlineMs, patience, sleep, until, within } from './harness/wait.mjs';
import { frame, opcodes } from './harness/wire.mjs';

const lateMs = 200 * patience;

const strict = { leeway: '0s' };
const teams = [
  { match: 'lobby', join: 'everyone', publish: 'everyone' },
  { match: 'team:{team}', join: { claim: 'teams', contains: '{team}' },
    publish: { all: [{ claim: 'teams', contains: '{team}' }, { claim: 'role', equals: 'editor' }] } },
];

// Ends at a whole second, at least `seconds` from now.
const ending = async (seconds, claims = {}) => {
  const exp = Math.ceil(now() + seconds);
  return { text: await token({ exp, ...claims }), exp };
};

const untilTime = (seconds) => sleep(Math.max(0, seconds * 1000 - Date.now()));

function startRooms(t, { route = {}, backend, ...more } = {}, options = {}) {
  return startGateway(t, {
    workers: 2,
    authenticators: { users: users({ jwt: jwt(strict) }) },
    ...(backend ? { backend } : { backends: {} }),
    route: { backend: undefined, rooms: teams, ...(backend && { backend: 'chat', messages: 'rooms' }), ...route },
    ...more,
  }, options);
}

async function client(t, gateway, bearer, id = 'alice') {
  const socket = new WebSocket(gateway.url(), { headers: { Authorization: `Bearer ${bearer}` } });
  atEnd(t, () => socket.terminate());
  const made = new RoomClient(socket, id);
  made.closedAt = made.ended.then(() => Date.now());
  await within(`${id} to be connected`, new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  }));
  return made;
}

const refresh = (text, more = {}) => ({ type: 'refresh', token: text, ...more });

async function assertClosedAt(its, exp, code = 4401) {
  const { code: told } = await within('the end', its.ended, 10_000 * patience);
  assert.equal(told, code);
  const late = (await its.closedAt) - exp * 1000;
  assert.ok(late >= -1 && late <= lateMs, `closed ${late} ms after its end`);
}

describe('the end of a token', () => {
  test('is told of, and closes the connection at the time with 4401', async (t) => {
    const gateway = await startRooms(t);
    const { text, exp } = await ending(2);
    const alice = await client(t, gateway, text);
    const warned = await alice.next('a warning');
    assert.equal(warned.type, 'expiring');
    assert.ok(warned.expires_in >= 1 && warned.expires_in <= 3, JSON.stringify(warned));
    await assertClosedAt(alice, exp);
    const line = await gateway.logged('the end', ({ event }) => event === 'connection_closed');
    assert.equal(line.reason, 'token_ended');
    assert.deepEqual(alice.inbox, []);
  });

  test('is told of `warn` before it, in the seconds that are left', async (t) => {
    const gateway = await startRooms(t, { route: { token_expiry: { warn: '2s' } } });
    const { text, exp } = await ending(3);
    const alice = await client(t, gateway, text);
    assert.deepEqual(await alice.next(), { type: 'expiring', expires_in: 2 });
    const early = exp * 1000 - Date.now();
    assert.ok(early <= 2_000 && early >= 2_000 - lateMs, `told ${early} ms before`);
    await assertClosedAt(alice, exp);
  });

  test('is followed by the leeway and the grace, and then nothing passes', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, {
      backend: backend.port, authenticators: { users: users({ jwt: jwt({ leeway: '1s' }) }) },
      route: { token_expiry: { grace: '1s' } },
    });
    const { text, exp } = await ending(0.1);
    const alice = await client(t, gateway, text);
    const sent = setInterval(() => alice.socket.send('x'), 20);
    atEnd(t, () => clearInterval(sent));
    await untilTime(exp + 1.5);
    const before = backend.messages.length;
    assert.ok(before > 0);
    await assertClosedAt(alice, exp + 2);
    const passed = backend.messages.length;
    await sleep(100);
    assert.equal(backend.messages.length, passed);
    assert.deepEqual(await backend.closed(), { code: 1001, reason: '' });
    assert.ok(alice.inbox.every((one) => one.toString() === 'x'), 'no word of the gateway on an opaque route');
  });

  test('and max_session ends what was refreshed, too', async (t) => {
    const gateway = await startRooms(t, { route: { max_session: '1s', token_expiry: { warn: '0s' } } });
    const began = Date.now();
    const alice = await client(t, gateway, await token());
    alice.say(refresh(await token()));
    assert.equal((await alice.next()).type, 'refreshed');
    const { code } = await alice.closed();
    const took = (await alice.closedAt) - began;
    assert.equal(code, 4401);
    assert.ok(took >= 1_000 && took <= 1_000 + 3 * lateMs, `${took} ms`);
    const line = await gateway.logged('the end', ({ event }) => event === 'connection_closed');
    assert.equal(line.reason, 'session_ended');
  });
});

// Under a sanitizer nothing may be loaded before its own.
describe('a wall clock that is stepped', { skip: patience > 1 && 'faketime and a sanitizer' }, () => {
  const faketime = readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/faketime/libfaketimeMT.so.1`).find(existsSync);

  // The gateway's wall clock alone can be stepped.
  async function steppable(t) {
    const folder = mkdtempSync(joinPath(tmpdir(), 'gatehouse-clock-'));
    atEnd(t, () => rmSync(folder, { recursive: true }));
    const file = joinPath(folder, 'clock');
    const step = (text) => {
      writeFileSync(`${file}.new`, text);
      renameSync(`${file}.new`, file);
    };
    step('+0');
    const gateway = await startRooms(t, { route: { token_expiry: { warn: '10m' } } }, {
      env: { LD_PRELOAD: faketime, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1' },
    });
    return { gateway, step };
  }

  test('forward an hour, ends what is over by it within the second, and warns who has less left', async (t) => {
    const { gateway, step } = await steppable(t);
    const clients = {};
    for (const minutes of [30, 65, 120]) {
      clients[minutes] = await client(t, gateway, await token({ exp: Math.floor(now()) + minutes * 60 }), `${minutes} minutes`);
      await clients[minutes].join('lobby');
    }
    step('+3600');
    const stepped = Date.now();
    assert.equal((await clients[30].closed()).code, 4401);
    assert.ok((await clients[30].closedAt) - stepped < 1_000 + 2 * lateMs);
    const warning = await clients[65].next();
    assert.equal(warning.type, 'expiring');
    assert.ok(warning.expires_in > 290 && warning.expires_in <= 300, JSON.stringify(warning));
    clients[120].say(message('lobby', 'here'));
    await clients[120].expect(message('lobby', 'here', { from: 'alice' }));
    await gateway.logged('the end', ({ event }) => event === 'connection_closed');
    assert.deepEqual(gateway.log.filter(({ event }) => event === 'connection_closed').map(({ reason }) => reason), ['token_ended']);
  });

  test('back an hour, prolongs nothing', async (t) => {
    const { gateway, step } = await steppable(t);
    const { text, exp } = await ending(2);
    const alice = await client(t, gateway, text);
    step('-3600');
    await assertClosedAt(alice, exp);
  });
});

describe('refresh', () => {
  test('keeps the connection over the end of its token: no message is lost, nothing reconnects', async (t) => {
    const gateway = await startRooms(t);
    const { text, exp } = await ending(2);
    const alice = await client(t, gateway, text);
    await alice.next('a warning');
    const bob = await client(t, gateway, await token({ sub: 'bob' }), 'bob');
    for (const one of [alice, bob]) await one.join('lobby');
    let said = 0;
    const saying = setInterval(() => bob.say(message('lobby', said++)), 10);
    atEnd(t, () => clearInterval(saying));
    const later = Math.floor(now()) + 600;
    alice.say(refresh(await token({ exp: later }), { id: 'mine' }));
    const heard = [];
    const take = async () => {
      const next = await alice.next();
      if (next.type === 'message') heard.push(next.payload);
      return next;
    };
    let answer;
    while ((answer = await take()).type === 'message');
    assert.deepEqual(answer, { type: 'refreshed', expires_at: later, id: 'mine' });
    while (Date.now() < exp * 1000 + 500) await take();
    clearInterval(saying);
    while (heard.length < said) await take();
    assert.deepEqual(heard, [...Array(said).keys()]);
    assert.equal(gateway.log.filter(({ event }) => event === 'connection_opened').length, 2);
    const line = await gateway.logged('the refresh', ({ event }) => event === 'token_refreshed');
    assert.deepEqual([line.subject, line.authenticator, line.rooms_lost], ['alice', 'users', 0]);
  });

  test('as another subject or by another issuer ends it with 4401', async (t) => {
    const others = users({ subject_prefix: 'o:', jwt: jwt({ issuer: 'https://other.test/' }) });
    const gateway = await startRooms(t, {
      authenticators: { users: users({ jwt: jwt(strict) }), others },
      route: { authenticate: ['users', 'others'] },
    });
    for (const claims of [{ sub: 'bob' }, { iss: 'https://other.test/' }]) {
      const alice = await client(t, gateway, await token());
      await alice.join('lobby');
      alice.say(refresh(await token(claims)), message('lobby', 'x'));
      assert.equal((await alice.closed()).code, 4401);
      assert.deepEqual(alice.inbox, []);
    }
    await until('both lines', () => gateway.log.filter(({ event, reason }) =>
      event === 'connection_closed' && reason === 'principal_changed').length === 2);
  });

  test('that does not verify is invalid_token whatever the reason, and the old end stays', async (t) => {
    const gateway = await startRooms(t, { route: { token_expiry: { warn: '0s' } } });
    const { text, exp } = await ending(2);
    const alice = await client(t, gateway, text);
    const long = await token({ exp: Math.floor(now()) + 600, x: 'x'.repeat(7_000) });
    const bad = [
      await token({ exp: Math.floor(now()) - 1 }), await token({}, { key: new TextEncoder().encode('x'.repeat(32)) }),
      await token({ aud: 'others' }), await token({ iss: 'https://nobody.test/' }), 'a.b.c', '', 7, null, undefined, long,
    ];
    bad.forEach((one, id) => alice.say(refresh(one, { id })));
    for (let id = 0; id < bad.length; ++id) {
      await alice.expect({ type: 'error', code: 'invalid_token', message: 'Invalid token', id });
    }
    await assertClosedAt(alice, exp);
    const reasons = () => gateway.log.filter(({ event }) => event === 'message_refused').map(({ reason }) => reason);
    await until('the reasons', () => reasons().length === bad.length);
    assert.deepEqual(reasons().slice(0, 5), ['expired', 'bad_signature', 'wrong_audience', 'unknown_issuer', 'malformed']);
    for (const one of bad.filter((each) => each?.length > 8)) assert.ok(!gateway.output.includes(one));
  });

  test('of 8 KiB is read, one octet more is not', async (t) => {
    const gateway = await startRooms(t);
    const alice = await client(t, gateway, await token());
    let longest;
    let tooLong;
    for (let size = 5_800; !tooLong; ++size) {
      const made = await token({ x: 'x'.repeat(size) });
      if (made.length <= 8_192) longest = made;
      else tooLong = made;
    }
    assert.ok(longest.length >= 8_190 && tooLong.length <= 8_194);
    alice.say(refresh(longest));
    assert.equal((await alice.next()).type, 'refreshed');
    alice.say(refresh(tooLong));
    assert.equal((await alice.next()).code, 'invalid_token');
  });

  test('costs the rooms that its claims do not open, and takes and gives the right to speak', async (t) => {
    const gateway = await startRooms(t);
    const both = { teams: ['red', 'blue'], role: 'editor' };
    const alice = await client(t, gateway, await token(both));
    const bob = await client(t, gateway, await token({ sub: 'bob', ...both }), 'bob');
    for (const one of [alice, bob]) await one.join('lobby', 'team:red', 'team:blue');
    alice.say(message('team:blue', 1));
    await alice.next();
    alice.say(refresh(await token({ teams: ['blue'], role: 'reader' })));
    assert.equal((await alice.next()).type, 'refreshed');
    await alice.expect({ type: 'left', room: 'team:red', reason: 'refresh' });
    bob.inbox.length = 0;
    bob.say(message('team:red', 'secret'), message('team:blue', 'news'));
    await alice.expect(message('team:blue', 'news', { from: 'bob' }));
    alice.say(message('team:blue', 2), join('team:red'));
    for (const room of ['team:blue', 'team:red']) {
      await alice.expect({ type: 'error', code: 'access_denied', message: 'Access denied', room });
    }
    alice.say(refresh(await token(both)));
    assert.equal((await alice.next()).type, 'refreshed');
    await alice.join('team:red');
    alice.say(message('team:blue', 3));
    await alice.expect(message('team:blue', 3, { from: 'alice' }));
  });

  test('with claims that `allow` refuses ends it with 4403', async (t) => {
    const gateway = await startRooms(t, { route: { allow: { claim: 'plan', equals: 'pro' } } });
    const alice = await client(t, gateway, await token({ plan: 'pro' }));
    alice.say(refresh(await token({ plan: 'pro' })));
    assert.equal((await alice.next()).type, 'refreshed');
    alice.say(refresh(await token({ plan: 'free' })));
    assert.equal((await alice.closed()).code, 4403);
  });

  test('never reaches a backend, which hears of the lost rooms behind what was said before', async (t) => {
    const backend = await wsBackend(t, { behave: () => {} });
    const gateway = await startRooms(t, { backend: backend.port, route: { other: 'allow' } });
    const peer = await open(t, gateway, { token: await token({ teams: ['red'], role: 'editor' }) });
    const said = [join('team:red'), message('team:red', 1), refresh(await token()), message('lobby', 2), leave('lobby')]
      .map((one) => JSON.stringify(one));
    peer.send(Buffer.concat(said.map((text) => frame(opcodes.text, text))));
    await backend.got(4);
    assert.deepEqual(backend.messages, [said[0], said[1], '{"type":"leave","room":"team:red"}', said[4]]);
    const told = [];
    while (told.length < 5) told.push(JSON.parse((await peer.message()).payload));
    assert.deepEqual(told.map(({ type }) => type), ['joined', 'refreshed', 'left', 'error', 'left']);
  });

  test('costs a permit as every message does', async (t) => {
    const gateway = await startRooms(t, { route: { limits: { connection: { messages: '1/m', burst: 2 } } } });
    const alice = await client(t, gateway, await token());
    for (let i = 0; i < 3; ++i) alice.say(refresh(await token()));
    const types = [await alice.next(), await alice.next(), await alice.next()].map(({ type, code }) => code ?? type);
    assert.deepEqual(types, ['refreshed', 'refreshed', 'rate_limited']);
  });

  test('is no word of an existing protocol, nor of an opaque one', async (t) => {
    const backend = await wsBackend(t, { behave: () => {} });
    const protocol = { json: { action: '/op', room: '/channel', join: ['subscribe'], other: 'allow' } };
    const gateway = await startGateway(t, {
      backend: backend.port, authenticators: { users: users({ jwt: jwt(strict) }) }, routes: [
        { path: '/json', authenticate: ['users'], backend: 'chat', messages: protocol },
        { path: '/chat', authenticate: ['users'], backend: 'chat' },
      ],
    });
    const made = JSON.stringify({ type: 'refresh', token: 'x' });
    for (const target of ['/json', '/chat']) {
      const { text, exp } = await ending(2);
      const peer = await open(t, gateway, { target, token: text });
      peer.send(frame(opcodes.text, made));
      const { code } = await peer.close(deadlineMs + 3_000);
      assert.equal(code, 4401);
      assert.ok(Date.now() >= exp * 1000 - 1);
    }
    assert.deepEqual(backend.messages, [made, made]);
  });

  test('works for a client on python3-websockets', async (t) => {
    const gateway = await startRooms(t);
    const { text } = await ending(2);
    const another = await token();
    const peer = fileURLToPath(new URL('peers/refresh.py', import.meta.url));
    const { error, out, err } = await new Promise((resolve) => {
      execFile('/usr/bin/python3', [peer, gateway.url(), text, another], { timeout: 30_000 },
        (failed, stdout, stderr) => resolve({ error: failed, out: stdout, err: stderr }));
    });
    assert.equal(error, null, err);
    assert.equal(out, 'ok\n');
  });
});
