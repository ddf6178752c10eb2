// A rolling restart: three instances behind HAProxy, as deploy/compose.d configures it, each replaced in
// turn under clients that come back as they are told.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import WebSocket from 'ws';
import { atEnd } from './harness/ending.mjs';
import { freePort, policyOf, startGateway, users, writePolicy } from './harness/gateway.mjs';
import { root } from './harness/output.mjs';
import { startRedis } from './harness/redis.mjs';
import { token } from './harness/tokens.mjs';
import { patience, sleep, until, within } from './harness/wait.mjs';

const sanitized = Boolean(process.env.GATEHOUSE_SANITIZED);
const clientsCount = sanitized ? 300 : 2_000;
const roomsCount = 100;
// HAProxy looks twice before it believes, half a second apart.
const drain = { delay: sanitized ? '4s' : '2s', spread: '3s', timeout: '60s' };

const instance = (t, redis, before) => startGateway(t, (gateway) => {
  if (before) [gateway.port, gateway.adminPort] = [before.port, before.adminPort];
  return JSON.stringify({
    listen: [{ address: `127.0.0.1:${gateway.port}` }],
    admin: { address: `127.0.0.1:${gateway.adminPort}` },
    ...policyOf({
      workers: 2, drain, trusted_proxies: ['127.0.0.1/32'],
      redis: { url: redis.url() },
      authenticators: { users: users() }, backends: {},
      routes: [{ path: '/chat', authenticate: ['users'], rooms: [{ match: '*', join: 'everyone', publish: 'everyone' }] }],
    }),
  });
});

async function haproxy(t, gateways) {
  const port = await freePort();
  const [text, servers] = readFileSync(join(root, 'deploy/compose.d/haproxy.cfg'), 'utf8').split('  server gateway-1');
  assert.match(servers, / gateway-1:8080\n  server gateway-2 gateway-2:8080\n$/);
  const lines = gateways.map(({ port: own, adminPort }, i) =>
    `  server gateway-${i + 1} 127.0.0.1:${own} port ${adminPort}\n`);
  const file = writePolicy(t, text.replace('bind :8080', `bind 127.0.0.1:${port}`)
    .replace('check port 8081', 'check').replace(/ resolvers network init-addr libc,none/, '') + lines.join(''));
  const child = spawn('/usr/sbin/haproxy', ['-db', '-f', file], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('close', resolve));
  atEnd(t, async () => {
    child.kill('SIGKILL');
    await within('HAProxy to end', ended);
  });
  return port;
}

// A client that is in its room, and comes back when and only when a Close tells it to.
class Visitor {
  stays = [];     // of each: what it heard, number by number
  sentAway = [];  // { after, at }: what the Close said, and when
  cameBack = [];  // when
  cut = [];       // what ended otherwise than by 1012
  answered = [];  // the status of what was no 101
  joined = false;

  constructor(url, room, bearer) {
    Object.assign(this, { url, room, bearer });
  }

  connect() {
    const socket = new WebSocket(this.url, { headers: { Authorization: `Bearer ${this.bearer}` } });
    this.socket = socket;
    socket.once('open', () => {
      this.stays.push([]);
      if (this.sentAway.length) this.cameBack.push(performance.now());
      socket.send(JSON.stringify({ type: 'join', room: this.room }));
    });
    socket.on('message', (text) => this.hear(JSON.parse(text)));
    socket.once('unexpected-response', (request, response) => {
      this.answered.push(response.statusCode);
      request.destroy();
      this.again(200);
    });
    socket.once('close', (code, reason) => {
      this.joined = false;
      const after = /^retry_after_ms=(\d+)$/.exec(reason)?.[1];
      if (this.over) return;
      if (code === 1012 && after) {
        this.sentAway.push({ after: Number(after), at: performance.now() });
        this.again(Number(after));
      } else if (!this.waits) {
        this.cut.push(`${code} ${reason}`);
      }
    });
    socket.on('error', () => {});
  }

  again(ms) {
    this.waits = setTimeout(() => {
      this.waits = null;
      this.connect();
    }, ms);
  }

  hear(message) {
    if (message.type === 'joined') {
      this.joined = true;
    } else if (message.type === 'message') {
      this.stays.at(-1).push(message.payload);
    } else {
      this.cut.push(JSON.stringify(message));
    }
  }

  end() {
    this.over = true;
    clearTimeout(this.waits);
    this.socket.terminate();
  }
}

// Says 1, 2, 3 … in its room, each when the one before has come back: what has is `accepted`.
class Speaker extends Visitor {
  accepted = [];
  next = 1;

  hear(message) {
    super.hear(message);
    if (message.type === 'message') this.accepted.push(message.payload);
    setTimeout(() => this.speak(), 10);
  }

  speak() {
    if (this.joined && !this.quiet) this.socket.send(JSON.stringify({ type: 'message', room: this.room, payload: this.next++ }));
  }
}

// Of each stay: from the first to the last that it heard, all that the speaker knows to be accepted, in order.
function missedIn(visitor, accepted) {
  return visitor.stays.flatMap((heard) => {
    assert.ok(heard.every((number, i) => i === 0 || heard[i - 1] < number), 'in order, none twice');
    const all = new Set(heard);
    return accepted.filter((number) => number > heard[0] && number < heard.at(-1) && !all.has(number));
  });
}

function histogram(times, parts) {
  const first = Math.min(...times);
  const width = (Math.max(...times) - first + 1) / parts;
  const counts = Array(parts).fill(0);
  for (const time of times) ++counts[Math.floor((time - first) / width)];
  return { width: Math.round(width), counts };
}

test(`a rolling restart sends ${clientsCount} clients away and has them back, spread, none cut; rooms go on`, async (t) => {
  const redis = await startRedis(t);
  const gateways = [];
  for (let i = 0; i < 3; ++i) gateways.push(await instance(t, redis));
  const ready = async (gateway) => (await gateway.admin('/readyz')).status === 200;
  for (const gateway of gateways) await until('an instance to be ready', () => ready(gateway));
  const url = `ws://127.0.0.1:${await haproxy(t, gateways)}/chat`;
  const bearer = await token();
  const speaker = new Speaker(url, 'room-0', bearer);
  const visitors = [speaker];
  while (visitors.length < clientsCount) visitors.push(new Visitor(url, `room-${visitors.length % roomsCount}`, bearer));
  const end = () => visitors.forEach((visitor) => visitor.end());
  atEnd(t, end);
  const asks = () => fetch(url.replace('ws', 'http')).then(({ status }) => status, () => null);
  await until('HAProxy to let clients in', async () => (await asks()) === 426);
  for (const [i, visitor] of visitors.entries()) {
    visitor.connect();
    if (i % 100 === 99) await until('a hundred to be in', () => visitors.slice(0, i + 1).every(({ joined }) => joined));
  }
  const allIn = () => visitors.every(({ joined }) => joined);
  await until('all to be in', allIn);

  for (const [i, leaving] of gateways.entries()) {
    const sentBefore = visitors.map(({ sentAway }) => sentAway.length);
    leaving.signal('SIGTERM');
    assert.equal((await within('the instance to end', leaving.ended, 40_000 * patience)).code, 0);
    gateways[i] = await instance(t, redis, leaving);
    await until('the new instance to be ready', () => ready(gateways[i]));
    await until('all to be in again', allIn, 20_000 * patience);
    const away = visitors.flatMap(({ sentAway }, n) => sentAway.slice(sentBefore[n]));
    assert.ok(away.length >= clientsCount / 10, `${away.length} were sent away`);
    const opened = leaving.log.filter(({ event }) => event === 'connection_opened').length;
    const closed = leaving.log.filter(({ event, code }) => event === 'connection_closed' && code === 1012).length;
    assert.equal(closed, opened, 'whoever was let in was told to go');
    const { width, counts } = histogram(visitors.flatMap(({ cameBack }) => cameBack.slice(-1)).filter((at) => at >= away[0].at), 10);
    t.diagnostic(`${away.length} came back in tenths of ${width} ms: ${counts.join(' ')}`);
    assert.ok(Math.max(...counts) < away.length / 2, 'they do not come back all at once');
  }

  const inRoom = visitors.filter(({ room }) => room === speaker.room);
  const lastHeard = ({ stays }) => stays.at(-1).at(-1);
  const saidBefore = speaker.accepted.at(-1);
  await until('all to hear what is said now', () => inRoom.every((visitor) => lastHeard(visitor) > saidBefore));
  speaker.quiet = true;
  await sleep(100);
  await until('the last to be heard', () => inRoom.every((visitor) => lastHeard(visitor) === speaker.accepted.at(-1)));
  t.diagnostic(`${speaker.accepted.length} were said to a room of ${inRoom.length}; ` +
    `${visitors.flatMap(({ answered }) => answered).length} handshakes were answered with 503`);
  assert.deepEqual(visitors.flatMap(({ cut }) => cut), [], 'nobody is cut, before its answer or behind it');
  assert.ok(visitors.flatMap(({ answered }) => answered).every((status) => status === 503));
  for (const visitor of inRoom) assert.deepEqual(missedIn(visitor, speaker.accepted), [], 'nothing is missed in a stay');
  assert.ok(speaker.accepted.length > 100, 'the room went on');
  end();
  for (const gateway of gateways) for (const _ of ['drain', 'at once']) gateway.signal('SIGTERM');
});
