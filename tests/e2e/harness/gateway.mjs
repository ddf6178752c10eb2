// `gatehouse run` as a child process: a policy on a free port, its output collected, its end checked.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from './ending.mjs';
import { binary, logFolder, outputFolder } from './output.mjs';
import { audience, issuer, secret, token } from './tokens.mjs';
import { deadlineMs, patience, until, within } from './wait.mjs';
import { connect, upgradeRequest } from './wire.mjs';

// Free at the moment, and given to no other test of this run, whichever process that is in.
export async function freePort() {
  const port = ports.first + Math.floor(Math.random() * (ports.last - ports.first + 1));
  const server = net.createServer();
  const free = await new Promise((resolve) => {
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
  });
  if (free) await new Promise((resolve) => server.close(resolve));
  return free && take(port) ? port : freePort();
}
// A folder can be made once.
function take(port) {
  try {
    mkdirSync(join(portFolder, String(port)));
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}
// Below those that the kernel gives to clients: one that is free now would be somebody's the next moment.
const ports = { first: 12_000, last: 32_000 };
const portFolder = join(outputFolder, 'ports');
mkdirSync(portFolder, { recursive: true });

export const jwt = (more = {}) => ({
  issuer, audience: [audience], algorithms: ['HS256'], keys: [{ secret }], ...more,
});

export const users = (more = {}) => ({
  jwt: jwt(),
  credentials: [{ header: 'Authorization' }, { subprotocol: 'bearer.' }, { query: 'token' }],
  ...more,
});

// A policy with one backend and one route, and whatever the test wants otherwise. A key of
// undefined is left out.
export function policyOf({ backend, servers, route = {}, routes, backends, backendMore = {}, ...top }) {
  return {
    version: 1,
    workers: 4,
    drain: { spread: '0s', timeout: '10s' },
    log: { level: 'info', format: 'json' },
    authenticators: { users: users() },
    backends: backends ?? {
      chat: { servers: servers ?? [`ws://127.0.0.1:${backend}`], ...backendMore },
    },
    routes: routes ?? [{ path: '/chat', authenticate: ['users'], backend: 'chat', ...route }],
    ...top,
  };
}

// A folder that is gone after the test, and the policy in it. JSON is YAML.
export function writePolicy(t, policy, files = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-e2e-'));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const file = join(folder, 'policy.yaml');
  writeFileSync(file, typeof policy === 'string' ? policy : JSON.stringify(policy, null, 2));
  return file;
}

let started = 0;

class Gateway {
  constructor(name) {
    this.name = name;
    this.output = '';
    this.exited = null;   // { code, signal }
    this.signalled = false;
  }

  spawn(file, env) {
    this.child = spawn(binary, ['run', '--policy', file], {
      stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env },
    });
    this.pid = this.child.pid;
    const copy = createWriteStream(join(logFolder, `${process.pid}-${++started}-${this.name}.log`));
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => {
        this.output += text;
        copy.write(text);
      });
    }
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => resolve({ code: null, error }));
      this.child.once('close', (code, signal) => {
        copy.end();
        resolve({ code, signal });
      });
    }).then((exit) => (this.exited = exit));
  }

  // Every line of its output so far that is a JSON object.
  get log() {
    const lines = [];
    for (const line of this.output.split('\n')) {
      if (!line.startsWith('{')) continue;
      try {
        lines.push(JSON.parse(line));
      } catch {
        // the last line may be half written
      }
    }
    return lines;
  }

  logged(what, matches, ms) {
    return until(`a log line: ${what}`, () => this.log.find(matches), ms);
  }

  url(target = '/chat') {
    return `ws://127.0.0.1:${this.port}${target}`;
  }

  // { status, body }; `json`: what is sent.
  async admin(path, { method = 'GET', json } = {}) {
    return within(`${method} ${path}`, new Promise((resolve, reject) => {
      const body = json === undefined ? undefined : JSON.stringify(json);
      http.request({
        port: this.adminPort, host: '127.0.0.1', path, method, agent: false,
        headers: body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
      }, (response) => {
        let text = '';
        response.on('data', (part) => (text += part));
        response.on('end', () => resolve({ status: response.statusCode, body: text }));
      }).on('error', reject).end(body);
    }));
  }

  // Resident memory in KiB.
  residentKib() {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)[1]);
  }

  signal(name) {
    this.signalled = true;
    this.child.kill(name);
  }

  // Its end leaves nothing to be checked after the test.
  async kill() {
    this.killed = true;
    this.signal('SIGKILL');
    await within(`${this.name} to be gone`, this.ended);
  }

  // Ends it as an operator would, and checks that it ended well.
  async stop() {
    if (this.killed) return this.assertHealthy();
    if (!this.exited && !this.signalled) this.signal('SIGTERM');
    try {
      await within(`${this.name} to exit after SIGTERM`, this.ended, 15_000 * patience);
    } catch (error) {
      this.signal('SIGKILL');
      throw error;
    }
    this.assertHealthy();
    if (this.exited.code !== 0) process.stderr.write(`${this.name}: ${JSON.stringify(this.exited)}\n`);
    assert.deepEqual(this.exited, { code: 0, signal: null }, `its end; it said:\n${this.tail()}`);
  }

  assertHealthy() {
    assert.doesNotMatch(this.output, /Sanitizer|runtime error:|Assertion .* failed/, this.tail());
  }

  tail() {
    return this.output.slice(-6_000);
  }
}

// Starts a gateway and stops it after the test. `policy`: for policyOf(), or a function of the gateway
// that returns the text of one. Ports are the harness's, unless the policy names them.
export async function startGateway(t, policy, { files, env = {} } = {}) {
  for (let attempt = 1; ; ++attempt) {
    const gateway = new Gateway(t.name.replace(/[^A-Za-z0-9]+/g, '-').slice(0, 60));
    gateway.port = await freePort();
    gateway.adminPort = await freePort();
    const all = typeof policy === 'function' ? policy(gateway) : {
      listen: [{ address: `127.0.0.1:${gateway.port}` }],
      admin: { address: `127.0.0.1:${gateway.adminPort}` },
      ...policyOf(policy),
    };
    gateway.file = writePolicy(t, all, files);
    gateway.spawn(gateway.file, env);
    const ready = await until('the gateway to be alive', async () => {
      if (gateway.exited) return 'exited';
      try {
        return (await gateway.admin('/healthz')).status === 200 && 'ready';
      } catch {
        return false;
      }
    }, 10_000 * patience);
    if (ready === 'ready') {
      atEnd(t, () => gateway.stop());
      return gateway;
    }
    // Another process may have taken a port between the look and the use.
    if (gateway.exited.code !== 4 || attempt === 3) {
      throw new Error(`gatehouse did not start: ${JSON.stringify(gateway.exited)}\n${gateway.tail()}`);
    }
  }
}

// A gatehouse command that ends by itself: { code, out, err }.
export function gatehouse(args, { env = {}, input, name = 'command' } = {}) {
  return new Promise((resolve) => {
    const child = execFile(binary, args, { env: { ...process.env, ...env }, timeout: 20_000 * patience },
      (error, out, err) => {
        const copy = createWriteStream(join(logFolder, `${process.pid}-${++started}-${name}.log`));
        copy.end(args[0] === 'token' ? err : out + err);
        resolve({ code: error ? error.code : 0, out, err });
      });
    child.stdin.on('error', () => {});  // it may end without reading
    child.stdin.end(input ?? '');
  });
}

// Sends one opening request and returns { status, fields, peer, body() }. With a token: as
// Authorization.
export async function ask(t, gateway, {
  token: bearer, port = gateway.port, after = '', localAddress, request, ...rest
} = {}) {
  const peer = await connect(port, { localAddress });
  atEnd(t, () => peer.destroy());
  if (bearer) rest.fields = { Authorization: `Bearer ${bearer}`, ...rest.fields };
  peer.send(request ?? upgradeRequest(rest));
  if (after.length) peer.send(after);
  const head = await peer.head();
  return { ...head, peer };
}

// An answer that is not 101 closes the connection.
export async function refused(t, gateway, request) {
  const answer = await ask(t, gateway, request);
  if (answer.status !== 101) {
    await answer.peer.end();
    assert.match(answer.fields.connection.join(), /\bclose\b/i);
  }
  return answer;
}

// An open WebSocket as alice (or `token`), octet by octet.
export async function open(t, gateway, request = {}) {
  const bearer = request.token ?? (await token());
  const answer = await ask(t, gateway, { ...request, token: bearer });
  assert.equal(answer.status, 101, answer.raw);
  answer.peer.opening = answer;
  return answer.peer;
}

export { deadlineMs };
