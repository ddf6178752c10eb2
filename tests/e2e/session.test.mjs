// CONTRACT section 2, `session`: the application's own login session lets its browser in, and the socket
// lives as long as that. The application is express with express-session and connect-redis; Redis is real.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import WebSocket from 'ws';
import { wsBackend } from './harness/backends.mjs';
import { atEnd, suiteContext } from './harness/ending.mjs';
import { sessionSecret, startApp } from './harness/express_app.mjs';
import { ask, gatehouse, refused, startGateway } from './harness/gateway.mjs';
import { scrape } from './harness/metrics.mjs';
import { root } from './harness/output.mjs';
import { startRedis } from './harness/redis.mjs';
import { RoomClient, error } from './harness/rooms.mjs';
import { remember } from './harness/tokens.mjs';
import { patience, sleep, until, within } from './harness/wait.mjs';
import { connect, upgradeRequest } from './harness/wire.mjs';

const origin = 'https://app.example.com';
const oldSecret = 'what it signed its cookies with before';

const sessionOf = (redis, more = {}) => ({
  secret: [sessionSecret, oldSecret],
  ...(redis && { redis: { url: redis.url('gatehouse-sessions:change-me-3@') } }),
  subject: '/passport/user',
  claims: { role: '/passport/role', teams: '/passport/teams' },
  recheck: '300ms',
  ...more,
});

// With the user that deploy/redis.acl has for the gateway's questions about sessions.
async function startSessionRedis(t, options) {
  const redis = await startRedis(t, { options });
  const user = readFileSync(join(root, 'deploy', 'redis.acl'), 'utf8').split('\n').find((line) => line.includes('gatehouse-sessions'));
  redis.admit = () => redis.run('ACL', 'SETUSER', ...user.split(' ').slice(1));
  assert.equal((await redis.admit()).out, 'OK');
  return redis;
}

const policyFor = (redis, backend, { session = {}, ...top } = {}) => ({
  workers: 2,
  authenticators: { web: { session: sessionOf(redis, session) } },
  backend: backend.port,
  routes: [
    { path: '/chat', authenticate: ['web'], origins: [origin], backend: 'chat' },
    { path: '/admins', authenticate: ['web'], origins: [origin], backend: 'chat', allow: { claim: 'role', equals: 'admin' } },
    {
      path: '/rooms', authenticate: ['web'], origins: [origin],
      rooms: [{ match: 'team:{team}', join: { claim: 'teams', contains: '{team}' }, publish: 'everyone' }],
    },
  ],
  ...top,
});

const fields = (cookie, more = {}) => ({ Cookie: cookie, Origin: origin, ...more });

const openPeer = async (t, gateway, cookie, target = '/chat') => {
  const answer = await ask(t, gateway, { target, fields: fields(cookie) });
  assert.equal(answer.status, 101, answer.raw);
  return answer.peer;
};

async function openSocket(t, gateway, cookie, target = '/chat') {
  const socket = new WebSocket(gateway.url(target), { headers: { cookie, origin } });
  atEnd(t, () => socket.terminate());
  socket.code = new Promise((resolve) => socket.once('close', resolve));
  await within('a WebSocket to open', new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (_, { statusCode }) => reject(new Error(`${statusCode}`)));
    socket.once('error', reject);
  }));
  return socket;
}

// Refused, and for that reason.
async function refusedFor(t, gateway, reason, its, status = 401) {
  const lines = () => gateway.log.filter((line) => line.event === 'connection_refused' && line.reason === reason).length;
  const before = lines();
  const answer = await refused(t, gateway, { fields: its });
  assert.equal(answer.status, status, answer.raw);
  await until(`a refusal for ${reason}`, () => lines() > before);
  return answer;
}

const closed = (gateway, reason) =>
  gateway.logged(reason, (line) => line.event === 'connection_closed' && line.reason === reason);

const signed = (id, secret = sessionSecret) =>
  remember(encodeURIComponent(`s:${id}.${createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '')}`));

describe('login sessions', () => {
  const suite = suiteContext('login sessions');
  let shared;
  const start = () => (shared ??= (async () => {
    const redis = await startSessionRedis(suite);
    const app = await startApp(suite, redis);
    const backend = await wsBackend(suite);
    const gateway = await startGateway(suite, policyFor(redis, backend));
    return { redis, app, backend, gateway };
  })());

  test('who is logged in to the application is let in as that, and the cookie stays here', async (t) => {
    const { app, backend, gateway } = await start();
    const cookie = await app.login({ user: 'alice', role: 'editor', teams: ['red'], shoe: 43 });
    const seen = backend.requests.length;
    await openPeer(t, gateway, `theme=dark; ${cookie}`);
    const { fields: got } = backend.requests[seen];
    assert.deepEqual(got['x-gatehouse-subject'], ['alice']);
    assert.deepEqual(JSON.parse(Buffer.from(got['x-gatehouse-claims'][0], 'base64url')), { role: 'editor', teams: ['red'] });
    assert.deepEqual(got.cookie, ['theme=dark']);
  });

  test('a number of the application is a subject', async (t) => {
    const { app, backend, gateway } = await start();
    const seen = backend.requests.length;
    await openPeer(t, gateway, await app.login({ user: 4711 }));
    assert.deepEqual(backend.requests[seen].fields['x-gatehouse-subject'], ['4711']);
  });

  test('a cookie that the application did not sign is refused before anybody is asked', async (t) => {
    const { redis, app, gateway } = await start();
    const cookie = await app.login();
    const value = cookie.slice('connect.sid='.length);
    const id = decodeURIComponent(value).slice(2).split('.')[0];
    const misses = async () => Number(/keyspace_misses:(\d+)/.exec((await redis.run('INFO', 'stats')).out)[1]);
    await openPeer(t, gateway, cookie);
    for (const wrong of [
      value.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')), value.replace('s%3A', 's%3Ax'), encodeURIComponent(`s:${id}`), id,
      signed(id, 'a secret that is not the application’s'), 's%3A', 'j%3A%7B%7D', '%',
    ]) {
      const answer = await refusedFor(t, gateway, 'session_not_signed', fields(`connect.sid=${wrong}`));
      assert.match(answer.fields['www-authenticate'][0], /^Bearer error="invalid_token"$/);
    }
    const before = await misses();
    await refusedFor(t, gateway, 'session_not_signed', fields(`connect.sid=${signed('nobody', 'another secret altogether')}`));
    assert.equal(await misses(), before);
    await refusedFor(t, gateway, 'session_missing', fields(`connect.sid=${signed('nobody')}`));
    assert.ok(await misses() > before);
  });

  test('a secret that has been rotated is good as long as it is in the list', async (t) => {
    const { redis, gateway } = await start();
    const before = await startApp(t, redis, { secret: oldSecret });
    await openPeer(t, gateway, await before.login());
  });

  test('whoever is not logged in, or is no more, is refused', async (t) => {
    const { app, gateway } = await start();
    const visitor = await app.ask('POST', '/visit');
    await refusedFor(t, gateway, 'session_without_subject', fields(visitor));
    const gone = await app.login();
    await app.ask('POST', '/logout', { cookie: gone });
    await refusedFor(t, gateway, 'session_missing', fields(gone));
    await refusedFor(t, gateway, 'credential_missing', { Origin: origin });
  });

  test('a record that is none, or is too long, lets nobody in', async (t) => {
    const { redis, gateway } = await start();
    const store = async (id, record, ...more) => {
      await redis.run('SET', `sess:${id}`, record, ...more);
      return fields(`connect.sid=${signed(id)}`);
    };
    for (const record of ['[]', '{"passport":{"user":"a"}', '{"passport":{"user":"a"},"passport":{"user":"b"}}',
      `{"passport":{"user":"a"},"long":"${'x'.repeat(65_536)}"}`]) {
      await refusedFor(t, gateway, 'session_malformed', await store('odd', record));
    }
    const past = '{"cookie":{"originalMaxAge":60000,"expires":"2020-01-01T00:00:00.000Z"},"passport":{"user":"a"}}';
    await refusedFor(t, gateway, 'session_ended', await store('past', past));
    assert.equal((await ask(t, gateway, { fields: await store('touched', past, 'EX', '60') })).status, 101);
    await redis.run('HSET', 'sess:hash', 'user', 'a');
    await refusedFor(t, gateway, 'session_store_away', fields(`connect.sid=${signed('hash')}`), 503);
    await gateway.logged('why', ({ event, reason }) => event === 'session_store_away' && reason === 'WRONGTYPE');
  });

  test('a page of another origin, or one that hides it, gets nowhere', async (t) => {
    const { app, gateway } = await start();
    const cookie = await app.login();
    for (const Origin of [null, 'https://evil.example', 'null']) {
      assert.equal((await refused(t, gateway, { fields: fields(cookie, { Origin }) })).status, 403);
    }
  });

  test('two cookies of the name are one too many', async (t) => {
    const { app, gateway } = await start();
    const [one, other] = [await app.login(), await app.login()];
    for (const Cookie of [`${one}; ${other}`, [one, other], `${one}; ${one}`]) {
      await refusedFor(t, gateway, 'credential_ambiguous', fields(Cookie));
    }
  });

  test('a logout in the application closes its sockets, and those alone', async (t) => {
    const { app, gateway } = await start();
    const [cookie, others] = [await app.login(), await app.login({ user: 'bob' })];
    const sockets = [await openSocket(t, gateway, cookie), await openSocket(t, gateway, cookie, '/rooms')];
    const bob = await openSocket(t, gateway, others);
    const began = Date.now();
    await app.ask('POST', '/logout', { cookie });
    for (const socket of sockets) assert.equal(await within('4401', socket.code), 4401);
    assert.ok(Date.now() - began < 1_000 * patience, 'longer than it is said to take');
    await closed(gateway, 'logged_out');
    assert.equal(bob.readyState, WebSocket.OPEN);
  });

  test('who becomes somebody else in the application is not that here', async (t) => {
    const { app, gateway } = await start();
    const cookie = await app.login();
    const socket = await openSocket(t, gateway, cookie);
    await app.ask('POST', '/become', { cookie, body: { user: 'bob' } });
    assert.equal(await within('4401', socket.code), 4401);
    await closed(gateway, 'principal_changed');
  });

  test('other claims cost rooms that they do not open, and the route where they do not open that', async (t) => {
    const { app, gateway } = await start();
    const cookie = await app.login({ user: 'alice', role: 'admin', teams: ['red', 'blue'] });
    const client = new RoomClient(await openSocket(t, gateway, cookie, '/rooms'), 'alice');
    const admin = await openSocket(t, gateway, cookie, '/admins');
    await client.join('team:red', 'team:blue');
    await app.ask('POST', '/become', { cookie, body: { user: 'alice', role: 'editor', teams: ['blue', 'green'] } });
    await client.expect({ type: 'left', room: 'team:red', reason: 'refresh' });
    client.say({ type: 'join', room: 'team:red', id: 1 });
    await client.expect(error('access_denied', { room: 'team:red', id: 1 }));
    await client.join('team:green');
    assert.equal(await within('4403', admin.code), 4403);
    const line = await gateway.logged('what it cost', ({ event }) => event === 'session_changed');
    assert.equal(line.rooms_lost, 1);
  });

  test('a token is no session: a refresh with one changes nothing', async (t) => {
    const { app, gateway } = await start();
    const client = new RoomClient(await openSocket(t, gateway, await app.login(), '/rooms'), 'alice');
    client.say({ type: 'refresh', token: 'e30.e30.AAAA', id: 'r' });
    await client.expect(error('invalid_token', { id: 'r' }));
  });

  test('a subject that is revoked stays out, whatever it logs in to', async (t) => {
    const { app, gateway } = await start();
    const socket = await openSocket(t, gateway, await app.login({ user: 'mallory' }));
    assert.equal((await gateway.admin('/v1/revocations', { method: 'POST', json: { subject: 'mallory' } })).status, 202);
    assert.equal(await within('4410', socket.code), 4410);
    await refusedFor(t, gateway, 'revoked', fields(await app.login({ user: 'mallory' })));
  });

  test('the store is counted, and shown without what it is asked with', async (t) => {
    const { app, gateway } = await start();
    await openPeer(t, gateway, await app.login());
    const metrics = await scrape(gateway);
    assert.ok(metrics.value('gatehouse_session_questions_total', { answer: 'found' }) > 0);
    assert.ok(metrics.count('gatehouse_session_answer_seconds') > 0);
    const shown = JSON.parse((await gateway.admin('/v1/policy')).body);
    assert.doesNotMatch(JSON.stringify(shown), new RegExp(`${sessionSecret}|${oldSecret}`));
  });

  test('explain says what it can say without the store', async (t) => {
    const { app, gateway } = await start();
    const cookie = await app.login();
    const args = ['explain', '--policy', gateway.file, '--path', '/chat', '--origin', origin, '--token-file', '-'];
    const good = await gatehouse(args, { input: cookie.slice('connect.sid='.length) });
    assert.equal(good.code, 3);
    assert.match(good.out, /^deny session_not_asked\n/);
    assert.match(good.out, /signed by one of its secrets/);
    const bad = await gatehouse(args, { input: 's%3Ax.y' });
    assert.equal(bad.code, 3);
    assert.match(bad.out, /^deny 401 session_not_signed\n/);
  });
});

test('a session ends with its cookie, unless the browser goes on asking', async (t) => {
  const redis = await startSessionRedis(t);
  const app = await startApp(t, redis, { cookie: { maxAge: 3_000 } });
  const backend = await wsBackend(t);
  const gateway = await startGateway(t, policyFor(redis, backend, { session: { recheck: '1h' } }));
  const [idle, busy] = [await app.login(), await app.login({ user: 'bob' })];
  const sockets = [await openSocket(t, gateway, idle), await openSocket(t, gateway, busy)];
  const asking = setInterval(() => app.ask('GET', '/', { cookie: busy }), 200);
  atEnd(t, () => clearInterval(asking));
  assert.equal(await within('4401', sockets[0].code), 4401);
  await sleep(1_000);
  assert.equal(sockets[1].readyState, WebSocket.OPEN);
  // Its record says that it has ended.
  await openPeer(t, gateway, busy);
  assert.equal((await refused(t, gateway, { fields: fields(idle) })).status, 401);
});

test('while the store is away nobody comes in and nobody is sent away', async (t) => {
  const redis = await startSessionRedis(t, ['--appendonly', 'yes']);
  const app = await startApp(t, redis);
  const backend = await wsBackend(t);
  const gateway = await startGateway(t, policyFor(redis, backend));
  const cookie = await app.login();
  const socket = await openSocket(t, gateway, cookie);
  await redis.kill();
  await gateway.logged('away', ({ event }) => event === 'session_store_away');
  const answer = await refusedFor(t, gateway, 'session_store_away', fields(cookie), 503);
  assert.ok(Number(answer.fields['retry-after'][0]) >= 1);
  await sleep(600);  // two questions
  assert.equal(socket.readyState, WebSocket.OPEN);
  await redis.start();
  await redis.admit();
  await until('the store to be back', async () => (await ask(t, gateway, { fields: fields(cookie) })).status === 101);
  assert.equal(socket.readyState, WebSocket.OPEN);
  await app.ask('POST', '/logout', { cookie });
  assert.equal(await within('4401', socket.code), 4401);
});

test('a store that hangs keeps nobody waiting for long, and whoever leaves meanwhile has left', async (t) => {
  const redis = await startRedis(t);
  const app = await startApp(t, redis);
  const backend = await wsBackend(t);
  const gateway = await startGateway(t, policyFor(null, backend, {
    redis: { url: redis.url(), timeout: '500ms' }, handshake_timeout: '5s',
  }));
  await gateway.logged('redis', ({ event }) => event === 'redis_back');
  const cookie = await app.login();
  const socket = await openSocket(t, gateway, cookie);
  redis.child.kill('SIGSTOP');
  atEnd(t, () => redis.child.kill('SIGCONT'));
  const leaving = ask(t, gateway, { fields: fields(cookie) }).catch(() => {});
  const waiting = refused(t, gateway, { fields: fields(cookie) });
  const left = await connect(gateway.port);
  left.send(upgradeRequest({ fields: fields(cookie) }));
  await sleep(50);
  left.destroy();
  assert.equal((await waiting).status, 503);
  await leaving;
  await gateway.logged('a client that left', ({ event, reason }) => event === 'connection_refused' && reason === 'client_left');
  redis.child.kill('SIGCONT');
  await until('the store to be back', async () => (await ask(t, gateway, { fields: fields(cookie) })).status === 101);
  assert.equal(socket.readyState, WebSocket.OPEN);
});
