// A real redis-server on a port of its own, and instances of the gateway that share it.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { atEnd } from './ending.mjs';
import { freePort, startGateway, users } from './gateway.mjs';
import { token } from './tokens.mjs';
import { deadlineMs, until, within } from './wait.mjs';

class Redis {
  constructor(port, options) {
    this.port = port;
    this.options = options;
    this.folder = mkdtempSync(join(tmpdir(), 'gatehouse-redis-'));
    this.unixPath = join(this.folder, 'redis.sock');
    this.logPath = join(this.folder, 'redis.log');
  }

  url(login = '') {
    return `redis://${login}127.0.0.1:${this.port}/0`;
  }

  async start() {
    this.child = spawn('redis-server', [
      '--port', `${this.port}`, '--bind', '127.0.0.1', '--unixsocket', this.unixPath,
      '--save', '', '--appendonly', 'no', '--dir', this.folder, '--logfile', this.logPath, ...this.options,
    ], { stdio: 'ignore' });
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
    await until('redis-server to answer', async () => /PONG|NOAUTH/.test((await this.run('PING')).out));
  }

  // Also one that is stopped.
  async kill() {
    this.child.kill('SIGKILL');
    await within('redis-server to end', this.ended);
  }

  run(...command) {
    return new Promise((resolve) => {
      execFile('redis-cli', ['-p', `${this.port}`, ...command], { timeout: deadlineMs },
        (error, out, err) => resolve({ code: error ? error.code : 0, out: out.trim(), err }));
    });
  }

  get log() {
    return readFileSync(this.logPath, 'utf8');
  }

  async channels(pattern = '*room:*') {
    const { out } = await this.run('PUBSUB', 'CHANNELS', pattern);
    return out.split('\n').filter(Boolean).sort();
  }
}

// `options`: of redis-server. `started`: false: it is not there yet.
export async function startRedis(t, { options = [], started = true } = {}) {
  const redis = new Redis(await freePort(), options);
  atEnd(t, async () => {
    if (redis.child) await redis.kill();
    rmSync(redis.folder, { recursive: true, force: true });
  });
  if (started) await redis.start();
  return redis;
}

// A room server of the gateway's own; `settings`: of its `redis`; `back`: false: Redis may not let it in.
export async function startInstance(t, redis, settings = {}, { back = true, route = {} } = {}) {
  const gateway = await startGateway(t, {
    workers: 2,
    redis: { url: redis.url(), timeout: '1s', ...settings },
    authenticators: { users: users() },
    backends: {},
    routes: [{
      path: '/chat', authenticate: ['users'], max_message: '1MiB', send_queue: '16MiB',
      rooms: [{ match: '*', join: 'everyone', publish: 'everyone' }], ...route,
    }],
  });
  if (back) await gateway.logged('redis_back', ({ event }) => event === 'redis_back');
  return gateway;
}

export const countOf = (gateway, event) => gateway.log.filter((line) => line.event === event).length;

class Client {
  constructor(socket) {
    this.socket = socket;
    this.heard = [];
    this.closed = null;
    this.wake = () => {};
    socket.on('message', (text) => {
      this.heard.push(JSON.parse(text));
      this.wake();
    });
    socket.on('close', (code) => (this.closed = code));
    socket.on('error', () => {});
  }

  say(message) {
    this.socket.send(JSON.stringify(message));
  }

  // In the very turn in which it comes.
  async next(what = 'a message') {
    if (!this.heard.length) await within(what, new Promise((resolve) => (this.wake = resolve)));
    return this.heard.shift();
  }

  async expect(message) {
    assert.deepEqual(await this.next(JSON.stringify(message)), message);
  }

  async join(room) {
    this.say({ type: 'join', room });
    await this.expect({ type: 'joined', room });
  }

  publish(room, payload) {
    this.say({ type: 'message', room, payload, id: payload });
  }

  // Nothing has come until something said to itself does.
  async expectSilence() {
    this.say({ type: 'leave', room: 'nowhere' });
    await this.expect({ type: 'left', room: 'nowhere' });
  }
}

export async function openClient(t, gateway, sub) {
  const socket = new WebSocket(gateway.url(), { headers: { Authorization: `Bearer ${await token({ sub })}` } });
  atEnd(t, () => socket.terminate());
  const client = new Client(socket);
  await within('a WebSocket to open', new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  }));
  return client;
}
