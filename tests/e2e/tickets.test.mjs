// CONTRACT section 6, POST /_gatehouse/ticket, and SECURITY 10: what a page gets for its token and puts into
// a WebSocket's address, over two instances and a real Redis, and on one instance without.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { wsBackend } from './harness/backends.mjs';
import { jwt, startGateway } from './harness/gateway.mjs';
import { opened, statuses } from './harness/opening.mjs';
import { root } from './harness/output.mjs';
import { startRedis } from './harness/redis.mjs';
import { now, remember, token } from './harness/tokens.mjs';
import { sleep } from './harness/wait.mjs';

const page = 'https://app.example.com';
const places = [{ header: 'Authorization' }, { cookie: 'session' }, { ticket: '30s' }];
const authenticators = {
  users: { jwt: jwt(), credentials: places },
  others: {
    subject_prefix: 'other:', jwt: jwt({ issuer: 'https://other.example.test/' }),
    credentials: [{ header: 'Authorization' }],
  },
};
const route = (path, more = {}) => ({ path, authenticate: ['users', 'others'], origins: [page], backend: 'chat', ...more });

async function startOne(t, { redis, login = '', routes = [route('/chat/*'), route('/chats')], users = {}, ...more } = {}) {
  const backend = await wsBackend(t);
  const gateway = await startGateway(t, {
    workers: 2, backend: backend.port, routes,
    authenticators: { ...authenticators, users: { ...authenticators.users, ...users } },
    ...(redis ? { redis: { url: redis.url(login), timeout: '1s' } } : {}), ...more,
  });
  if (redis) await gateway.logged('redis_back', ({ event }) => event === 'redis_back');
  return Object.assign(gateway, { backend });
}

// As a page does, which says where it is from.
function post(gateway, { bearer, fields = {}, path = '/chat/a', body = JSON.stringify({ path }), method = 'POST', query = '' } = {}) {
  return fetch(`http://127.0.0.1:${gateway.port}/_gatehouse/ticket${query}`, {
    method,
    headers: {
      ...(method === 'POST' ? { 'Content-Type': 'application/json' } : {}), Origin: page,
      ...(bearer ? { Authorization: `Bearer ${bearer}` } : {}), ...fields,
    },
    ...(method === 'POST' ? { body } : {}),
  });
}

async function ticketOf(gateway, asked = {}) {
  const answer = await post(gateway, { bearer: asked.bearer ?? await token(), ...asked });
  assert.equal(answer.status, 201, await answer.clone().text());
  const { ticket, ...rest } = await answer.json();
  assert.match(ticket, /^[A-Za-z0-9_-]{22}$/);
  remember(ticket);
  return { ticket, answer, ...rest };
}
const status = async (answer) => (await answer).status;
const at = (gateway, ticket, path = '/chat/a') => gateway.url(`${path}?ticket=${ticket}`);
const refused = (gateway, reason) => gateway.logged(reason, (line) => line.event === 'connection_refused' && line.reason === reason);

describe('a ticket', () => {
  test('opens one connection, as whoever asked for it, and the backend sees nothing of it', async (t) => {
    const gateway = await startOne(t);
    const { ticket, expires_in, answer } = await ticketOf(gateway);
    assert.equal(expires_in, 30);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.equal(answer.headers.get('content-type'), 'application/json');
    await opened(t, [gateway.url(`/chat/a?room=1&ticket=${ticket}&x`)], { Origin: page });
    const [request] = gateway.backend.requests;
    assert.equal(request.url, '/chat/a?room=1&x');
    assert.deepEqual(request.fields['x-gatehouse-subject'], ['alice']);
    const claims = JSON.parse(Buffer.from(request.fields['x-gatehouse-claims'][0], 'base64url'));
    assert.equal(claims.sub, 'alice');
    assert.deepEqual(await statuses(t, [at(gateway, ticket)]), [401]);
    await refused(gateway, 'ticket_unknown');
    await gateway.logged('ticket_made', ({ event, subject }) => event === 'ticket_made' && subject === 'alice');
  });

  test('of 100 uses at once over two instances one succeeds', async (t) => {
    const redis = await startRedis(t);
    const gateways = [await startOne(t, { redis }), await startOne(t, { redis })];
    const { ticket } = await ticketOf(gateways[0]);
    const key = (await redis.run('KEYS', 'gatehouse:ticket:*')).out;
    assert.match(key, /^gatehouse:ticket:[A-Za-z0-9_-]{43}$/);
    assert.ok(!key.includes(ticket));
    assert.ok(Number((await redis.run('PTTL', key)).out) <= 30_000);
    const all = await statuses(t, Array.from({ length: 100 }, (_, i) => at(gateways[i % 2], ticket)));
    assert.deepEqual([...all].sort(), [101, ...Array(99).fill(401)]);
    assert.equal((await redis.run('KEYS', 'gatehouse:ticket:*')).out, '');
    // What others write there is no ticket, unless it is what we would have written.
    for (const text of ['{}', 'x', JSON.stringify({ subject: 'admin' })]) {
      const { ticket: forged } = await ticketOf(gateways[0]);
      const name = (await redis.run('KEYS', 'gatehouse:ticket:*')).out;
      await redis.run('SET', name, text);
      assert.deepEqual(await statuses(t, [at(gateways[1], forged)]), [401]);
    }
  });

  test('of 100 uses at once on one instance without Redis one succeeds', async (t) => {
    const gateway = await startOne(t);
    const { ticket } = await ticketOf(gateway);
    const all = await statuses(t, Array(100).fill(at(gateway, ticket)));
    assert.deepEqual([...all].sort(), [101, ...Array(99).fill(401)]);
  });

  test('is no good for another path or route, after its time, or made up', async (t) => {
    const gateway = await startOne(t, { users: { credentials: [{ header: 'Authorization' }, { ticket: '1s' }] } });
    for (const path of ['/chat/b', '/chats']) {
      const { ticket } = await ticketOf(gateway);
      // It is used up by that.
      assert.deepEqual(await statuses(t, [at(gateway, ticket, path)]), [401]);
      assert.deepEqual(await statuses(t, [at(gateway, ticket)]), [401]);
    }
    await refused(gateway, 'ticket_elsewhere');
    const { ticket, expires_in } = await ticketOf(gateway);
    assert.equal(expires_in, 1);
    await sleep(1_100);
    assert.deepEqual(await statuses(t, [at(gateway, ticket), at(gateway, 'A'.repeat(22)), at(gateway, await token())]), [401, 401, 401]);
  });

  test('has the end of the token that it was made with, and a connection is refreshed and revoked as that', async (t) => {
    const gateway = await startOne(t, { routes: [route('/chat/a', { backend: undefined, rooms: [{ match: '*', join: 'everyone' }] })] });
    const bearer = await token({ jti: 'ticket-test', exp: Math.floor(now()) - 27 });  // with leeway, 3 s
    const { ticket, expires_in } = await ticketOf(gateway, { bearer });
    assert.ok(expires_in <= 3);
    const [short] = await opened(t, [at(gateway, ticket)]);
    const closed = (socket) => new Promise((resolve) => socket.once('close', resolve));
    const ended = closed(short);
    const [fresh] = await opened(t, [at(gateway, (await ticketOf(gateway, { bearer: await token({ jti: 'of-a-ticket' }) })).ticket)]);
    const ask = (text) => {
      const answer = new Promise((resolve) => fresh.once('message', (json) => resolve(JSON.parse(json))));
      fresh.send(JSON.stringify({ type: 'refresh', token: text }));
      return answer;
    };
    assert.equal((await ask(await token({ jti: 'refreshed-ticket', exp: Math.floor(now()) + 900 }))).type, 'refreshed');
    const revoked = closed(fresh);
    await gateway.admin('/v1/revocations', { method: 'POST', json: { token_id: 'refreshed-ticket' } });
    assert.equal(await revoked, 4410);
    assert.equal(await ended, 4401);
    // One that was revoked between is no more.
    const late = await ticketOf(gateway, { bearer: await token({ sub: 'bob' }) });
    await gateway.admin('/v1/revocations', { method: 'POST', json: { subject: 'bob' } });
    assert.deepEqual(await statuses(t, [at(gateway, late.ticket)]), [401]);
  });

  test('with deploy/redis.acl: the gateway may do all that tickets and tokens that serve once need', async (t) => {
    const redis = await startRedis(t, { options: ['--aclfile', join(root, 'deploy', 'redis.acl')] });
    const gateway = await startOne(t, { redis, login: 'gatehouse:change-me-1@', users: { jwt: { ...jwt(), once: true } } });
    const { ticket } = await ticketOf(gateway, { bearer: await token({ jti: 'with-an-acl' }) });
    assert.deepEqual(await statuses(t, [at(gateway, ticket)]), [101]);
    assert.deepEqual(await statuses(t, [at(gateway, ticket)]), [401]);
  });

  test('while Redis is away nobody gets one, and none lets anybody in', async (t) => {
    const redis = await startRedis(t);
    const gateway = await startOne(t, { redis });
    const bearer = await token();
    const { ticket } = await ticketOf(gateway, { bearer });
    await redis.kill();
    await gateway.logged('redis_away', ({ event }) => event === 'redis_away');
    const answer = await post(gateway, { bearer });
    assert.equal(answer.status, 503);
    assert.ok(Number(answer.headers.get('retry-after')) > 0);
    assert.deepEqual(await statuses(t, [at(gateway, ticket)]), [503]);
    await refused(gateway, 'single_use_unknown');
  });
});

describe('a request for a ticket', () => {
  test('is answered as a handshake there would be', async (t) => {
    const gateway = await startOne(t, {
      routes: [
        route('/chat/a', { allow: { claim: 'plan', equals: 'pro' }, limits: { ip: { handshakes: '1/m', burst: 6 } } }),
        route('/other', { hosts: ['other.example.com'] }),
        { path: '/none', authenticate: ['others'], backend: 'chat' },
      ],
    });
    const pro = await token({ plan: 'pro' });
    assert.equal(await status(post(gateway, { bearer: pro })), 201);
    assert.equal(await status(post(gateway, {})), 401);
    assert.equal(await status(post(gateway, { bearer: await token() })), 403);
    assert.equal(await status(post(gateway, { bearer: await token({ plan: 'pro', exp: Math.floor(now()) - 100 }) })), 401);
    assert.equal(await status(post(gateway, { bearer: pro, fields: { Origin: 'https://evil.example' } })), 403);
    // Who has no tickets in its places gives none.
    const other = await token({ iss: 'https://other.example.test/', plan: 'pro' });
    assert.equal(await status(post(gateway, { bearer: other })), 403);
    await refused(gateway, 'no_ticket_place');
    const limited = await post(gateway, { bearer: pro });
    assert.equal(limited.status, 429);
    assert.equal(limited.headers.get('access-control-allow-origin'), page);
    for (const path of ['/chat/b', '/other', '/none', '/_gatehouse/ticket']) {
      assert.equal(await status(post(gateway, { bearer: pro, path })), 404, path);
    }
  });

  test('is JSON of a path that all parsers read alike, and no form', async (t) => {
    const gateway = await startOne(t);
    const bearer = await token();
    for (const path of ['', 'chat', '/chat/../a', '/chat//a', '/chat/%2e%2e/a', '/chat/a?x=1', '/chat/\u00e9', 'http://x/chat/a']) {
      assert.equal(await status(post(gateway, { bearer, path })), 400, path);
    }
    for (const body of ['', '[]', '{}', '{"path":1}', '{"path":"/chat/a","path":"/chat/a"}', '{"path":"/chat/a","x":1}', '{"path":"/chat/a"']) {
      assert.equal(await status(post(gateway, { bearer, body })), 400, body);
    }
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', '']) {
      assert.equal(await status(post(gateway, { bearer, fields: { 'Content-Type': type } })), 415, type);
    }
    assert.equal(await status(post(gateway, { bearer, body: JSON.stringify({ path: `/${'a'.repeat(4_096)}` }) })), 413);
    assert.equal(await status(post(gateway, { bearer, method: 'GET' })), 405);
    assert.equal(await status(post(gateway, { bearer, path: '/chat/%61', fields: { 'Content-Type': 'Application/JSON; charset=utf-8' } })), 201);
  });

  test('with a cookie says where it comes from', async (t) => {
    const gateway = await startOne(t);
    const fields = { Cookie: `session=${await token()}` };
    const { ticket } = await ticketOf(gateway, { bearer: '', fields });
    assert.deepEqual(await statuses(t, [at(gateway, ticket)], { Origin: page }), [101]);
    const silent = await fetch(`http://127.0.0.1:${gateway.port}/_gatehouse/ticket`, {
      method: 'POST', headers: { 'Content-Type': 'application/json', ...fields }, body: '{"path":"/chat/a"}',
    });
    assert.equal(silent.status, 403);
  });

  test('uses up a token that opens one connection, and the ticket is that one', async (t) => {
    const gateway = await startOne(t, { users: { jwt: { ...jwt(), once: true } } });
    const bearer = await token({ jti: 'once-for-a-ticket' });
    const { ticket } = await ticketOf(gateway, { bearer });
    assert.equal(await status(post(gateway, { bearer })), 401);
    assert.deepEqual(await statuses(t, [gateway.url('/chat/a')], { Authorization: `Bearer ${bearer}` }), [401]);
    assert.deepEqual(await statuses(t, [at(gateway, ticket)]), [101]);
  });
});

describe('CORS (Fetch Standard section 3.3)', () => {
  const preflight = (gateway, origin) => post(gateway, {
    method: 'OPTIONS',
    fields: { Origin: origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization,content-type' },
  });

  test('a page of an origin of the route may ask and read, with credentials, and is told so before', async (t) => {
    const gateway = await startOne(t);
    const before = await preflight(gateway, page);
    assert.equal(before.status, 204);
    assert.equal(before.headers.get('access-control-allow-origin'), page);
    assert.equal(before.headers.get('access-control-allow-credentials'), 'true');
    assert.equal(before.headers.get('access-control-allow-methods'), 'POST');
    const names = before.headers.get('access-control-allow-headers').toLowerCase().split(', ');
    for (const name of ['content-type', 'authorization']) assert.ok(names.includes(name), name);
    assert.equal(before.headers.get('vary'), 'Origin');
    const { answer } = await ticketOf(gateway);
    assert.equal(answer.headers.get('access-control-allow-origin'), page);
    assert.equal(answer.headers.get('access-control-allow-credentials'), 'true');
    assert.equal(answer.headers.get('vary'), 'Origin');
    const refused = await post(gateway, {});
    assert.equal(refused.status, 401);
    assert.equal(refused.headers.get('access-control-allow-origin'), page);
  });

  test('a page of another may do neither', async (t) => {
    const gateway = await startOne(t);
    for (const origin of ['https://evil.example', 'null', 'http://app.example.com', `${page}.evil.example`]) {
      const before = await preflight(gateway, origin);
      assert.equal(before.status, 403, origin);
      assert.equal(before.headers.get('access-control-allow-origin'), null);
      const answer = await post(gateway, { bearer: await token(), fields: { Origin: origin } });
      assert.equal(answer.status, 403, origin);
      assert.equal(answer.headers.get('access-control-allow-origin'), null);
      assert.equal(answer.headers.get('vary'), 'Origin');
    }
  });

  test('without origins in the policy no page of another origin may read an answer', async (t) => {
    const gateway = await startOne(t, {
      users: { credentials: [{ header: 'Authorization' }, { ticket: '30s' }] },
      routes: [{ path: '/chat/a', authenticate: ['users'], backend: 'chat' }],
    });
    assert.equal((await preflight(gateway, page)).status, 403);
    const { answer } = await ticketOf(gateway);
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
  });
});
