// CONTRACT section 7, of a Redis that fails before it has recovered, in any order, while clients join and
// leave: afterwards all is as if it had never been away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Flow, publicationsLost, startInstances } from './harness/instances.mjs';
import { numbers } from './harness/random.mjs';
import { openClient } from './harness/redis.mjs';
import { patience, sleep, until } from './harness/wait.mjs';

const rooms = 1_200;     // more than are restored at a time
const events = 30;
const pauseMsMax = 300;  // between two of them, on average a third of it

// What happens to Redis, to an instance or in the rooms; each leaves something that the next one meets.
class Storm {
  constructor(redis, gateways, clients, random) {
    Object.assign(this, { redis, gateways, clients, random, state: 'runs' });
  }

  static kinds = {
    async kill(storm) {
      if (storm.state === 'gone') return storm.start();
      await storm.redis.kill();
      storm.state = 'gone';
    },
    stop(storm) {
      if (storm.state === 'gone') return;
      storm.redis.child.kill(storm.state === 'runs' ? 'SIGSTOP' : 'SIGCONT');
      storm.state = storm.state === 'runs' ? 'stopped' : 'runs';
    },
    cut: (storm) => storm.command('CLIENT', 'KILL', 'TYPE', storm.random(2) ? 'pubsub' : 'normal'),
    flush: (storm) => storm.command('FLUSHALL'),
    async pause(storm) {
      const { child } = storm.gateways[storm.random(storm.gateways.length)];
      child.kill('SIGSTOP');
      await sleep(storm.random(pauseMsMax));
      child.kill('SIGCONT');
    },
    churn(storm) {
      for (let i = 0; i < 200; ++i) {
        const client = storm.clients[storm.random(storm.clients.length)];
        client.say({ type: storm.random(2) ? 'leave' : 'join', room: `r${storm.random(rooms)}` });
      }
    },
  };

  async command(...command) {
    if (this.state === 'runs') await this.redis.run(...command);
  }

  async start() {
    await this.redis.start();
    this.state = 'runs';
  }

  async rage() {
    const kinds = Object.values(Storm.kinds);
    for (let i = 0; i < events; ++i) {
      await kinds[this.random(kinds.length)](this);
      await sleep(this.random(2) ? this.random(pauseMsMax) : this.random(pauseMsMax / 10));
    }
    if (this.state === 'stopped') this.redis.child.kill('SIGCONT');
    if (this.state === 'gone') await this.start();
  }
}

// Where it is by the answers that it got, all of them.
async function roomsOf(client) {
  await until('the last answer', () => client.heard.at(-1)?.room === 'nowhere');
  const now = new Set();
  for (const { type, room } of client.heard) {
    assert.match(type, /^(joined|left)$/);
    if (type === 'joined') now.add(room);
    else now.delete(room);
  }
  return now;
}

for (const seed of [1, 20_261_128]) {
  test(`seed ${seed}`, async (t) => {
    const { redis, gateways } = await startInstances(t, {
      settings: { timeout: `${300 * patience}ms` }, route: { limits: { rooms_per_connection: rooms } },
    });
    const clients = await Promise.all(gateways.map((gateway) => openClient(t, gateway, 'many')));
    for (let i = 0; i < rooms; ++i) for (const client of clients) client.say({ type: 'join', room: `r${i}` });
    const flow = await Flow.start(t, gateways);
    await flow.flows();
    const before = flow.reached;

    await new Storm(redis, gateways, clients, numbers(seed)).rage();
    const ms = await flow.flows();
    const after = flow.said;
    await flow.flows();
    await flow.stop();
    const missing = flow.check(before, after);
    for (const [i, gateway] of gateways.entries()) assert.equal(publicationsLost(gateway), flow.lost[i].length);

    const instances = new Map([[Flow.room, gateways.length]]);
    for (const client of clients) {
      client.say({ type: 'leave', room: 'nowhere' });
      for (const room of await roomsOf(client)) instances.set(room, (instances.get(room) ?? 0) + 1);
    }
    const channels = [...instances.keys()].map((room) => `gatehouse:room:${room}`);
    assert.deepEqual(await redis.channels(), [...channels].sort(), 'subscribed are the rooms with members');
    const { out } = await redis.run('PUBSUB', 'NUMSUB', ...channels);
    assert.deepEqual(out.split('\n').filter((_, i) => i % 2).map(Number), [...instances.values()], 'by each instance that has some');
    t.diagnostic(`messages flow after ${ms} ms; ${flow.lost.flat().length} of ${3 * flow.said} answered as lost, ` +
      `${missing} of ${9 * flow.said} deliveries not made`);
  });
}
