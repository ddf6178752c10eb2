// CONTRACT section 7 and SECURITY 23: rooms over three instances and a real Redis, which is killed,
// stopped, wrong and not there.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { join } from 'node:path';
import { refused } from './harness/gateway.mjs';
import { scrape } from './harness/metrics.mjs';
import { countOf, openClient, startInstance, startRedis } from './harness/redis.mjs';
import { root } from './harness/output.mjs';
import { token } from './harness/tokens.mjs';
import { patience, sleep, until } from './harness/wait.mjs';

const heard = (room, from, payload) => ({ type: 'message', room, from, payload });
const unavailable = (room, id) => ({
  type: 'error', code: 'unavailable', message: 'Unavailable, try again later', room, ...(id && { id }),
});

async function cluster(t, settings) {
  const redis = await startRedis(t);
  const gateways = [];
  for (let i = 0; i < 3; ++i) gateways.push(await startInstance(t, redis, settings));
  const clients = await Promise.all(gateways.map((gateway, i) => openClient(t, gateway, `user${i}`)));
  return { redis, gateways, clients };
}

async function away(gateways, reason) {
  for (const gateway of gateways) {
    await gateway.logged('redis_away', (line) => line.event === 'redis_away' && (!reason || reason.test(line.reason)),
      10_000 * patience);
  }
}

// All of them, `times` since they started.
async function back(gateways, times) {
  await until('redis_back', () => gateways.every((one) => countOf(one, 'redis_back') >= times), 15_000 * patience);
}

async function allHear(members, room, sender, from, payload) {
  sender.publish(room, payload);
  for (const member of members) await member.expect(heard(room, from, payload));
}

describe('rooms over three instances', () => {
  test('a room has one order for all members, the senders too', async (t) => {
    const { clients } = await cluster(t);
    for (const client of clients) await client.join('order');
    for (let i = 0; i < 100; ++i) for (const client of clients) client.publish('order', i);
    await until('300 messages everywhere', () => clients.every((client) => client.heard.length === 300));
    for (const client of clients) assert.deepEqual(client.heard, clients[0].heard);
    for (const from of ['user0', 'user1', 'user2']) {
      assert.deepEqual(clients[0].heard.filter((one) => one.from === from).map((one) => one.payload),
        Array.from({ length: 100 }, (_, i) => i));
    }
  });

  test('an instance subscribes to rooms with members on it, and to no other', async (t) => {
    const { redis, clients: [a, b, c] } = await cluster(t);
    await a.join('both');
    await b.join('both');
    await b.join('second');
    assert.deepEqual(await redis.channels(), ['gatehouse:room:both', 'gatehouse:room:second']);
    const subscribers = (await redis.run('PUBSUB', 'NUMSUB', 'gatehouse:room:both', 'gatehouse:room:second')).out;
    assert.deepEqual(subscribers.split('\n').filter((_, i) => i % 2), ['2', '1']);
    a.say({ type: 'leave', room: 'both' });
    b.socket.close();
    await until('nobody to be subscribed', async () => (await redis.channels()).length === 0);
    await c.expectSilence();
  });

  test('any service may speak in a room', async (t) => {
    const { redis, clients: [a, , c] } = await cluster(t);
    await a.join('news');
    await c.join('news');
    const text = { type: 'message', room: 'news', from: 'cron', payload: { hi: 'é' } };
    assert.equal((await redis.run('PUBLISH', 'gatehouse:room:news', JSON.stringify(text))).out, '2');
    await a.expect(text);
    await c.expect(text);
  });

  test('what is no message of the channel\'s own room nobody hears, and is counted (SECURITY 23)', async (t) => {
    const { redis, gateways, clients: [a, b] } = await cluster(t);
    await a.join('news');
    await b.join('other');
    const good = { type: 'message', room: 'news', payload: 1 };
    const texts = [
      JSON.stringify({ ...good, room: 'other' }), JSON.stringify({ type: 'left', room: 'news' }),
      JSON.stringify({ type: 'error', room: 'news' }), JSON.stringify({ room: 'news', payload: 1 }),
      '{"type":"message","room":"other","room":"news","payload":1}', `[${JSON.stringify(good)}]`,
      `${JSON.stringify(good)} x`, 'rubbish', '', `${'['.repeat(10_000)}`,
    ];
    for (const text of texts) await redis.run('PUBLISH', 'gatehouse:room:news', text);
    const around = JSON.stringify({ ...good, payload: '' }).length;
    // A payload of so many octets that are `octet`.
    const speak = (octet, times) => redis.run('EVAL',
      `redis.call('PUBLISH', KEYS[1], '{"type":"message","room":"news","payload":"' .. string.rep(string.char(ARGV[1]), ARGV[2]) .. '"}')`,
      '1', 'gatehouse:room:news', `${octet}`, `${times}`);
    const payloads = [[0xff, 1], [0x00, 1], [0x78, 2 * 1024 * 1024], [0x78, 1024 * 1024 - around + 1]];
    for (const payload of payloads) await speak(...payload);
    for (const channel of await redis.channels('*heartbeat*')) {
      for (const text of ['rubbish', '', '9', JSON.stringify(good)]) await redis.run('PUBLISH', channel, text);
    }
    await a.expectSilence();
    await b.expectSilence();
    await redis.run('PUBLISH', 'gatehouse:room:news', JSON.stringify(good));
    await a.expect(good);
    await speak(0x78, 1024 * 1024 - around);
    assert.equal((await a.next()).payload.length, 1024 * 1024 - around);
    // Of the three only the first has members there.
    const counted = [texts.length + payloads.length, 0, 0];
    for (const [i, gateway] of gateways.entries()) {
      assert.equal((await scrape(gateway)).value('gatehouse_redis_messages_invalid_total'), counted[i]);
      assert.equal(countOf(gateway, 'redis_away'), 0);
    }
  });

  test('what would be too long for the others is answered, not lost', async (t) => {
    const { clients: [a, b] } = await cluster(t);
    await a.join('r');
    await b.join('r');
    // As long as a message may be, and members would get it with a `from`.
    const empty = JSON.stringify({ type: 'message', room: 'r', payload: '' });
    a.say({ type: 'message', room: 'r', payload: 'x'.repeat(1024 * 1024 - empty.length) });
    await a.expect(unavailable('r'));
    await allHear([a, b], 'r', a, 'user0', 1);
  });
});

describe('a Redis that goes', () => {
  test('kill -9, and back: subscribed again without a client doing anything', async (t) => {
    const { redis, gateways, clients } = await cluster(t);
    for (const client of clients) await client.join('r');
    await redis.kill();
    await away(gateways);
    await allHear([clients[0]], 'r', clients[0], 'user0', 'alone');
    await clients[1].join('new');
    await redis.start();
    const began = Date.now();
    await back(gateways, 2);
    t.diagnostic(`messages flow ${Date.now() - began} ms after Redis is back`);
    assert.deepEqual(await redis.channels(), ['gatehouse:room:new', 'gatehouse:room:r']);
    await clients[2].join('new');
    await allHear(clients, 'r', clients[2], 'user2', 'together');
    await allHear([clients[1], clients[2]], 'new', clients[2], 'user2', 'too');
    for (const client of clients) assert.equal(client.closed, null);
  });

  test('killed under load: what it had not answered is told as lost, and none is heard twice', async (t) => {
    const { redis, gateways, clients: [a, b] } = await cluster(t);
    await a.join('r');
    await b.join('r');
    const sent = 5_000;
    for (let i = 1; i <= sent; ++i) {
      a.publish('r', i);
      if (i === sent / 2) await redis.kill();
      if (i % 100 === 0) await sleep(1);
    }
    const heard = (client) => client.heard.filter((one) => one.type === 'message').map((one) => one.payload);
    const inOrder = (numbers) => [...new Set(numbers)].sort((x, y) => x - y);
    await until('the last one', () => heard(a).includes(sent), 10_000 * patience);
    const lost = a.heard.filter((one) => one.type === 'error').map((one) => one.id);
    assert.deepEqual(heard(a), inOrder(heard(a)), 'in order, none twice');
    assert.deepEqual(heard(b), inOrder(heard(b)), 'in order, none twice');
    assert.deepEqual(lost, inOrder(lost), 'told once each');
    // What it had answered and not handed out yet died with it; all that came later has an end.
    const ended = new Set([...heard(a), ...lost]);
    for (let i = lost[0] ?? sent; i <= sent; ++i) assert.ok(ended.has(i), `${i} has no end`);
    await redis.start();
    await back(gateways.slice(0, 1), 2);
    const line = gateways[0].log.filter(({ event }) => event === 'redis_back').at(-1);
    assert.equal(line.publications_lost, lost.length);
    t.diagnostic(`${lost.length} of ${sent} were lost and answered, ${sent - ended.size} died with it`);
  });

  test('refuse: joins and publications are answered, connections and memberships stay', async (t) => {
    const { redis, gateways, clients } = await cluster(t, { when_down: 'refuse' });
    for (const client of clients) await client.join('r');
    await redis.kill();
    await away(gateways);
    clients[0].publish('r', 7);
    await clients[0].expect(unavailable('r', 7));
    clients[1].say({ type: 'join', room: 'new', id: 1 });
    await clients[1].expect(unavailable('new', 1));
    await redis.start();
    await back(gateways, 2);
    await allHear(clients, 'r', clients[2], 'user2', 'together');
    await clients[1].join('new');
  });

  test('a join that waits when Redis falls silent is answered', async (t) => {
    for (const when_down of ['local', 'refuse']) {
      const redis = await startRedis(t);
      const gateway = await startInstance(t, redis, { when_down });
      const client = await openClient(t, gateway, 'user');
      redis.child.kill('SIGSTOP');
      client.say({ type: 'join', room: 'r', id: 1 });
      await client.expect(when_down === 'local' ? { type: 'joined', room: 'r', id: 1 } : unavailable('r', 1));
      redis.child.kill('SIGCONT');
      await back([gateway], 2);
    }
  });
});

describe('a Redis that is not there at the start', () => {
  for (const when_down of ['local', 'refuse']) {
    test(`${when_down}: the process starts, lets nobody in, and is whole once Redis is there`, async (t) => {
      const redis = await startRedis(t, { started: false });
      const gateways = [];
      for (let i = 0; i < 2; ++i) gateways.push(await startInstance(t, redis, { when_down }, { back: false }));
      await away(gateways, /^cannot_connect$/);
      for (const gateway of gateways) assert.equal((await refused(t, gateway, { token: await token() })).status, 503);
      await redis.start();
      await back(gateways, 1);
      const a = await openClient(t, gateways[0], 'a');
      const b = await openClient(t, gateways[1], 'b');
      for (const client of [a, b]) await client.join('r');
      await allHear([a, b], 'r', b, 'b', 'together');
    });
  }
});

describe('how it gets in', () => {
  const password = 'the password of the tests';
  const login = (text) => `${encodeURIComponent(text)}`;

  test('with a password, and a wrong one is a reason and not in the log', async (t) => {
    const redis = await startRedis(t, { options: ['--requirepass', password] });
    await startInstance(t, redis, { url: redis.url(`:${login(password)}@`) });
    const wrong = await startInstance(t, redis, { url: redis.url(`:${login('another password')}@`) }, { back: false });
    await away([wrong], /^WRONGPASS$/);
    const without = await startInstance(t, redis, {}, { back: false });
    await away([without], /^NOAUTH$/);
    assert.doesNotMatch(wrong.output, /another/);
    for (const gateway of [wrong, without]) {
      assert.equal((await refused(t, gateway, { token: await token() })).status, 503);
    }
  });

  test('as a user whose channels are limited: a room that Redis refuses is answered', async (t) => {
    const redis = await startRedis(t);
    await redis.run('ACL', 'SETUSER', 'gate', 'on', '>secret', 'resetchannels', '&gatehouse:heartbeat:*',
      '&gatehouse:control', '&gatehouse:room:open-*', '~gatehouse:revocations', '+ping', '+subscribe', '+unsubscribe', '+publish',
      '+eval', '+zadd', '+zrem', '+zscan', '+zcount', '+zremrangebyscore');
    const gateway = await startInstance(t, redis, { url: redis.url('gate:secret@') });
    const client = await openClient(t, gateway, 'user');
    client.say({ type: 'join', room: 'closed', id: 1 });
    await client.expect(unavailable('closed', 1));
    await client.join('open-1');
    await allHear([client], 'open-1', client, 'user', 1);
    assert.equal(countOf(gateway, 'redis_away'), 0);
  });

  test('with deploy/redis.acl: the gateway as one user, and as another who may only speak in rooms', async (t) => {
    const redis = await startRedis(t, { options: ['--aclfile', join(root, 'deploy', 'redis.acl')] });
    const gateway = await startInstance(t, redis, { url: redis.url('gatehouse:change-me-1@') });
    const client = await openClient(t, gateway, 'user');
    await client.join('r');
    await allHear([client], 'r', client, 'user', 1);
    const speak = async (channel) => (await redis.run('--user', 'speaker', '--pass', 'change-me-2', '--no-auth-warning',
      'PUBLISH', channel, '{"type":"message","room":"r"}')).out;
    assert.equal(await speak('gatehouse:room:r'), '1');
    await client.expect({ type: 'message', room: 'r' });
    assert.match(await speak('gatehouse:control'), /NOPERM/);
  });

  test('over a Unix socket, and by a name', async (t) => {
    const redis = await startRedis(t);
    const unix = await startInstance(t, redis, { url: `unix://${redis.unixPath}` });
    const named = await startInstance(t, redis, { url: `redis://localhost:${redis.port}` });
    const a = await openClient(t, unix, 'a');
    const b = await openClient(t, named, 'b');
    for (const client of [a, b]) await client.join('r');
    await allHear([a, b], 'r', a, 'a', 1);
  });

  test('what listens there and is no Redis is a reason, and ends nothing', async (t) => {
    const redis = await startRedis(t, { started: false });
    const http = await import('node:http');
    const server = http.createServer((_, response) => response.end());
    await new Promise((resolve) => server.listen(redis.port, '127.0.0.1', resolve));
    const gateway = await startInstance(t, redis, {}, { back: false });
    await away([gateway], /bad_reply/);
    server.close();
    server.closeAllConnections();
  });
});
