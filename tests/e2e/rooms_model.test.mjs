// Any mix of joins, leaves, publications, refusals and disconnects, over four workers and over three
// instances that share a Redis, against a model: members get exactly the messages of the rooms that they
// were in, in one order, none twice.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { back } from './harness/instances.mjs';
import { numbers } from './harness/random.mjs';
import { startRedis } from './harness/redis.mjs';
import { error, joined, roomClient, startRooms } from './harness/rooms.mjs';
import { startSlowLink } from './harness/slow_link.mjs';
import { until } from './harness/wait.mjs';

const users = 20;
const steps = 200;      // of each user
const stretch = 12;     // at most so many steps are under way before a user waits for its answers
const subjects = (which) => Array.from({ length: users }, (_, i) => `user-${i}`).filter((_, i) => which(i));

// What each room allows, as the policy says it and as the model knows it.
const rules = {
  'open-1': { join: () => true, publish: () => true },
  'open-2': { join: () => true, publish: () => true },
  'even-speak': { join: () => true, publish: (i) => i % 2 === 0 },
  'thirds-hear': { join: (i) => i % 3 === 0, publish: (i) => i % 3 === 0 },
  'silent': { join: () => true, publish: () => false },
  'closed': { join: () => false, publish: () => false },
  'unheard': { join: () => false, publish: () => true },
};
const names = Object.keys(rules);
const condition = (which) => ({ subjects: ['observer', ...subjects(which)] });
const policyRooms = names.filter((name) => name !== 'closed').map((match) => (
  { match, join: condition(rules[match].join), publish: condition(rules[match].publish) }));

// One connection of a user, and what the model expects of it. `rooms`: where it is, and its own messages
// there. `intervals`: for each time in a room, what it heard of it there, and how many accepted messages
// had been sent in all when `joined` came.
class Connection {
  constructor(client, i, world) {
    Object.assign(this, { client, i, world, rooms: new Map(), expected: [], answers: [], intervals: [], current: new Map() });
    client.socket.on('message', (payload) => this.hear(JSON.parse(payload.toString())));
  }

  hear(got) {
    if (got.type === 'message') {
      const interval = this.current.get(got.room);
      assert.ok(interval, `${this.client.id} heard ${got.payload} of ${got.room}, and is not in it`);
      interval.heard.push(got);
      return;
    }
    this.answers.push(got);
    if (got.type === 'joined' && !this.current.has(got.room)) {
      const interval = { room: got.room, heard: [], sentBefore: this.world.sent };
      this.current.set(got.room, interval);
      this.intervals.push(interval);
    }
    if (got.type === 'left') this.current.delete(got.room);
  }

  ask(type, room, payload) {
    const id = `${this.client.id}/${this.expected.length}`;
    this.client.say({ type, room, id, ...(payload && { payload }) });
    return id;
  }

  join(room) {
    const id = this.ask('join', room);
    const allowed = rules[room].join(this.i);
    this.expected.push(allowed ? joined(room, { id }) : error('access_denied', { room, id }));
    if (allowed && !this.rooms.has(room)) this.rooms.set(room, []);
  }

  leave(room) {
    this.expected.push({ type: 'left', room, id: this.ask('leave', room) });
    this.rooms.delete(room);
  }

  publish(room) {
    const allowed = rules[room].publish(this.i);
    const accepted = allowed && this.rooms.has(room);
    const payload = `${this.client.id} ${++this.world.published}`;
    const id = this.ask('message', room, payload);
    if (accepted) {
      this.world.accepted.set(payload, { room, number: this.world.sent++ });
      this.rooms.get(room).push(payload);
    } else {
      this.expected.push(error(allowed ? 'not_a_member' : 'access_denied', { room, id }));
    }
  }

  async settle() {
    await until(`the answers for ${this.client.id}`, () => this.answers.length >= this.expected.length);
    assert.deepEqual(this.answers, this.expected);
  }
}

// A user's life: connections, one after the other, each to any of the gateways.
async function live(t, gateways, i, random, world) {
  const connect = async () => {
    const gateway = gateways[random(gateways.length)];
    const connection = new Connection(await roomClient(t, gateway, `user-${i}`), i, world);
    world.connections.push(connection);
    return connection;
  };
  let connection = await connect();
  for (let step = 0; step < steps; ++step) {
    const kind = random(100);
    const own = [...connection.rooms.keys()];
    const room = kind >= 50 && own.length ? own[random(own.length)] : names[random(names.length)];
    if (kind < 18) connection.join(room);
    else if (kind < 27) connection.leave(room);
    else if (kind < 97) connection.publish(room);
    else {
      // What is under way when it vanishes may be lost.
      await connection.settle();
      if (random(2)) await connection.client.leaveFor();
      else connection.client.socket._socket.destroy();
      connection = await connect();
    }
    if (random(stretch) === 0) await connection.settle();
    // 100 errors in 5 s would end it.
    if (connection.expected.filter(({ type }) => type === 'error').length > 60) {
      await connection.settle();
      await connection.client.leaveFor(3000);
      connection = await connect();
    }
  }
  await connection.settle();
  return connection;
}

// `heard` is a run of the room's order without a gap: from the first message that was sent after `joined`
// had come, or before it, to the last of all if the connection is a member still.
function checkInterval({ client, rooms }, { room, heard, sentBefore }, order, stillIn, world) {
  const all = order.get(room);
  const payloads = heard.map(({ payload }) => payload);
  const due = all.findIndex((payload) => world.accepted.get(payload).number >= sentBefore);
  const start = payloads.length ? all.indexOf(payloads[0]) : all.length;
  if (due >= 0 && (stillIn || payloads.length)) assert.ok(start <= due, `${client.id} missed the beginning of ${room}`);
  assert.deepEqual(payloads, all.slice(start, stillIn ? all.length : start + payloads.length), `${client.id} in ${room}`);
  if (stillIn) assert.deepEqual(payloads.filter((payload) => rooms.get(room).includes(payload)), rooms.get(room), 'its own');
}

async function agree(t, gateways, seed) {
  const heardRooms = names.filter((name) => policyRooms.some(({ match }) => match === name));
  const world = { published: 0, sent: 0, accepted: new Map(), connections: [] };
  const observer = await (await roomClient(t, gateways[0], 'observer')).join(...heardRooms);
  const last = await Promise.all(Array.from({ length: users }, (_, i) => live(t, gateways, i, numbers(seed * 1_000 + i + 1), world)));

  await until('the observer to have heard all', () => observer.inbox.length >= world.accepted.size);
  const order = new Map(names.map((name) => [name, []]));
  for (const { room, from, payload } of observer.inbox) {
    order.get(room).push(payload);
    assert.equal(world.accepted.get(payload)?.room, room, `${payload} was not to be heard in ${room}`);
    assert.equal(payload.split(' ')[0], from);
  }
  assert.equal(observer.inbox.length, world.accepted.size);
  assert.equal(new Set(observer.inbox.map(({ payload }) => payload)).size, observer.inbox.length, 'none twice');
  assert.ok(world.accepted.size > 500, `${world.accepted.size} publications are a test`);

  await until('members to have heard the last', () => last.every(({ current }) => [...current.values()].every((interval) => {
    const end = order.get(interval.room).at(-1);
    return !end || interval.heard.at(-1)?.payload === end || world.accepted.get(end).number < interval.sentBefore;
  })));
  for (const connection of world.connections) {
    for (const interval of connection.intervals) {
      const stillIn = last.includes(connection) && connection.current.get(interval.room) === interval;
      checkInterval(connection, interval, order, stillIn, world);
    }
  }
  assert.deepEqual(last.map(({ current }) => [...current.keys()].sort()), last.map(({ rooms }) => [...rooms.keys()].sort()));
}

const policy = { rooms: policyRooms, log: { level: 'warn', format: 'json' } };

const clusters = {
  'four workers': async (t) => [await startRooms(t, policy)],
  // One of them is farther from Redis: its answers come later than what others publish.
  'three instances': async (t) => {
    const { port } = await startRedis(t);
    const ports = [port, port, await startSlowLink(t, port, 3)];
    const gateways = await Promise.all(ports.map((one) =>
      startRooms(t, { rooms: policyRooms, workers: 2, redis: { url: `redis://127.0.0.1:${one}` } })));
    await back(gateways, 1);
    return gateways;
  },
};

for (const [cluster, start] of Object.entries(clusters)) {
  describe(`rooms over ${cluster} agree with the model`, () => {
    for (const seed of [1, 20_261_128, 77]) {
      test(`seed ${seed}`, async (t) => agree(t, await start(t), seed));
    }
  });
}
