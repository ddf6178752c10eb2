// CONTRACT section 7, of a Redis that fails while three instances are busy: what each way to fail does,
// and how long it takes until messages flow again. Clients do nothing for it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Flow, away, back, publicationsLost, startInstances } from './harness/instances.mjs';
import { scrape } from './harness/metrics.mjs';
import { countOf, openClient, startInstance, startRedis } from './harness/redis.mjs';
import { patience, until } from './harness/wait.mjs';

const user = ['ACL', 'SETUSER', 'gate', 'on', '>secret', 'allchannels', 'allkeys', 'allcommands'];

// `begin` and `end`: of the outage; without `end` it is over at once. `reason`: as in redis_away.
const outages = {
  'kill -9, and started again': {
    begin: (redis) => redis.kill(), end: (redis) => redis.start(), reason: /connection_lost|cannot_connect/,
  },
  'SIGSTOP for longer than the timeout': {
    begin: (redis) => redis.child.kill('SIGSTOP'), end: (redis) => redis.child.kill('SIGCONT'), reason: /heartbeat_late|no_answer/,
  },
  'CLIENT KILL of what is subscribed': {
    begin: (redis) => redis.run('CLIENT', 'KILL', 'TYPE', 'pubsub'), reason: /connection_lost/,
  },
  'CLIENT KILL of what publishes': {
    begin: (redis) => redis.run('CLIENT', 'KILL', 'TYPE', 'normal'), reason: /connection_lost/,
  },
  'its user taken away, and given back later': {
    prepare: (redis) => redis.run(...user),
    settings: (redis) => ({ url: redis.url('gate:secret@') }),
    begin: (redis) => redis.run('ACL', 'DELUSER', 'gate'), end: (redis) => redis.run(...user), reason: /WRONGPASS/,
  },
};

for (const [name, { prepare, settings, begin, end, reason }] of Object.entries(outages)) {
  test(`${name}, under load`, async (t) => {
    const { redis, gateways } = await startInstances(t, { prepare, settings });
    const flow = await Flow.start(t, gateways);
    await flow.flows();

    const before = flow.reached;
    await begin(redis);
    if (end) {
      await away(gateways, reason);
      // Alone meanwhile, each instance goes on for its own.
      const said = flow.said;
      await until('everybody to hear itself', () => flow.heard.every((speakers, i) => speakers[i].at(-1) > said));
      await end(redis);
    }
    const ms = await flow.flows();
    await back(gateways, 2);
    await away(gateways, reason);
    const after = flow.said;
    await flow.flows();
    await flow.stop();

    const missing = flow.check(before, after);
    for (const [i, gateway] of gateways.entries()) {
      assert.equal(publicationsLost(gateway), flow.lost[i].length);
      assert.equal((await scrape(gateway)).value('gatehouse_redis_publications_lost_total'), flow.lost[i].length);
    }
    t.diagnostic(`messages flow after ${ms} ms; ${flow.lost.flat().length} of ${3 * flow.said} answered as lost, ` +
      `${missing} of ${9 * flow.said} deliveries not made`);
  });
}

// One client on each instance.
async function inRoom(t, gateways, room) {
  const clients = await Promise.all(gateways.map((gateway) => openClient(t, gateway, 'member')));
  for (const client of clients) await client.join(room);
  return clients;
}

test('many rooms are subscribed again, in more than one batch', async (t) => {
  const rooms = 2_500;
  const { redis, gateways } = await startInstances(t, { route: { limits: { rooms_per_connection: rooms } } });
  const flow = await Flow.start(t, gateways);
  const many = await Promise.all(gateways.map((gateway) => openClient(t, gateway, 'many')));
  for (let i = 0; i < rooms; ++i) for (const client of many) client.say({ type: 'join', room: `r${i}` });
  const answered = () => many.every(({ heard }) => heard.length === rooms);
  await until('all to be joined', answered, 20_000 * patience);
  for (const client of many) assert.ok(client.heard.splice(0).every(({ type }) => type === 'joined'));

  await redis.kill();
  await away(gateways);
  await redis.start();
  const ms = await flow.flows();
  await back(gateways, 2);
  assert.equal((await redis.channels()).length, rooms + 1);
  for (let i = 0; i < rooms; ++i) many[i % 3].publish(`r${i}`, i);
  await until('all to be heard by all', answered, 20_000 * patience);
  const inOrder = (client) => client.heard.map(({ payload }) => payload).sort((x, y) => x - y);
  for (const client of many) assert.deepEqual(inOrder(client), Array.from({ length: rooms }, (_, i) => i));
  t.diagnostic(`messages flow after ${ms} ms, each instance in ${rooms} rooms`);
});

test('not there at the start: all instances are whole as soon as it is', async (t) => {
  const redis = await startRedis(t, { started: false });
  const gateways = await Promise.all([0, 1, 2].map(() => startInstance(t, redis, {}, { back: false })));
  await away(gateways, /^cannot_connect$/);
  await redis.start();
  const began = performance.now();
  await back(gateways, 1);
  t.diagnostic(`they are back after ${Math.round(performance.now() - began)} ms`);
  const flow = await Flow.start(t, gateways);
  await flow.flows();
  await flow.stop();
  assert.equal(flow.check(0, 0), 0);
});

test('FLUSHALL disturbs no room', async (t) => {
  const { redis, gateways } = await startInstances(t);
  const flow = await Flow.start(t, gateways);
  await flow.flows();
  for (let i = 0; i < 10; ++i) {
    assert.equal((await redis.run('FLUSHALL')).out, 'OK');
    await flow.flows();
  }
  await flow.stop();
  assert.equal(flow.check(0, 0), 0);
  for (const gateway of gateways) assert.equal(countOf(gateway, 'redis_away'), 0);
});

test('a password that is wrong at the start is tried again until it is right', async (t) => {
  const { redis, gateways } = await startInstances(t, { prepare: (redis) => redis.run(...user) });
  const late = await startInstance(t, redis, { url: redis.url('gate:changed@') }, { back: false });
  await away([late], /^WRONGPASS$/);
  await redis.run('ACL', 'SETUSER', 'gate', '>changed');
  const began = performance.now();
  await back([late], 1);
  t.diagnostic(`it is in after ${Math.round(performance.now() - began)} ms`);
  const flow = await Flow.start(t, [...gateways.slice(0, 2), late]);
  await flow.flows();
});

describe('its limit for what a subscriber has not read', () => {
  const cutOff = (redis) => redis.log.match(/closed ASAP for overcoming of output buffer limits/g)?.length ?? 0;

  const long = (kib) => ({ type: 'message', room: 'long', payload: 'x'.repeat(kib * 1024) });

  test('an instance that does not read is cut off, and is whole again when it does; others notice nothing', async (t) => {
    const { redis, gateways } = await startInstances(t, { options: ['--client-output-buffer-limit', 'pubsub 1mb 0 0'] });
    const flow = await Flow.start(t, gateways);
    const [speaker, , hearer] = await inRoom(t, gateways, 'long');
    const before = flow.reached;
    gateways[2].child.kill('SIGSTOP');
    // What it has not read fills both sockets first.
    for (let i = 0; i < 200 && cutOff(redis) === 0; ++i) {
      speaker.say(long(256));
      await speaker.next();
    }
    assert.equal(cutOff(redis), 1);
    gateways[2].child.kill('SIGCONT');
    const ms = await flow.flows();
    await back(gateways.slice(2), 2);
    const after = flow.said;
    await flow.flows();
    await flow.stop();

    t.diagnostic(`messages flow after ${ms} ms; ${flow.check(before, after)} deliveries not made`);
    for (const gateway of gateways.slice(0, 2)) assert.equal(countOf(gateway, 'redis_away'), 0);
    for (const hearer of [0, 1]) for (const speaker of [0, 1]) assert.equal(flow.heard[hearer][speaker].length, flow.said);
    assert.equal(publicationsLost(gateways[2]), flow.lost[2].length);
    assert.equal(hearer.closed, null);
  });

  test('a message that is longer cuts off all of them, and they come back', async (t) => {
    const { redis, gateways } = await startInstances(t, { options: ['--client-output-buffer-limit', 'pubsub 100kb 0 0'] });
    const flow = await Flow.start(t, gateways);
    const [speaker] = await inRoom(t, gateways, 'long');
    const before = flow.reached;
    speaker.say(long(512));
    await away(gateways);
    const ms = await flow.flows();
    await back(gateways, 2);
    assert.equal(cutOff(redis), 3);
    await flow.stop();
    t.diagnostic(`messages flow after ${ms} ms; ${flow.check(before, flow.said)} deliveries not made`);
  });
});
