// CONTRACT section 7: rooms over three instances and a real Redis, which is there all the time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wsBackend } from './harness/backends.mjs';
import { Flow, back, startInstances } from './harness/instances.mjs';
import { countOf, openClient, startInstance, startRedis } from './harness/redis.mjs';
import { message, open, roomClient, startRooms } from './harness/rooms.mjs';
import { startSlowLink } from './harness/slow_link.mjs';
import { until } from './harness/wait.mjs';

const sanitized = Boolean(process.env.GATEHOUSE_SANITIZED);

test('who is told that it joined misses nothing that is published from then on', async (t) => {
  const { redis, gateways } = await startInstances(t);
  // From here a SUBSCRIBE reaches Redis later than what others publish: only who waits for the answer to
  // it misses nothing.
  const distant = await startInstance(t, redis, { url: `redis://127.0.0.1:${await startSlowLink(t, redis.port, 4)}` });
  const pairs = 60;
  const rounds = Math.ceil((sanitized ? 1_000 : 10_000) / pairs);
  let received = 0;
  // `a` comes and goes, `b` is in the room and speaks in the moment in which `a` is told that it is, too.
  // Every other time it is a room that no instance has been in.
  await Promise.all(Array.from({ length: pairs }, async (_, pair) => {
    const a = await openClient(t, pair % 3 ? distant : gateways[0], 'a');
    const b = await openClient(t, gateways[1 + pair % 2], 'b');
    await b.join(`room ${pair}`);
    for (let i = 0; i < rounds; ++i) {
      const room = `room ${pair}${i % 2 ? `, ${i}` : ''}`;
      if (i % 2) await b.join(room);
      await a.join(room);
      b.publish(room, i);
      for (const client of [a, b]) await client.expect({ type: 'message', room, from: 'b', payload: i });
      ++received;
      for (const client of i % 2 ? [a, b] : [a]) {
        client.say({ type: 'leave', room });
        await client.expect({ type: 'left', room });
      }
    }
  }));
  assert.equal(received, pairs * rounds);
  t.diagnostic(`${received} joins`);
});

test('an instance gets nothing from Redis of rooms without members on it', async (t) => {
  const { redis, gateways } = await startInstances(t);
  const [a, b, c] = await Promise.all(gateways.map((gateway, i) => openClient(t, gateway, `user${i}`)));
  for (const client of [a, b]) await client.join('r');
  // It was in it once, and is not any more.
  await c.join('r');
  c.say({ type: 'leave', room: 'r' });
  await c.expect({ type: 'left', room: 'r' });
  await until('two to be subscribed', async () =>
    (await redis.run('PUBSUB', 'NUMSUB', 'gatehouse:room:r')).out.endsWith('\n2'));

  const sent = async () => Number(/total_net_output_bytes:(\d+)/.exec((await redis.run('INFO', 'stats')).out)[1]);
  const [times, octets, before] = [1_000, 4_096, await sent()];
  for (let i = 0; i < times; ++i) {
    a.say({ type: 'message', room: 'r', payload: 'x'.repeat(octets) });
    for (const client of [a, b]) assert.equal((await client.next()).payload.length, octets);
  }
  const copies = (await sent() - before) / (times * octets);
  assert.ok(copies > 2 && copies < 2.5, `${copies} copies of each publication left Redis`);
  // Each has one connection that is subscribed: to its own heartbeat, to what all are
  // told of revocations, and to `r` where members are.
  const { out } = await redis.run('CLIENT', 'LIST', 'TYPE', 'pubsub');
  assert.deepEqual([...out.matchAll(/ sub=(\d+) psub=0 /g)].map(([, channels]) => channels).sort(), ['2', '3', '3']);
  await c.expectSilence();
});

// With routes of the test's own; all are back.
async function startRoomInstances(t, policy) {
  const redis = { url: (await startRedis(t)).url() };
  const gateways = await Promise.all([0, 1, 2].map(() => startRooms(t, { ...policy, workers: 2, redis })));
  await back(gateways, 1);
  return gateways;
}

test('what a backend says to a room reaches the members on every instance, as a message of nobody', async (t) => {
  const backend = await wsBackend(t, { behave: () => {} });
  const gateways = await startRoomInstances(t, {
    backend: backend.port, rooms: [open('lobby')], route: { backend_broadcast: true, deliver: 'both' },
  });
  const clients = await Promise.all(gateways.map((gateway, i) => roomClient(t, gateway, `user-${i}`)));
  for (const client of clients.slice(1)) await client.join('lobby');
  for (const [i, socket] of backend.sockets.entries()) {
    socket.send(JSON.stringify({ type: 'broadcast', room: 'lobby', from: 'mallory', payload: i }));
  }
  for (const client of clients.slice(1)) {
    await until('all of them', () => client.inbox.length === 3);
    const inAnyOrder = client.inbox.splice(0).sort((x, y) => x.payload - y.payload);
    assert.deepEqual(inAnyOrder, [0, 1, 2].map((i) => ({ type: 'message', room: 'lobby', payload: i })));
  }
  clients[1].say(message('lobby', 'hi'));
  for (const client of clients.slice(1)) await client.expect(message('lobby', 'hi', { from: 'user-1' }));
  assert.deepEqual(clients[0].inbox, [], 'it is no member');
});

test('a room of one space is another room than that of another, on every instance', async (t) => {
  const spaces = ['', 'a', 'b'];
  const gateways = await startRoomInstances(t, {
    routes: spaces.map((room_space) => ({ path: `/${room_space}`, authenticate: ['users'], rooms: [open('*')], room_space })),
  });
  const clients = [];
  for (const space of spaces) {
    for (const [i, gateway] of gateways.entries()) {
      clients.push(await roomClient(t, gateway, `${space}-${i}`, { target: `/${space}` }));
      // The second is what the first is called in Redis.
      await clients.at(-1).join('lobby', 'space:a:room:lobby');
    }
  }
  for (const client of clients) client.say(message('lobby', client.id));
  for (const client of clients) {
    const [space] = client.id.split('-');
    await until('those of its space', () => client.inbox.length === 3);
    const heard = client.inbox.splice(0).sort((x, y) => (x.from < y.from ? -1 : 1));
    const its = [0, 1, 2].map((i) => `${space}-${i}`);
    assert.deepEqual(heard, its.map((id) => message('lobby', id, { from: id })));
    assert.deepEqual(await client.before(), []);
  }
});

test('kill -9 of an instance disturbs no other, and another one takes its place', async (t) => {
  const { redis, gateways: [a, b, killed] } = await startInstances(t);
  const flow = await Flow.start(t, [a, b]);
  const alone = await openClient(t, killed, 'alone');
  for (const room of [Flow.room, 'its own']) await alone.join(room);
  await flow.flows();
  await killed.kill();
  await until('its client to be cut off', () => alone.closed);
  await flow.flows();
  await until('its rooms to be gone', async () => (await redis.channels()).length === 1);

  const third = await startInstance(t, redis);
  const late = await openClient(t, third, 'late');
  await late.join(Flow.room);
  await flow.flows();
  await flow.stop();
  assert.equal(flow.check(0, 0), 0);
  assert.deepEqual(flow.lost.flat(), []);
  for (const gateway of [a, b]) assert.equal(countOf(gateway, 'redis_away'), 0);
  const heardOf = (name) => late.heard.filter(({ from }) => from === name).map(({ payload }) => payload);
  for (const name of ['user0', 'user1']) {
    await until(`the last of ${name}`, () => heardOf(name).at(-1) === flow.said);
    assert.equal(heardOf(name).length, flow.said - heardOf(name)[0] + 1, 'no gap since it joined');
  }
});
