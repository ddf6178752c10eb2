// CONTRACT section 2, `once: true`: a jti opens one connection only, over two instances and a real Redis,
// and on one instance without.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { wsBackend } from './harness/backends.mjs';
import { startGateway, users } from './harness/gateway.mjs';
import { opened, statuses } from './harness/opening.mjs';
import { startRedis } from './harness/redis.mjs';
import { now, remember, token } from './harness/tokens.mjs';
import { until } from './harness/wait.mjs';

const rooms = { messages: 'rooms', rooms: [{ match: '*', join: 'everyone' }] };
const once = (more = {}) => {
  const made = users(more);
  return { users: { ...made, jwt: { ...made.jwt, once: true } } };
};

let made = 0;
const jti = () => remember(`a-token-id-of-the-tests-${process.pid}-${++made}`);

async function startOne(t, { redis, credentials, ...more } = {}) {
  const { port } = await wsBackend(t);
  const gateway = await startGateway(t, {
    workers: 2, backend: port, authenticators: once(credentials && { credentials }),
    ...(redis ? { redis: { url: redis.url(), timeout: '1s' } } : {}), ...more,
  });
  if (redis) await gateway.logged('redis_back', ({ event }) => event === 'redis_back');
  return gateway;
}
const refused = (gateway, reason) => gateway.logged(reason, (line) => line.event === 'connection_refused' && line.reason === reason);
const bearer = (text) => ({ Authorization: `Bearer ${text}` });

describe('a token that opens one connection only', () => {
  test('of 100 handshakes with it at once over two instances one succeeds', async (t) => {
    const redis = await startRedis(t);
    const gateways = [await startOne(t, { redis }), await startOne(t, { redis })];
    const id = jti();
    const headers = bearer(await token({ jti: id }));
    const all = await statuses(t, Array.from({ length: 100 }, (_, i) => gateways[i % 2].url()), headers);
    assert.deepEqual([...all].sort(), [101, ...Array(99).fill(401)]);
    // Another one of the same person opens another.
    assert.deepEqual(await statuses(t, [gateways[0].url()], bearer(await token({ jti: jti() }))), [101]);
    for (const gateway of gateways) await refused(gateway, 'token_used');
    const keys = (await redis.run('KEYS', 'gatehouse:once:*')).out.split('\n');
    assert.equal(keys.length, 2);
    for (const key of keys) {
      assert.match(key, /^gatehouse:once:[A-Za-z0-9_-]{43}$/);
      const left = Number((await redis.run('PTTL', key)).out);
      assert.ok(left > 1_200_000 && left <= 1_291_000, `${left} ms: its end, leeway, ten minutes and one`);
      assert.equal((await redis.run('GET', key)).out, '');
    }
  });

  test('on one instance without Redis one of 100 succeeds, whichever worker they come to', async (t) => {
    const gateway = await startOne(t);
    const headers = bearer(await token({ jti: jti() }));
    const all = await statuses(t, Array(100).fill(gateway.url()), headers);
    assert.deepEqual([...all].sort(), [101, ...Array(99).fill(401)]);
  });

  test('without a jti it is refused; a 403, a 429 and a first message that is refused cost nobody his token', async (t) => {
    const gateway = await startOne(t, {
      credentials: [{ header: 'Authorization' }, { first_message: '5s' }],
      route: { allow: { claim: 'plan', equals: 'pro' }, limits: { subject: { connections: 1 } } },
    });
    assert.deepEqual(await statuses(t, [gateway.url()], bearer(await token({ plan: 'pro' }))), [401]);
    await refused(gateway, 'missing_token_id');
    const id = jti();
    assert.deepEqual(await statuses(t, [gateway.url()], bearer(await token({ jti: id, plan: 'free' }))), [403]);
    const [socket] = await opened(t, [gateway.url()], bearer(await token({ jti: id, plan: 'pro' })));
    const second = await token({ jti: jti(), plan: 'pro' });
    assert.deepEqual(await statuses(t, [gateway.url()], bearer(second)), [429]);
    socket.terminate();
    // In a first message: the same token, now that there is room; and then no more.
    const say = JSON.stringify({ type: 'auth', token: second });
    const open = async () => {
      const [one] = await opened(t, [gateway.url()], {});
      const closed = new Promise((resolve) => one.once('close', resolve));
      const heard = new Promise((resolve) => one.on('message', (text) => String(text) === 'echo' && resolve('echo')));
      one.send(say);
      one.send('echo');
      return { one, outcome: await Promise.race([closed, heard]) };
    };
    await until('the place to be free', async () => {
      const { one, outcome } = await open();
      one.terminate();
      return outcome !== 4429 && assert.equal(outcome, 'echo') === undefined;
    });
    await until('the second use to be refused', async () => {
      const { one, outcome } = await open();
      one.terminate();
      return outcome !== 4429 && assert.equal(outcome, 4401) === undefined;
    });
  });

  test('while Redis is away nobody gets in, and all are told to come back', async (t) => {
    const redis = await startRedis(t);
    const gateway = await startOne(t, { redis });
    await redis.kill();
    await gateway.logged('redis_away', ({ event }) => event === 'redis_away');
    const headers = bearer(await token({ jti: jti() }));
    const [answer] = await statuses(t, [gateway.url()], headers, ({ statusCode, headers: fields }) =>
      [statusCode, Number(fields['retry-after']) > 0]);
    assert.deepEqual(answer, [503, true]);
    await refused(gateway, 'single_use_unknown');
    await redis.start();
    await gateway.logged('redis_back', () => gateway.log.filter(({ event }) => event === 'redis_back').length > 1);
    assert.deepEqual(await statuses(t, [gateway.url(), gateway.url()], headers).then((all) => all.sort()), [101, 401]);
  });

  test('a Redis that does not answer lets nobody in', async (t) => {
    const redis = await startRedis(t);
    const gateway = await startOne(t, { redis, handshake_timeout: '500ms' });
    redis.child.kill('SIGSTOP');
    assert.deepEqual(await statuses(t, [gateway.url()], bearer(await token({ jti: jti() }))), [503]);
    redis.child.kill('SIGCONT');
  });

  test('a refresh is a use: its own token and a used one are refused, a fresh one is taken and then used', async (t) => {
    const redis = await startRedis(t);
    const gateway = await startOne(t, { redis, route: rooms });
    const first = await token({ jti: jti() });
    const [socket] = await opened(t, [gateway.url()], bearer(first));
    const ask = async (text) => {
      const answer = new Promise((resolve) => socket.once('message', (json) => resolve(JSON.parse(json))));
      socket.send(JSON.stringify({ type: 'refresh', token: text }));
      return answer;
    };
    assert.equal((await ask(first)).code, 'invalid_token');
    const fresh = await token({ jti: jti(), exp: Math.floor(now()) + 900 });
    assert.equal((await ask(fresh)).type, 'refreshed');
    assert.equal((await ask(fresh)).code, 'invalid_token');
    assert.deepEqual(await statuses(t, [gateway.url()], bearer(fresh)), [401]);
    await redis.kill();
    await gateway.logged('redis_away', ({ event }) => event === 'redis_away');
    assert.equal((await ask(await token({ jti: jti() }))).code, 'unavailable');
    assert.equal(socket.readyState, 1);
  });
});
