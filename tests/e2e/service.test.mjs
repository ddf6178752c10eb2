// What a service manager is told (sd_notify(3)), by a socket that others wrote.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { wsBackend } from './harness/backends.mjs';
import { atEnd } from './harness/ending.mjs';
import { open, startGateway } from './harness/gateway.mjs';
import { until, within } from './harness/wait.mjs';

// Node has no sockets of datagrams with a path.
const listener = `
import socket, sys
socket_ = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = sys.argv[1]
socket_.bind("\\0" + name[1:] if name.startswith("@") else name)
print("bound", flush=True)
while True:
    print(socket_.recv(4096).decode(), flush=True)
`;

async function manager(t, name) {
  const child = spawn('/usr/bin/python3', ['-c', listener, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const heard = [];
  let text = '';
  child.stdout.on('data', (part) => {
    const lines = (text + part).split('\n');
    text = lines.pop();
    for (const line of lines) heard.push({ line, at: Date.now() });
  });
  atEnd(t, async () => {
    child.kill();
    await within('the listener to end', ended);
  });
  await until('the listener to be there', () => heard.length);
  heard.shift();
  return {
    name,
    heard,
    lines: () => heard.map(({ line }) => line),
    hears: (line, count = 1) => until(`${count} ${line} among ${JSON.stringify(heard)}`,
      () => heard.filter((each) => each.line === line).length >= count),
  };
}

const pathIn = (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-notify-'));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'notify');
};

const start = async (t, env) => {
  const backend = await wsBackend(t);
  return startGateway(t, { backend: backend.port, drain: { delay: '300ms', spread: '0s', timeout: '5s' } }, { env });
};

describe('a service manager', () => {
  for (const [kind, name] of [['a path', pathIn], ['an abstract name', () => `@gatehouse-test-${process.pid}`]]) {
    test(`at a socket with ${kind} hears that the gateway is ready and, from SIGTERM on, that it ends`, async (t) => {
      const told = await manager(t, name(t));
      const gateway = await start(t, { NOTIFY_SOCKET: told.name });
      await told.hears('READY=1');
      (await open(t, gateway)).destroy();
      assert.deepEqual(told.lines(), ['READY=1']);
      gateway.signal('SIGTERM');
      await told.hears('STOPPING=1');
      assert.equal((await gateway.admin('/healthz')).status, 200, 'said at the beginning of the drain');
      await within('the process to exit', gateway.ended);
      assert.deepEqual(told.lines(), ['READY=1', 'STOPPING=1']);
    });
  }

  test('that wants signs of life hears them more often than it asks for', async (t) => {
    const told = await manager(t, pathIn(t));
    await start(t, { NOTIFY_SOCKET: told.name, WATCHDOG_USEC: '400000' });
    await told.hears('WATCHDOG=1', 5);
    const times = told.heard.filter(({ line }) => line === 'WATCHDOG=1').map(({ at }) => at);
    for (let i = 1; i < times.length; ++i) assert.ok(times[i] - times[i - 1] < 400, `${times}`);
  });

  test('that wants them of another process hears none', async (t) => {
    const told = await manager(t, pathIn(t));
    const gateway = await start(t, { NOTIFY_SOCKET: told.name, WATCHDOG_USEC: '40000', WATCHDOG_PID: '1' });
    await told.hears('READY=1');
    (await open(t, gateway)).destroy();
    gateway.signal('SIGTERM');
    await told.hears('STOPPING=1');
    assert.deepEqual(told.lines(), ['READY=1', 'STOPPING=1']);
  });

  test('that cannot be reached, or a name that is none, keeps nobody from being served', async (t) => {
    for (const name of ['/nonexistent/notify', '@', 'relative', `/${'x'.repeat(200)}`, '']) {
      const gateway = await start(t, { NOTIFY_SOCKET: name, WATCHDOG_USEC: '100000' });
      (await open(t, gateway)).destroy();
    }
  });
});
