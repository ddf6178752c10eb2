// CONTRACT sections 6 and 7: what is revoked is closed on every instance and refused from then on,
// whatever happens to Redis, to an instance or between the check and the 101.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { join } from 'node:path';
import WebSocket from 'ws';
import { rawBackend, upgradeAnswer } from './harness/backends.mjs';
import { startCutLink } from './harness/cut_link.mjs';
import { atEnd } from './harness/ending.mjs';
import { ask, open, refused, startGateway, users } from './harness/gateway.mjs';
import { away, back, startInstances } from './harness/instances.mjs';
import { root } from './harness/output.mjs';
import { countOf, openClient, startInstance, startRedis } from './harness/redis.mjs';
import { now, token } from './harness/tokens.mjs';
import { patience, sleep, until, within } from './harness/wait.mjs';

const second = () => Math.floor(now());
const everyone = [{ match: '*', join: 'everyone', publish: 'everyone' }];

const set = 'gatehouse:revocations';
const control = 'gatehouse:control';

async function revoke(gateway, json) {
  const { status, body } = await gateway.admin('/v1/revocations', { method: 'POST', json });
  assert.equal(status, 202, body);
  return JSON.parse(body);
}

// A client that only waits to be closed; `claims`: of its token.
async function openSocket(t, gateway, claims) {
  const socket = new WebSocket(gateway.url(), { headers: { Authorization: `Bearer ${await token(claims)}` } });
  atEnd(t, () => socket.terminate());
  socket.ended = new Promise((resolve) => socket.once('close', (code) => {
    socket.code = code;
    resolve(code);
  }));
  socket.on('error', () => {});
  await within('a WebSocket to open', new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  }));
  return socket;
}

const closedWith4410 = async (...sockets) => {
  for (const socket of sockets) assert.equal(await within('a revoked socket to close', socket.ended), 4410);
};

// Each answers, so whatever was sent to it before has come.
async function undisturbed(...sockets) {
  for (const socket of sockets) {
    const ponged = new Promise((resolve) => socket.once('pong', resolve));
    socket.ping();
    await within('a pong', ponged);
    assert.equal(socket.code, undefined);
  }
}

async function statusOf(t, gateway, claims) {
  const answer = await ask(t, gateway, { token: await token(claims) });
  answer.peer.destroy();
  return answer.status;
}

async function heardBy(gateways, count) {
  await until('every instance to have heard it', () =>
    gateways.every((gateway) => countOf(gateway, 'revoked') >= count), 10_000 * patience);
}

describe('revocation over three instances', () => {
  test('1 000 sockets of one subject are closed, and nobody else\'s', async (t) => {
    const { gateways } = await startInstances(t);
    const others = await Promise.all(gateways.map((gateway, i) => openSocket(t, gateway, { sub: `bob${i}` })));
    // Octet by octet: a client that does much at its end would measure itself.
    const alice = await token({ sub: 'alice' });
    const peers = [];
    while (peers.length < 1_000) {
      peers.push(...await Promise.all(Array.from({ length: 50 }, (_, i) => open(t, gateways[i % 3], { token: alice }))));
    }
    const heard = peers.map(({ socket }) => new Promise((resolve) => socket.once('data', () => resolve(performance.now()))));
    const began = performance.now();
    assert.deepEqual(await revoke(gateways[0], { subject: 'alice' }), { stored: true });
    const answered = performance.now() - began;
    const times = (await within('all to be closed', Promise.all(heard), 10_000 * patience))
      .map((at) => at - began).sort((a, b) => a - b);
    t.diagnostic(`from the call to the close: p50 ${times[499].toFixed(1)} ms, p99 ${times[989].toFixed(1)} ms, ` +
      `the last ${times[999].toFixed(1)} ms; answered after ${answered.toFixed(1)} ms`);
    for (const peer of peers) assert.equal((await peer.close()).code, 4410);
    await undisturbed(...others);
    await heardBy(gateways, 1);
    const lines = gateways.map((gateway) => gateway.log.find(({ event }) => event === 'revoked'));
    assert.deepEqual(lines.map(({ subject, address }) => [subject, address]),
      [['alice', '127.0.0.1'], ['alice', undefined], ['alice', undefined]]);
    assert.equal(lines.reduce((sum, { closed }) => sum + closed, 0), 1_000);
    await until('each end to be in the log', () => gateways.reduce((sum, { log }) =>
      sum + log.filter(({ event, reason, code }) => event === 'connection_closed' && reason === 'revoked' && code === 4410).length, 0) === 1_000);
  });

  test('its tokens are refused everywhere; those of a later login are not', async (t) => {
    const { gateways } = await startInstances(t);
    await revoke(gateways[0], { subject: 'alice' });
    await heardBy(gateways, 1);
    for (const gateway of gateways) {
      const bad = await refused(t, gateway, { token: await token({ sub: 'alice', iat: second() - 100 }) });
      const unknown = await refused(t, gateway, { token: 'rubbish' });
      assert.equal(bad.status, 401);
      assert.deepEqual({ ...bad.fields, date: 0 }, { ...unknown.fields, date: 0 });
      await gateway.logged('the reason', ({ event, reason, subject }) =>
        event === 'connection_refused' && reason === 'revoked' && subject === 'alice');
      assert.equal(await statusOf(t, gateway, { sub: 'alice', iat: undefined }), 401);
      assert.equal(await statusOf(t, gateway, { sub: 'alice', iat: second() + 2 }), 101);
      assert.equal(await statusOf(t, gateway, { sub: 'alice2' }), 101);
    }
  });

  test('a token of the same second is refused, one of the next is not', async (t) => {
    const { gateways: [a, b] } = await startInstances(t);
    const moment = second() - 10;
    await revoke(a, { subject: 'alice', issued_before: moment + 0.5 });
    await heardBy([b], 1);
    for (const gateway of [a, b]) {
      assert.equal(await statusOf(t, gateway, { sub: 'alice', iat: moment }), 401);
      assert.equal(await statusOf(t, gateway, { sub: 'alice', iat: moment + 0.5 }), 401);
      assert.equal(await statusOf(t, gateway, { sub: 'alice', iat: moment + 0.501 }), 101);
      assert.equal(await statusOf(t, gateway, { sub: 'alice', iat: moment + 1 }), 101);
    }
  });

  test('issued_before closes who logged in before, and an earlier one changes nothing after it', async (t) => {
    const { redis, gateways: [a, b] } = await startInstances(t);
    const moment = second() - 100;
    const old = await openSocket(t, b, { sub: 'alice', iat: moment });
    const silent = await openSocket(t, b, { sub: 'alice', iat: undefined });
    const recent = await openSocket(t, b, { sub: 'alice', iat: moment + 1 });
    await revoke(a, { subject: 'alice', issued_before: moment });
    await closedWith4410(old, silent);
    await revoke(b, { subject: 'alice', issued_before: moment - 50 });
    await undisturbed(recent);
    assert.equal(await statusOf(t, a, { sub: 'alice', iat: moment }), 401);
    await revoke(a, { subject: 'alice' });
    await closedWith4410(recent);
    assert.equal((await redis.run('ZCARD', set)).out, '1', 'one takes the place of the other');
  });

  test('token_id closes one login, and refuses that token', async (t) => {
    const { gateways: [a, b] } = await startInstances(t);
    const stolen = await openSocket(t, b, { sub: 'alice', jti: 'stolen' });
    const own = await openSocket(t, b, { sub: 'alice', jti: 'own' });
    const none = await openSocket(t, b, { sub: 'alice' });
    assert.deepEqual(await revoke(a, { token_id: 'stolen' }), { stored: true });
    await closedWith4410(stolen);
    await undisturbed(own, none);
    assert.equal(await statusOf(t, a, { sub: 'alice', jti: 'stolen', iat: second() + 5 }), 401);
    assert.equal(await statusOf(t, a, { sub: 'alice', jti: 'other' }), 101);
  });

  test('one that comes between the check and the 101 holds', async (t) => {
    const redis = await startRedis(t);
    const [late, release] = [[], []];
    const backend = await rawBackend(t, {
      behave: async (peer, head) => {
        await new Promise((resolve) => release.push(resolve));
        peer.send(upgradeAnswer(head));
        late.push(peer);
      },
    });
    const proxying = await startGateway(t, {
      backend: backend.port, redis: { url: redis.url(), timeout: '1s' }, backendMore: { connect_timeout: '30s' },
    });
    const other = await startInstance(t, redis);
    await proxying.logged('redis_back', ({ event }) => event === 'redis_back');
    const asked = ask(t, proxying, { token: await token({ sub: 'alice' }) });
    const bobs = ask(t, proxying, { token: await token({ sub: 'bob' }) });
    await until('both to be at the backend', () => release.length === 2);
    await revoke(other, { subject: 'alice' });
    await heardBy([proxying], 1);
    for (const go of release) go();
    const answer = await asked;
    assert.equal(answer.status, 401);
    assert.match(answer.fields['www-authenticate'][0], /invalid_token/);
    assert.equal((await bobs).status, 101);
    await until('the backend to be left', () => late.some(({ over }) => over));
    await proxying.logged('the reason', ({ event, reason }) => event === 'connection_refused' && reason === 'revoked');
    assert.equal(proxying.log.filter(({ event, subject }) => event === 'connection_opened' && subject === 'alice').length, 0);
    assert.equal(await statusOf(t, proxying, { sub: 'alice', iat: second() - 100 }), 401);
    assert.equal(backend.connections, 2, 'a revoked client is not even announced to the backend');
  });

  test('DELETE of a connection that is on another instance closes it there', async (t) => {
    const { gateways: [a, b] } = await startInstances(t);
    const alice = await openSocket(t, b, { sub: 'alice' });
    const bob = await openSocket(t, b, { sub: 'bob' });
    const { connections } = JSON.parse((await b.admin('/v1/connections?subject=alice')).body);
    const { status, body } = await a.admin(`/v1/connections/${connections[0].id}`, { method: 'DELETE' });
    assert.deepEqual([status, JSON.parse(body)], [202, { here: false }]);
    await closedWith4410(alice);
    await undisturbed(bob);
    assert.equal(await statusOf(t, b, { sub: 'alice' }), 101);
  });
});

describe('an instance that cannot hear', () => {
  async function cutOff(t) {
    const redis = await startRedis(t);
    const link = await startCutLink(t, redis.port);
    const a = await startInstance(t, redis);
    const far = await startInstance(t, redis, { url: `redis://127.0.0.1:${link.port}/0` });
    return { redis, link, a, far };
  }

  test('closes what was revoked when it is back', async (t) => {
    const { link, a, far } = await cutOff(t);
    const alice = await openSocket(t, far, { sub: 'alice' });
    const bob = await openSocket(t, far, { sub: 'bob' });
    link.cut();
    await away([far]);
    assert.deepEqual(await revoke(a, { subject: 'alice' }), { stored: true });
    await sleep(200);
    await undisturbed(alice);
    link.mend();
    const began = performance.now();
    await closedWith4410(alice);
    t.diagnostic(`closed ${(performance.now() - began).toFixed(0)} ms after it could be reached`);
    await undisturbed(bob);
    await back([far], 2);
    assert.equal(await statusOf(t, far, { sub: 'alice', iat: second() - 100 }), 401);
  });

  test('revokes by itself meanwhile, and tells the others when it is back', async (t) => {
    const { redis, link, a, far } = await cutOff(t);
    const here = await openSocket(t, far, { sub: 'alice' });
    const there = await openSocket(t, a, { sub: 'alice' });
    link.cut();
    await away([far]);
    assert.deepEqual(await revoke(far, { subject: 'alice' }), { stored: false });
    await closedWith4410(here);
    assert.equal(await statusOf(t, far, { sub: 'alice', iat: second() - 100 }), 401);
    assert.equal((await redis.run('ZCARD', set)).out, '0');
    await undisturbed(there);
    link.mend();
    await closedWith4410(there);
    await back([far], 2);
    assert.equal((await redis.run('ZCARD', set)).out, '1');
  });
});

describe('what is revoked stays so', () => {
  test('for an instance that starts after it', async (t) => {
    const { redis, gateways } = await startInstances(t);
    await revoke(gateways[0], { subject: 'alice' });
    await revoke(gateways[1], { token_id: 'stolen' });
    for (const gateway of gateways) await gateway.stop();
    const later = await startInstance(t, redis);
    assert.equal(await statusOf(t, later, { sub: 'alice', iat: second() - 100 }), 401);
    assert.equal(await statusOf(t, later, { sub: 'bob', jti: 'stolen' }), 401);
    assert.equal(await statusOf(t, later, { sub: 'bob' }), 101);
  });

  for (const how of ['killed, and comes back empty', 'emptied']) {
    test(`when Redis is ${how}: any instance that knows stores it again`, async (t) => {
      const { redis, gateways } = await startInstances(t);
      for (let i = 0; i < 300; ++i) await revoke(gateways[i % 3], { subject: `user${i}` });
      await heardBy(gateways, 300);
      if (how === 'emptied') {
        await redis.run('FLUSHALL');
      } else {
        await redis.kill();
        await away(gateways);
        await redis.start();
      }
      await until('all of it to be there again', async () => (await redis.run('ZCARD', set)).out === '300', 20_000 * patience);
      const later = await startInstance(t, redis);
      assert.equal(await statusOf(t, later, { sub: 'user299', iat: second() - 100 }), 401);
    });
  }

  test('with more of them than one reply has', async (t) => {
    const redis = await startRedis(t);
    const until_ms = (second() + 3_600) * 1_000;
    const fill = `for i = 1, ${5_000} do redis.call('ZADD', KEYS[1], ARGV[1], ` +
      '\'{"type":"revoke","subject":"user\' .. i .. \'","issued_before_ms":\' .. ARGV[2] .. \',"until_ms":\' .. ARGV[1] .. \'}\') end';
    await redis.run('EVAL', fill, '1', set, `${until_ms}`, `${second() * 1_000}`);
    await redis.run('ZADD', set, `${until_ms}`, 'rubbish');
    const gateway = await startInstance(t, redis);
    const line = gateway.log.find(({ event }) => event === 'revocations_loaded');
    assert.deepEqual([line.live, line.invalid], [5_000, 1]);
    for (const sub of ['user1', 'user2500', 'user5000']) {
      assert.equal(await statusOf(t, gateway, { sub, iat: second() - 100 }), 401);
    }
    assert.equal(await statusOf(t, gateway, { sub: 'user5001', iat: second() - 100 }), 101);
  });

  test('until it has ended, when it is removed', async (t) => {
    const redis = await startRedis(t);
    const member = (name, end) => `{"type":"revoke","subject":"${name}","issued_before_ms":1,"until_ms":${end}}`;
    const end = Date.now() + 4_000 * patience;
    await redis.run('ZADD', set, `${end}`, member('alice', end), '1000', member('bob', 1_000));
    const gateway = await startInstance(t, redis);
    assert.equal(await statusOf(t, gateway, { sub: 'alice', iat: undefined }), 401);
    await until('it to end', async () => (await statusOf(t, gateway, { sub: 'alice', iat: undefined })) === 101, 10_000 * patience);
    await until('both to be removed', async () => (await redis.run('ZCARD', set)).out === '0', 25_000 * patience);
  });
});

describe('Redis is not there at the start', () => {
  test('nobody is let in before it is known who is revoked', async (t) => {
    const redis = await startRedis(t, { started: false });
    const gateway = await startInstance(t, redis, {}, { back: false });
    await away([gateway], /^cannot_connect$/);
    assert.equal((await gateway.admin('/readyz')).status, 503);
    const answer = await refused(t, gateway, { token: await token() });
    assert.equal(answer.status, 503);
    assert.ok(Number(answer.fields['retry-after'][0]) >= 1);
    await gateway.logged('the reason', ({ event, reason }) => event === 'connection_refused' && reason === 'revocations_not_loaded');
    assert.equal((await refused(t, gateway, { token: 'rubbish' })).status, 503, 'before anything is asked of the credential');
    assert.deepEqual(await revoke(gateway, { subject: 'alice' }), { stored: false });
    await redis.start();
    await back([gateway], 1);
    assert.equal((await gateway.admin('/readyz')).status, 200);
    assert.equal(await statusOf(t, gateway, { sub: 'bob' }), 101);
    assert.equal(await statusOf(t, gateway, { sub: 'alice', iat: second() - 100 }), 401);
    assert.equal((await redis.run('ZCARD', set)).out, '1');
    await redis.kill();
    await away([gateway], /connection_lost/);
    assert.equal((await gateway.admin('/readyz')).status, 200, 'what it knew it knows still');
    assert.equal(await statusOf(t, gateway, { sub: 'bob' }), 101);
  });
});

describe('who may say so (SECURITY 23)', () => {
  test('what is nothing of the control channel\'s changes nothing', async (t) => {
    const { redis, gateways: [a] } = await startInstances(t, { settings: { timeout: '10s' } });
    const alice = await openSocket(t, a, { sub: 'alice' });
    const good = { type: 'revoke', subject: 'alice', issued_before_ms: second() * 1_000, until_ms: (second() + 60) * 1_000 };
    for (const text of [
      'rubbish', '', JSON.stringify({ ...good, more: 1 }), JSON.stringify({ ...good, issued_before_ms: `${good.issued_before_ms}` }),
      ` ${JSON.stringify(good)}`, JSON.stringify({ type: 'revoke' }), JSON.stringify({ type: 'close', connection: '*' }),
      JSON.stringify({ type: 'message', room: 'r', payload: 1 }), JSON.stringify({ ...good, until_ms: second() }),
    ]) {
      await redis.run('PUBLISH', control, text);
    }
    await redis.run('EVAL', `redis.call('PUBLISH', KEYS[1], string.rep('x', ARGV[1]))`, '1', control, `${2 * 1024 * 1024}`);
    await redis.run('PUBLISH', 'gatehouse:room:r', JSON.stringify(good));
    await undisturbed(alice);
    assert.equal(countOf(a, 'redis_away'), 0);
    await redis.run('PUBLISH', control, JSON.stringify(good));
    await closedWith4410(alice);
  });

  test('with deploy/redis.acl: the gateway, and no service that speaks in rooms', async (t) => {
    const redis = await startRedis(t, { options: ['--aclfile', join(root, 'deploy', 'redis.acl')] });
    const own = { url: redis.url('gatehouse:change-me-1@'), timeout: '10s' };
    const a = await startInstance(t, redis, own);
    const b = await startInstance(t, redis, own);
    const alice = await openSocket(t, b, { sub: 'alice' });
    const as = (user, ...command) =>
      redis.run('--user', user, '--pass', user === 'speaker' ? 'change-me-2' : 'change-me-1', '--no-auth-warning', ...command);
    const text = JSON.stringify({ type: 'revoke', subject: 'alice', issued_before_ms: second() * 1_000, until_ms: (second() + 60) * 1_000 });
    for (const command of [
      ['PUBLISH', control, text], ['SUBSCRIBE', control], ['ZADD', set, '1', text], ['ZREM', set, text],
      ['ZSCAN', set, '0'], ['ZREMRANGEBYSCORE', set, '-inf', '+inf'], ['DEL', set],
      ['EVAL', `return redis.call('PUBLISH', '${control}', 'x')`, '0'],
    ]) {
      assert.match((await as('speaker', ...command)).out, /NOPERM/, command[0]);
    }
    await undisturbed(alice);
    assert.deepEqual(await revoke(a, { subject: 'alice' }), { stored: true });
    await closedWith4410(alice);
    assert.match((await as('gatehouse', 'ZSCAN', set, '0')).out, /"?alice/);
    const later = await startInstance(t, redis, own);
    assert.equal(await statusOf(t, later, { sub: 'alice', iat: second() - 100 }), 401);
    await until('the set to be looked after', async () =>
      (await as('gatehouse', 'ZCOUNT', set, '-inf', '+inf')).out === '1');
    assert.equal(countOf(a, 'redis_away'), 0);
  });

  test('a Redis that lets the gateway do less: away, for a reason, and nobody is let in', async (t) => {
    const redis = await startRedis(t);
    await redis.run('ACL', 'SETUSER', 'gate', 'on', '>secret', '~*', '&*', '+@all', '-zscan');
    const gateway = await startInstance(t, redis, { url: redis.url('gate:secret@') }, { back: false });
    await away([gateway], /^NOPERM$/);
    assert.equal(await statusOf(t, gateway, { sub: 'bob' }), 503);
  });
});

describe('without Redis', () => {
  test('one instance revokes, in memory', async (t) => {
    const gateway = await startGateway(t, {
      backends: {}, authenticators: { users: users() },
      routes: [{ path: '/chat', authenticate: ['users'], rooms: everyone }],
    });
    const sockets = await Promise.all(Array.from({ length: 40 }, () => openSocket(t, gateway, { sub: 'alice' })));
    const bob = await openClient(t, gateway, 'bob');
    await bob.join('r');
    assert.deepEqual(await revoke(gateway, { subject: 'alice' }), { stored: false });
    await closedWith4410(...sockets);
    await bob.expectSilence();
    assert.equal(await statusOf(t, gateway, { sub: 'alice', iat: second() - 100 }), 401);
    const line = await gateway.logged('the line', ({ event }) => event === 'revoked');
    assert.deepEqual([line.subject, line.address, line.closed], ['alice', '127.0.0.1', 40]);
    const { body } = await gateway.admin('/metrics');
    for (const sample of ['revocations 1', 'revocations_loaded 1', 'revocations_applied_total 1', 'revoked_connections_total 40']) {
      assert.ok(body.includes(`\ngatehouse_${sample}\n`), sample);
    }
  });

  test('a prefix of the authenticator\'s is part of the subject', async (t) => {
    const gateway = await startGateway(t, {
      backends: {}, authenticators: { users: { ...users(), subject_prefix: 'u:' } },
      routes: [{ path: '/chat', authenticate: ['users'], rooms: everyone }],
    });
    const alice = await openSocket(t, gateway, { sub: 'alice' });
    await revoke(gateway, { subject: 'alice' });
    await undisturbed(alice);
    await revoke(gateway, { subject: 'u:alice' });
    await closedWith4410(alice);
  });

  test('what cannot be meant is 400, and changes nothing', async (t) => {
    const gateway = await startGateway(t, {
      backends: {}, routes: [{ path: '/chat', authenticate: ['users'], rooms: everyone }],
    });
    const alice = await openSocket(t, gateway, { sub: 'alice' });
    for (const json of [
      {}, { subject: 'alice', token_id: 'x' }, { subject: 1 }, { subject: '' }, { subject: 'x'.repeat(257) },
      { subject: 'alice', more: 1 }, { token_id: 'x', issued_before: 1 }, { subject: 'alice', issued_before: 'now' },
      { subject: 'alice', issued_before: Date.now() }, [], 'alice',
    ]) {
      const { status, body } = await gateway.admin('/v1/revocations', { method: 'POST', json });
      assert.equal(status, 400, JSON.stringify(json));
      assert.match(JSON.parse(body).error, /./);
    }
    assert.equal((await gateway.admin('/v1/revocations?subject=alice', { method: 'POST', json: { subject: 'alice' } })).status, 400);
    assert.equal((await gateway.admin('/v1/revocations')).status, 405);
    await undisturbed(alice);
    assert.equal(await statusOf(t, gateway, { sub: 'alice' }), 101);
  });
});
