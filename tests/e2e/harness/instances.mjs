// Three instances of the gateway that share a Redis, and a load that never pauses on all of them.
import assert from 'node:assert/strict';
import { atEnd } from './ending.mjs';
import { countOf, openClient, startInstance, startRedis } from './redis.mjs';
import { patience, until } from './wait.mjs';

// `options`: of redis-server; `settings`: of the instances' `redis`, which may depend on the Redis;
// `route`: of their policy.
export async function startInstances(t, { options, settings = {}, prepare = () => {}, route } = {}) {
  const redis = await startRedis(t, { options });
  await prepare(redis);
  const own = typeof settings === 'function' ? settings(redis) : settings;
  const gateways = await Promise.all([0, 1, 2].map(() => startInstance(t, redis, own, { route })));
  return { redis, gateways };
}

export async function away(gateways, reason = /./) {
  await Promise.all(gateways.map((gateway) => gateway.logged('redis_away',
    (line) => line.event === 'redis_away' && reason.test(line.reason), 10_000 * patience)));
}

// All of them, `times` since they started.
export async function back(gateways, times) {
  await until('redis_back', () => gateways.every((one) => countOf(one, 'redis_back') >= times), 15_000 * patience);
}

export const publicationsLost = (gateway) =>
  gateway.log.filter(({ event }) => event === 'redis_back').at(-1).publications_lost;

// One client on each instance, all in one room, where each says 1, 2, 3 … without a pause; and what
// came of it.
export class Flow {
  static room = 'flow';
  static everyMs = 5 * patience;
  static atOnce = 5;

  static async start(t, gateways) {
    const clients = await Promise.all(gateways.map((gateway, i) => openClient(t, gateway, `user${i}`)));
    for (const client of clients) await client.join(Flow.room);
    return new Flow(t, clients);
  }

  constructor(t, clients) {
    this.clients = clients;
    this.said = 0;  // by each
    this.heard = clients.map(() => clients.map(() => []));  // [hearer][speaker]: numbers
    this.lost = clients.map(() => []);
    for (const [i, client] of clients.entries()) {
      client.socket.on('message', (text) => this.hear(i, JSON.parse(text)));
    }
    this.timer = setInterval(() => this.speak(), Flow.everyMs);
    atEnd(t, () => clearInterval(this.timer));
  }

  speak() {
    for (let i = 0; i < Flow.atOnce; ++i) {
      ++this.said;
      for (const client of this.clients) client.publish(Flow.room, this.said);
    }
  }

  hear(hearer, { type, from, payload, code, id }) {
    if (type === 'message') return this.heard[hearer][Number(from.slice('user'.length))].push(payload);
    assert.equal(code, 'unavailable');
    this.lost[hearer].push(id);
  }

  // What everybody has heard of everybody: up to this number, or a later one.
  get reached() {
    return Math.min(...this.heard.flat().map((numbers) => numbers.at(-1) ?? 0));
  }

  // Until everybody hears from everybody something that is said from now on. Milliseconds.
  async flows() {
    const [began, said] = [performance.now(), this.said];
    await until('everybody to hear everybody', () => this.reached > said, 15_000 * patience);
    return Math.round(performance.now() - began);
  }

  // The last numbers of all have been heard by all.
  async stop() {
    clearInterval(this.timer);
    await until('everybody to hear the last', () => this.reached === this.said);
  }

  // In order, none twice, whatever happened; and of what was said up to `before` or after `after` nothing
  // is missing. What is missing between them: how many times a message did not reach one of its three.
  check(before, after) {
    const ascending = (numbers) => numbers.every((number, i) => i === 0 || numbers[i - 1] < number);
    const all = Array.from({ length: this.said }, (_, i) => i + 1);
    let missing = 0;
    for (const [hearer, speakers] of this.heard.entries()) {
      for (const [speaker, numbers] of speakers.entries()) {
        const what = `what user${hearer} heard of user${speaker}`;
        assert.ok(ascending(numbers), `${what}: in order, none twice`);
        const got = new Set(numbers);
        const gaps = all.filter((number) => !got.has(number));
        missing += gaps.length;
        assert.deepEqual(gaps.filter((number) => number <= before || number > after), [], `${what} has gaps`);
      }
    }
    for (const numbers of this.lost) assert.ok(ascending(numbers), 'told once each');
    for (const client of this.clients) assert.equal(client.closed, null);
    return missing;
  }
}
