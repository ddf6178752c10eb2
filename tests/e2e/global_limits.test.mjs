// CONTRACT sections 2 and 4, `scope: global`: messages and connections of a subject over three instances
// and a real Redis, which goes, comes back and forgets.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { join } from 'node:path';
import WebSocket from 'ws';
import { wsBackend } from './harness/backends.mjs';
import { atEnd } from './harness/ending.mjs';
import { ask, startGateway } from './harness/gateway.mjs';
import { root } from './harness/output.mjs';
import { countOf, startRedis } from './harness/redis.mjs';
import { token } from './harness/tokens.mjs';
import { patience, sleep, until, within } from './harness/wait.mjs';
import { connect, upgradeRequest } from './harness/wire.mjs';

const rate = 100;  // a second, with a burst of a second's worth: leases and advances of 10
const lease = 10;
// What passes where nothing else keeps the machine busy is over nine tenths of what may.
const least = (seconds) => rate * seconds / 2;
const most = (seconds, instances = 3) => rate + rate * seconds + instances * 2 * lease;

const subjectLimits = { messages: `${rate}/s`, connections: 10, scope: 'global' };

async function startLimited(t, redis, { subject = subjectLimits, connection, port, settings = {}, rooms } = {}) {
  const served = rooms ? { rooms: [{ match: '*', join: 'everyone', publish: 'everyone' }] } : { backend: 'chat' };
  const gateway = await startGateway(t, {
    workers: 2,
    redis: { url: redis.url(), timeout: '1s', ...settings },
    ...(rooms ? { backends: {} } : { backend: port }),
    routes: [{ path: '/chat', authenticate: ['users'], ...served, limits: { connection, subject } }],
  });
  await gateway.logged('redis_back', ({ event }) => event === 'redis_back');
  return gateway;
}

// The Redis, three instances and a backend that counts what gets to it.
async function cluster(t, { options, count = 3, ...limits } = {}) {
  const redis = await startRedis(t, { options });
  const passed = { messages: 0 };
  const behave = (socket) => socket.on('message', () => ++passed.messages);
  const { port } = await wsBackend(t, { behave });
  const gateways = [];
  for (let i = 0; i < count; ++i) gateways.push(await startLimited(t, redis, { port, ...limits }));
  return { redis, gateways, passed };
}

async function openClient(t, gateway, sub = 'alice') {
  const socket = new WebSocket(gateway.url(), { headers: { Authorization: `Bearer ${await token({ sub })}` } });
  atEnd(t, () => socket.terminate());
  socket.on('error', () => {});
  socket.code = null;
  socket.on('close', (code) => (socket.code = code));
  await within('a WebSocket to open', new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (_, { statusCode }) => reject(new Error(`${statusCode}`)));
  }));
  return socket;
}

// All of them send as fast as they are read, for so long. Returns how long it was, in seconds.
async function flood(sockets, seconds, text = 'hello') {
  const began = performance.now();
  while (performance.now() - began < seconds * 1_000) {
    for (const socket of sockets) {
      for (let i = 0; i < 20 && socket.readyState === WebSocket.OPEN && socket.bufferedAmount < 16_384; ++i) {
        socket.send(text);
      }
    }
    await sleep(1);
  }
  return (performance.now() - began) / 1_000;
}

const scripts = async (redis) => Number(/cmdstat_evalsha:calls=(\d+)/.exec((await redis.run('INFO', 'commandstats')).out)?.[1] ?? 0);

function checkPassed(t, count, seconds) {
  t.diagnostic(`${count} passed in ${seconds.toFixed(2)} s; ${Math.floor(most(seconds))} may`);
  assert.ok(count <= most(seconds), `${count} passed in ${seconds} s`);
  assert.ok(count >= least(1 + seconds), `only ${count} passed in ${seconds} s`);
}

describe("a subject's messages over three instances under a flood", () => {
  for (const [on_exceed, wanted] of [['drop', 10], ['throttle', 4]]) {
    test(`${on_exceed}: what passes is within the bound, and not far under the rate`, async (t) => {
      const { redis, gateways, passed } = await cluster(t, { connection: { on_exceed } });
      const sockets = await Promise.all(gateways.map((gateway) => openClient(t, gateway)));
      const asked = await scripts(redis);
      const seconds = await flood(sockets, wanted);
      checkPassed(t, passed.messages, seconds);
      const perSecond = (await scripts(redis) - asked) / seconds;
      t.diagnostic(`${perSecond.toFixed(1)} questions a second to Redis`);
      assert.ok(perSecond < 3 * 25, `${perSecond} questions a second`);
      // Renewals and all: a key each for the subject's messages and connections, one for each instance.
      const kept = (await redis.run('KEYS', 'gatehouse:*')).out.split('\n').map((key) => key.split(':')[1]).sort();
      assert.deepEqual(kept, ['connections', 'instance', 'instance', 'instance', 'limit']);
    });
  }

  test('error: who is over it is told when to come back, and what passes is within the bound', async (t) => {
    const { gateways } = await cluster(t, { rooms: true, connection: { on_exceed: 'error' } });
    const sockets = await Promise.all(gateways.map((gateway) => openClient(t, gateway)));
    let left = 0;
    const waits = [];
    for (const socket of sockets) {
      socket.on('message', (text) => {
        const message = JSON.parse(text);
        if (message.type === 'left') ++left;
        else if (message.code === 'rate_limited') waits.push(message.retry_after_ms);
        else assert.fail(text);
      });
    }
    const began = performance.now();
    // Fewer than the error answers that end a connection.
    for (let i = 0; i < 60; ++i) {
      for (const socket of sockets) for (let n = 0; n < 2; ++n) socket.send('{"type":"leave","room":"r"}');
      await sleep(20);
    }
    await until('all answers', () => left + waits.length === 360);
    const seconds = (performance.now() - began) / 1_000;
    assert.ok(left <= most(seconds) && left >= rate, `${left} passed in ${seconds} s`);
    assert.ok(waits.length > 0 && waits.every((wait) => wait > 0 && wait <= 1_000), `${waits}`);
    for (const socket of sockets) assert.equal(socket.code, null);
  });

  test('close: all of them end with 1008, and what passed is within the bound', async (t) => {
    const { gateways, passed } = await cluster(t, { connection: { on_exceed: 'close' } });
    const sockets = await Promise.all(gateways.map((gateway) => openClient(t, gateway)));
    const began = performance.now();
    await flood(sockets, 2);
    for (const socket of sockets) assert.equal(socket.code, 1008);
    const seconds = (performance.now() - began) / 1_000;
    assert.ok(passed.messages >= rate && passed.messages <= most(seconds), `${passed.messages}`);
  });

  test('with scope: instance each has the whole rate', async (t) => {
    const subject = { messages: `${rate}/s` };
    const { redis, gateways, passed } = await cluster(t, { subject, connection: { on_exceed: 'drop' } });
    const sockets = await Promise.all(gateways.map((gateway) => openClient(t, gateway)));
    const asked = await scripts(redis);
    const seconds = await flood(sockets, 2);
    assert.ok(passed.messages > most(seconds), `${passed.messages} in ${seconds} s`);
    assert.equal(await scripts(redis), asked, 'nobody asked Redis');
  });

  test('another subject, and another path, have buckets of their own', async (t) => {
    const { gateways, passed } = await cluster(t, { connection: { on_exceed: 'drop' } });
    const alice = await openClient(t, gateways[0]);
    await flood([alice], 1);
    const before = passed.messages;
    const bob = await openClient(t, gateways[0], 'bob:é %s\\0');
    for (let i = 0; i < rate; ++i) bob.send('hello');
    await until("a burst of bob's", () => passed.messages >= before + rate);
  });

  test('a burst that the policy permits passes whole, in one read, on one instance', async (t) => {
    const subject = { messages: '50/s', burst: 200, scope: 'global' };
    const { gateways: [a, b], passed } = await cluster(t, { subject, count: 2, connection: { on_exceed: 'drop' } });
    const [first, second] = [await openClient(t, a), await openClient(t, b)];
    const began = performance.now();
    for (let i = 0; i < 200; ++i) first.send('hello');
    await until('the burst', () => passed.messages >= 200);
    for (let i = 0; i < 200; ++i) second.send('hello');
    await sleep(100);
    // Two instances with leases and advances of 10.
    const may = 200 + 50 * (performance.now() - began) / 1_000 + 2 * 2 * 10;
    assert.ok(passed.messages <= may, `${passed.messages} of ${may}`);
  });

  test('few messages a second pass as they come', async (t) => {
    const { gateways, passed } = await cluster(t, { connection: { on_exceed: 'close' } });
    const sockets = await Promise.all(gateways.map((gateway) => openClient(t, gateway)));
    for (let i = 1; i <= 20; ++i) {
      for (const socket of sockets) socket.send('hello');
      await until('all three', () => passed.messages === 3 * i, 1_000);
      await sleep(50);
    }
  });
});

describe('a Redis that is of no use for messages', () => {
  test('killed: each instance limits for itself, and together again when it is back', async (t) => {
    const { redis, gateways, passed } = await cluster(t, { connection: { on_exceed: 'drop' } });
    const sockets = await Promise.all(gateways.map((gateway) => openClient(t, gateway)));
    await redis.kill();
    await Promise.all(gateways.map((gateway) => gateway.logged('redis_away', ({ event }) => event === 'redis_away')));
    const alone = await flood(sockets, 2);
    assert.ok(passed.messages > most(alone), `${passed.messages} in ${alone} s`);
    assert.ok(passed.messages <= 3 * rate * (1 + alone), `${passed.messages} in ${alone} s`);
    await redis.start();
    await until('redis_back', () => gateways.every((one) => countOf(one, 'redis_back') >= 2), 15_000 * patience);
    await flood(sockets, 2);  // a new Redis has a new burst
    const before = passed.messages;
    const together = await flood(sockets, 2);
    const count = passed.messages - before;
    assert.ok(count <= most(together) - rate && count >= least(together) / 2, `${count} in ${together} s`);
  });

  test('stopped: nobody waits for it for long', async (t) => {
    const { redis, gateways: [gateway], passed } = await cluster(t, {
      count: 1, connection: { on_exceed: 'close' }, settings: { timeout: '10s' },
    });
    redis.child.kill('SIGSTOP');
    atEnd(t, () => redis.child.kill('SIGCONT'));
    const socket = await openClient(t, gateway);  // by this instance's own count
    const began = performance.now();
    for (let i = 0; i < 50; ++i) socket.send('hello');
    await until('all of them', () => passed.messages === 50);
    const waited = performance.now() - began;
    assert.ok(waited > 400 && waited < 3_000 * patience, `${waited} ms`);
  });

  test('that forgets its scripts, or everything, is told them again', async (t) => {
    const { redis, gateways, passed } = await cluster(t, { connection: { on_exceed: 'drop' } });
    const sockets = await Promise.all(gateways.map((gateway) => openClient(t, gateway)));
    await redis.run('SCRIPT', 'FLUSH', 'SYNC');
    await redis.run('FLUSHALL');
    const seconds = await flood(sockets, 3);
    // One burst that FLUSHALL may have given, and the moment in which each instance was alone.
    assert.ok(passed.messages <= most(seconds) + 3 * rate, `${passed.messages} in ${seconds} s`);
    const before = passed.messages;
    const more = await flood(sockets, 2);
    const count = passed.messages - before;
    assert.ok(count <= most(more) - rate && count >= least(more) / 2, `${count} in ${more} s`);
    for (const gateway of gateways) assert.equal(countOf(gateway, 'global_limits_refused'), 0);
  });

  test('that refuses: one line says so, each instance limits for itself, and together when it does no more', async (t) => {
    const redis = await startRedis(t);
    const may = ['on', '>secret', 'resetkeys', 'resetchannels', '~gatehouse:*', '&gatehouse:*', '-@all', '+ping',
      '+subscribe', '+unsubscribe', '+publish', '+eval', '+zadd', '+zrem', '+zscan', '+zcount', '+zremrangebyscore'];
    await redis.run('ACL', 'SETUSER', 'gate', ...may);
    const passed = { messages: 0 };
    const { port } = await wsBackend(t, { behave: (socket) => socket.on('message', () => ++passed.messages) });
    const settings = { url: redis.url('gate:secret@') };
    const gateway = await startLimited(t, redis, { port, settings, connection: { on_exceed: 'drop' } });
    const lines = (event) => gateway.log.filter((line) => line.event === event);
    await until('the lines', () => lines('global_limits_refused').length === 2);
    assert.deepEqual(lines('global_limits_refused').map(({ what, reason }) => [what, reason]).sort(),
      [['connections', 'NOPERM'], ['messages', 'NOPERM']]);
    const socket = await openClient(t, gateway);
    await flood([socket], 1);
    assert.ok(passed.messages >= rate, `${passed.messages}`);
    await redis.run('ACL', 'SETUSER', 'gate', '+@all');
    await until('the limits to be shared', () => lines('global_limits_back').length === 1, 10_000 * patience);
    for (let i = 0; i < 5; ++i) socket.send('hello');
    await until('both', () => lines('global_limits_back').length === 2);
    assert.equal(lines('global_limits_refused').length, 2);
    assert.match((await redis.run('KEYS', 'gatehouse:connections:*')).out, /:alice$/);
  });
});

// Statuses of `count` handshakes one after another; those with 101 stay open, and are given to `opened`.
async function handshakes(t, gateway, count, opened = [], sub = 'alice') {
  const statuses = [];
  for (let i = 0; i < count; ++i) {
    const answer = await ask(t, gateway, { token: await token({ sub }) });
    statuses.push(answer.status);
    if (answer.status === 101) opened.push(answer.peer);
    else answer.peer.destroy();
  }
  return statuses;
}

const all101 = (count) => Array(count).fill(101);

// What Redis has of alice: a number for each instance.
async function counted(redis) {
  const key = (await redis.run('KEYS', 'gatehouse:connections:*:alice')).out;
  if (!key) return [];
  return (await redis.run('HVALS', key)).out.split('\n').map(Number).sort();
}

async function filled(t, numbers = [4, 3, 3], more = {}) {
  const { redis, gateways } = await cluster(t, more);
  const opened = [[], [], []];
  for (const [i, count] of numbers.entries()) {
    assert.deepEqual(await handshakes(t, gateways[i], count, opened[i]), all101(count));
  }
  return { redis, gateways, opened };
}

describe("a subject's connections over three instances", () => {
  test('the 11th is 429, one leaves, and the next gets in', async (t) => {
    const { redis, gateways, opened } = await filled(t);
    for (const gateway of gateways) {
      const answer = await ask(t, gateway, { token: await token() });
      assert.equal(answer.status, 429);
      assert.ok(answer.fields['retry-after']);
      assert.deepEqual(await handshakes(t, gateway, 1, [], 'bob'), [101]);
    }
    assert.deepEqual(await counted(redis), [3, 3, 4]);
    opened[2][0].destroy();
    await until('its place to be free', async () => (await counted(redis)).join() === '2,3,4');
    assert.deepEqual(await handshakes(t, gateways[0], 2), [101, 429]);
    assert.deepEqual(await counted(redis), [2, 3, 5]);
    await gateways[0].logged('the limit', ({ event, limit, action }) =>
      event === 'limit_hit' && limit === 'subject_connections' && action === 'refuse');
  });

  test('many at once over three instances: as many as there may be', async (t) => {
    const { redis, gateways } = await cluster(t);
    const bearer = await token();
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => ask(t, gateways[i % 3], { token: bearer })));
    assert.equal(answers.filter(({ status }) => status === 101).length, 10);
    assert.equal(answers.filter(({ status }) => status === 429).length, 50);
    for (const { peer } of answers) peer.destroy();
    await until('nothing to be left', async () => (await counted(redis)).length === 0);
  });

  test('with scope: instance each has them all', async (t) => {
    const { redis } = await filled(t, [10, 10, 10], { subject: { connections: 10 } });
    assert.deepEqual(await counted(redis), []);
  });

  test('kill -9 of one instance: its counts are gone after their time, the others stay', async (t) => {
    const { redis, gateways, opened } = await filled(t);
    await gateways[0].kill();
    const began = performance.now();
    assert.deepEqual(await handshakes(t, gateways[1], 1), [429]);
    await until('a place to be free', async () => (await handshakes(t, gateways[1], 1, opened[1]))[0] === 101, 20_000 * patience);
    const seconds = (performance.now() - began) / 1_000;
    t.diagnostic(`free after ${seconds.toFixed(1)} s`);
    assert.ok(seconds <= 16, `${seconds} s`);
    assert.deepEqual(await handshakes(t, gateways[2], 4, opened[2]), [101, 101, 101, 429]);
    assert.deepEqual(await counted(redis), [4, 6]);
    for (const peer of [...opened[1], ...opened[2]]) assert.ok(!peer.over);
  });

  test('without Redis each counts for itself; back, they know what all have', async (t) => {
    const { redis, gateways, opened } = await filled(t);
    await redis.kill();
    await Promise.all(gateways.map((gateway) => gateway.logged('redis_away', ({ event }) => event === 'redis_away')));
    assert.deepEqual(await handshakes(t, gateways[0], 7, opened[0]), [...all101(6), 429]);
    await redis.start();
    await until('redis_back', () => gateways.every((one) => countOf(one, 'redis_back') >= 2), 15_000 * patience);
    await until('all counts', async () => (await counted(redis)).join() === [10, 3, 3].sort().join());
    assert.deepEqual(await handshakes(t, gateways[1], 1), [429]);
    for (const peer of opened[0].splice(0, 7)) peer.destroy();
    await until('seven to be gone', async () => (await counted(redis)).join() === '3,3,3');
    assert.deepEqual(await handshakes(t, gateways[2], 2), [101, 429]);
  });

  for (const type of ['normal', 'pubsub']) {
    test(`CLIENT KILL TYPE ${type}: no count is lost, and none is counted twice`, async (t) => {
      const { redis, gateways, opened } = await filled(t);
      await redis.run('CLIENT', 'KILL', 'TYPE', type);
      opened[0].pop().destroy();
      await until('redis_back', () => gateways.every((one) => countOf(one, 'redis_back') >= 2), 15_000 * patience);
      await until('all counts', async () => {
        const numbers = await counted(redis);
        return numbers.join() === '3,3,3' || numbers.join() === '0,3,3,3';
      }, 10_000);
      assert.deepEqual(await handshakes(t, gateways[1], 2), [101, 429]);
    });
  }

  test('FLUSHALL: the instances say again what they have', async (t) => {
    const { redis, gateways } = await filled(t);
    await redis.run('FLUSHALL');
    await until('all counts', async () => (await counted(redis)).join() === '3,3,4', 10_000 * patience);
    assert.deepEqual(await handshakes(t, gateways[1], 1), [429]);
  });

  test('who leaves while Redis is asked gives the place back, and others are not kept waiting', async (t) => {
    const { redis, gateways: [gateway] } = await cluster(t, { count: 1, settings: { timeout: '10s' } });
    redis.child.kill('SIGSTOP');
    atEnd(t, () => redis.child.kill('SIGCONT'));
    const bearer = await token();
    for (let i = 0; i < 9; ++i) {
      const peer = await connect(gateway.port);
      peer.send(upgradeRequest({ fields: { Authorization: `Bearer ${bearer}` } }));
      setTimeout(() => peer.destroy(), 200);
    }
    await sleep(100);
    const began = performance.now();
    assert.deepEqual(await handshakes(t, gateway, 1), [101], 'the last place, by its own count');
    assert.ok(performance.now() - began < 2_500, `${performance.now() - began} ms`);
    redis.child.kill('SIGCONT');
    await until('one to be counted', async () => (await counted(redis)).join() === '1');
    assert.deepEqual(await handshakes(t, gateway, 10), [...all101(9), 429]);
  });

  test('drain while Redis is asked: 503, and the process ends', async (t) => {
    const { redis, gateways: [gateway] } = await cluster(t, { count: 1, settings: { timeout: '10s' } });
    redis.child.kill('SIGSTOP');
    atEnd(t, () => redis.child.kill('SIGCONT'));
    const asked = ask(t, gateway, { token: await token() });
    await sleep(200);
    gateway.signal('SIGTERM');
    assert.equal((await asked).status, 503);
    await within('its end', gateway.ended);
  });

  test('with deploy/redis.acl', async (t) => {
    const options = ['--aclfile', join(root, 'deploy', 'redis.acl')];
    const redis = await startRedis(t, { options });
    const { port } = await wsBackend(t);
    const settings = { url: redis.url('gatehouse:change-me-1@') };
    const subject = { messages: '100/s', connections: 2, scope: 'global' };
    const gateways = [];
    for (let i = 0; i < 2; ++i) gateways.push(await startLimited(t, redis, { port, settings, subject }));
    for (const gateway of gateways) {
      const socket = await openClient(t, gateway);
      socket.send('hello');
      assert.equal(`${await within('an echo', new Promise((resolve) => socket.once('message', resolve)))}`, 'hello');
    }
    assert.deepEqual(await handshakes(t, gateways[0], 1), [429]);
    for (const gateway of gateways) assert.equal(countOf(gateway, 'global_limits_refused'), 0);
    const may = async (...command) => (await redis.run('--user', 'speaker', '--pass', 'change-me-2', '--no-auth-warning', ...command)).out;
    assert.match(await may('GET', 'gatehouse:limit:x'), /NOPERM/);
    assert.match(await may('EVALSHA', 'x', '0'), /NOPERM/);
  });
});
