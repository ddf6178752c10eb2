// Debian's HAProxy as a child process, and what it says of its servers.
import { spawn } from 'node:child_process';
import { atEnd } from './ending.mjs';
import { writePolicy } from './gateway.mjs';
import { until, within } from './wait.mjs';
import { connect } from './wire.mjs';

// With this configuration, until the test is over; it listens on `port`.
export async function startHaproxy(t, configuration, port, env = {}) {
  const file = writePolicy(t, configuration);
  const child = spawn('/usr/sbin/haproxy', ['-db', '-f', file], { stdio: 'ignore', env: { ...process.env, ...env } });
  const ended = new Promise((resolve) => child.once('close', resolve));
  atEnd(t, async () => {
    child.kill('SIGKILL');
    await within('HAProxy to end', ended);
  });
  await until('HAProxy to listen', () => connect(port).then((peer) => peer.destroy() ?? true, () => false));
}

// Its statistics, by proxy and server ("gatehouse/one", "websockets/FRONTEND"), as its page on `port` has
// them: each number by its name there.
export async function statistics(port) {
  const response = await within('the statistics', fetch(`http://127.0.0.1:${port}/;csv`));
  const [head, ...rows] = (await response.text()).replace(/^# /, '').trim().split('\n').map((line) => line.split(','));
  return Object.fromEntries(rows.map((row) => {
    const named = Object.fromEntries(head.map((name, i) => [name, row[i]]));
    return [`${named.pxname}/${named.svname}`, named];
  }));
}
