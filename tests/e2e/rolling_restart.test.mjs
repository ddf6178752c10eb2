// A rolling restart: three instances behind HAProxy, as deploy/cluster.d configures it, each replaced in
// turn under clients that come back as they are told.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import WebSocket from 'ws';
import { acceptUpgrade, rawBackend } from './harness/backends.mjs';
import { atEnd } from './harness/ending.mjs';
import { freePort, policyOf, startGateway, users } from './harness/gateway.mjs';
import { startHaproxy, statistics } from './harness/haproxy.mjs';
import { root } from './harness/output.mjs';
import { startRedis } from './harness/redis.mjs';
import { token } from './harness/tokens.mjs';
import { Speaker, Visitor } from './harness/visitors.mjs';
import { patience, sleep, until, within } from './harness/wait.mjs';

const visitorsCount = process.env.GATEHOUSE_SANITIZED ? 300 : 2_000;
const roomSize = 20;
const heldCount = 12;
const spreadMs = 3_000;
const retryAfterMs = 5_000;  // README "When it ends": below it
const drain = { delay: '2s', spread: `${spreadMs}ms`, timeout: '20s' };
const names = ['one', 'two', 'three'];

// What a client learns of a message before it is told to go may be on its way when the sender knows it.
const underwayMs = 1_000 * patience;

// On the ports of `before`, if that is given.
const startInstance = (t, redis, backend, before) => startGateway(t, (gateway) => {
  if (before) [gateway.port, gateway.adminPort] = [before.port, before.adminPort];
  return {
    listen: [{ address: `127.0.0.1:${gateway.port}` }],
    admin: { address: `127.0.0.1:${gateway.adminPort}` },
    ...policyOf({
      workers: 2, drain, handshake_timeout: '30s', trusted_proxies: ['127.0.0.1/32'],
      redis: { url: redis.url() },
      authenticators: { users: users() },
      backends: { held: { servers: [`ws://127.0.0.1:${backend.port}`], connect_timeout: '30s' } },
      routes: [
        { path: '/rooms', authenticate: ['users'], rooms: [{ match: '*', join: 'everyone', publish: 'everyone' }] },
        { path: '/held', authenticate: ['users'], backend: 'held' },
      ],
    }),
  };
});

async function loadBalancer(t, gateways) {
  const [port, statisticsPort] = [await freePort(), await freePort()];
  const text = readFileSync(join(root, 'deploy/cluster.d/haproxy.cfg'), 'utf8');
  assert.match(text, /^ {2}maxconn 2000$/m);
  const env = { CLUSTER_PORT: port, STATS_PORT: statisticsPort };
  for (const [i, name] of names.entries()) {
    env[`${name.toUpperCase()}_PORT`] = gateways[i].port;
    env[`${name.toUpperCase()}_ADMIN_PORT`] = gateways[i].adminPort;
  }
  await startHaproxy(t, text.replace('maxconn 2000', 'maxconn 5000'), port, env);
  return { port, of: async (name) => (await statistics(statisticsPort))[`gatehouse/${name}`] };
}

// A backend that answers no handshake until it is told to.
async function holdingBackend(t) {
  const waiting = [];
  const backend = await rawBackend(t, {
    behave: async (peer, head) => {
      await new Promise((resolve) => waiting.push(resolve));
      acceptUpgrade(peer, head);
      peer.close(60_000).catch(() => {}).then(() => peer.destroy());
    },
  });
  backend.holds = (count) => until(`${count} handshakes to wait`, () => waiting.length === count);
  backend.answer = () => waiting.splice(0).forEach((resolve) => resolve());
  return backend;
}

// As the kernel has it: whoever tried would be one more whom it has to answer.
function isListenedOn(port) {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const listening = '0A';
  return readFileSync('/proc/net/tcp', 'latin1').split('\n').map((line) => line.trim().split(/ +/))
    .some(([, local, , state]) => local === address && state === listening);
}

// A handshake: { socket, closed }, or the error that it ended in.
function handshake(url, bearer) {
  const socket = new WebSocket(url, { headers: { Authorization: `Bearer ${bearer}` }, perMessageDeflate: false });
  const closed = new Promise((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  return new Promise((resolve) => {
    socket.once('open', () => resolve({ socket, closed }));
    socket.on('error', (error) => resolve({ error: error.message }));
  });
}

// Who comes new, says hello and goes, one after the other until stop(): { count, failures }.
function newcomers(t, url, bearer) {
  const seen = { count: 0, failures: [] };
  let stopped = false;
  const visit = async () => {
    const { error, socket, closed } = await within('the handshake of a newcomer', handshake(url, bearer));
    assert.equal(error, undefined);
    socket.once('message', () => socket.close(1000));
    socket.send(JSON.stringify({ type: 'leave', room: 'hello' }));
    const { code } = await within('a newcomer to go', closed);
    assert.ok([1000, 1012].includes(code), `${code}`);
  };
  const over = (async () => {
    for (; !stopped; await sleep(20)) {
      ++seen.count;
      await visit().catch((error) => seen.failures.push(error.message));
    }
    return seen;
  })();
  const stop = () => {
    stopped = true;
    return over;
  };
  atEnd(t, stop);
  return { stop };
}

// How many of `times` are in each tenth of `ms` from the first on; what is later is in the last.
function tenths(times, ms) {
  const first = Math.min(...times);
  const counts = Array(10).fill(0);
  for (const time of times) ++counts[Math.min(9, Math.floor((time - first) * 10 / ms))];
  return counts;
}

// All at once would be one tenth; a machine that is busy with something else puts some together.
const isSpread = (counts, what) => {
  const all = counts.reduce((sum, count) => sum + count);
  // A sanitizer on a busy machine has them wait for it, and then go together.
  assert.ok(process.env.GATEHOUSE_SANITIZED || Math.max(...counts) <= all * 0.6, `${what} of ${all} are spread: ${counts.join(' ')}`);
};

// What of `accepted` a visitor should have heard and did not: whatever lies between two numbers that it
// heard, and whatever was said after it had joined and had come back well before it was sent away.
function missed({ joinedAt, leftAt, heard }, { accepted, repeated }) {
  for (const [i, number] of heard.entries()) {
    const before = heard[i - 1] ?? 0;
    assert.ok(before < number || (before === number && repeated.has(number)), `in order, none twice: ${heard}`);
  }
  const got = new Set(heard);
  return accepted.filter(({ number, saidAt, heardAt }) => !got.has(number) &&
    ((number > heard[0] && number < heard.at(-1)) || (saidAt >= joinedAt && heardAt + underwayMs <= leftAt)));
}

test(`a rolling restart sends ${visitorsCount} clients away and has them back, spread, none cut; rooms go on`, async (t) => {
  const redis = await startRedis(t);
  const backend = await holdingBackend(t);
  const gateways = await Promise.all(names.map(() => startInstance(t, redis, backend)));
  const every = [...gateways];  // and those that come later
  const ready = (gateway) => until('an instance to be ready', async () => (await gateway.admin('/readyz')).status === 200);
  await Promise.all(gateways.map(ready));
  const balancer = await loadBalancer(t, gateways);
  const is = (name, status) => until(`HAProxy to see that ${name} is ${status}`,
    async () => (await balancer.of(name)).status === status, 10_000 * patience);
  for (const name of names) await is(name, 'UP');
  const url = (path) => `ws://127.0.0.1:${balancer.port}${path}`;
  const bearer = await token();
  const processOf = (name) => gateways[names.indexOf(name)];

  const speakers = [], visitors = [];
  while (visitors.length < visitorsCount) {
    const room = `room-${speakers.length}`;
    speakers.push(new Speaker(url('/rooms'), room, bearer, processOf));
    visitors.push(speakers.at(-1));
    for (let i = 1; i < roomSize; ++i) visitors.push(new Visitor(url('/rooms'), room, bearer, processOf));
  }
  const end = () => visitors.forEach((visitor) => visitor.end());
  atEnd(t, end);
  const failures = () => visitors.flatMap((visitor) => visitor.failures);
  const allIn = (all = visitors) => until('all to be in their rooms', () => {
    assert.deepEqual(failures(), []);
    return all.every(({ joined }) => joined);
  }, 30_000 * patience);
  for (let i = 0; i < visitors.length; i += 100) {
    visitors.slice(i, i + 100).forEach((visitor) => visitor.connect());
    await allIn(visitors.slice(0, i + 100));
  }

  const inRoom = new Map(speakers.map((speaker) => [speaker.room, speaker]));
  const arriving = newcomers(t, url('/rooms'), bearer);
  for (const [i, name] of names.entries()) {
    const leaving = gateways[i];
    const opening = (at) => Promise.all(Array.from({ length: heldCount }, () => handshake(at, bearer)));
    const [held, heldHere] = [opening(url('/held')), opening(`ws://127.0.0.1:${leaving.port}/held`)];
    await backend.holds(2 * heldCount);
    leaving.signal('SIGTERM');
    await is(name, 'DOWN');
    await until('it to stop listening', () => !isListenedOn(leaving.port), 10_000 * patience);
    // These were let in before, and are answered when it does not listen any more.
    backend.answer();
    for (const { error, socket, closed } of await within('those that are held', heldHere)) {
      assert.equal(error, undefined, 'a handshake that was let in has its answer');
      atEnd(t, () => socket.terminate());
      const { code, reason } = await within('its Close', closed);
      assert.equal(code, 1012);
      assert.match(reason, /^retry_after_ms=\d+$/);
    }
    for (const { error, socket } of await held) {
      assert.equal(error, undefined, 'by way of HAProxy, too');
      atEnd(t, () => socket.terminate());
      socket.close(1000);
    }
    assert.deepEqual(await within('the instance to end', leaving.ended, 30_000 * patience), { code: 0, signal: null });
    gateways[i] = await startInstance(t, redis, backend, leaving);
    every.push(gateways[i]);
    await ready(gateways[i]);
    await is(name, 'UP');
  }
  await allIn();
  const arrived = await within('the last newcomer', arriving.stop());
  for (const speaker of speakers) speaker.quiet = true;
  await until('the last word to have come back', () => speakers.every(({ said }) => !said));
  await until('all to have heard the last word', () => visitors.every(({ room, stays }) => {
    const { number, saidAt } = inRoom.get(room).accepted.at(-1);
    const { joinedAt, heard } = stays.at(-1);
    return heard.at(-1) === number || joinedAt > saidAt;
  }));

  // Nobody was refused or cut; HAProxy has neither tried twice nor gone elsewhere.
  assert.deepEqual(failures(), []);
  assert.deepEqual(arrived.failures, []);
  assert.ok(arrived.count >= 10, `${arrived.count} newcomers`);
  for (const name of names) {
    const { econ, eresp, wretr, wredis, hrsp_4xx, hrsp_5xx } = await balancer.of(name);
    assert.deepEqual({ econ, eresp, wretr, wredis, hrsp_4xx, hrsp_5xx },
      { econ: '0', eresp: '0', wretr: '0', wredis: '0', hrsp_4xx: '0', hrsp_5xx: '0' }, name);
  }
  for (const gateway of every) {
    assert.deepEqual(gateway.log.filter(({ event }) => event === 'connection_refused'), []);
  }

  // Each was told to go, and by no process twice; when, and for how long, is spread.
  for (const { sentAway, opened } of visitors) {
    assert.ok(sentAway.length >= 1 && sentAway.length <= names.length, `${sentAway.length} times`);
    assert.equal(new Set(sentAway.map(({ process }) => process)).size, sentAway.length);
    assert.equal(opened.length, sentAway.length + 1);
  }
  for (const [i, name] of names.entries()) {
    const left = visitors.flatMap(({ sentAway, opened }) =>
      sentAway.flatMap((one, n) => one.process === every[i] ? [{ ...one, backAt: opened[n + 1] }] : []));
    assert.ok(left.length >= visitorsCount / 10, `${left.length} were on ${name}`);
    const told = tenths(left.map(({ at }) => at), spreadMs);
    const back = tenths(left.map(({ backAt }) => backAt), spreadMs + retryAfterMs);
    t.diagnostic(`${name}: ${left.length} clients, told to go in tenths of ${spreadMs} ms: ${told.join(' ')}; ` +
      `back in tenths of ${spreadMs + retryAfterMs} ms: ${back.join(' ')}`);
    isSpread(told, 'farewells');
    isSpread(back, 'returns');
    const waits = Array(5).fill(0);
    for (const one of left) ++waits[Math.floor(one.retryAfterMs * 5 / retryAfterMs)];
    for (const count of waits) assert.ok(count > left.length * 0.04 && count < left.length * 0.45, `times to wait: ${waits.join(' ')}`);
  }

  for (const { room, stays } of visitors) {
    for (const stay of stays) assert.deepEqual(missed(stay, inRoom.get(room)), [], `in ${room}`);
  }
  const said = speakers.reduce((sum, { accepted }) => sum + accepted.length, 0);
  const heard = visitors.reduce((sum, { stays }) => sum + stays.reduce((own, stay) => own + stay.heard.length, 0), 0);
  t.diagnostic(`${said} messages in ${speakers.length} rooms were heard ${heard} times; ` +
    `${arrived.count} newcomers`);
  for (const { accepted } of speakers) assert.ok(accepted.length >= 10, 'each room went on');

  end();
  // Nobody is left who needs the delay: a second signal ends it.
  await Promise.all(gateways.map(async (gateway) => {
    gateway.signal('SIGTERM');
    await until('it to drain', async () => (await gateway.admin('/readyz')).status === 503);
    gateway.signal('SIGTERM');
  }));
});
