// Thousands who begin a TLS handshake and do not end it keep out nobody who does.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { wsBackend } from './harness/backends.mjs';
import { atEnd } from './harness/ending.mjs';
import { scrape, untilMetric } from './harness/metrics.mjs';
import { client, echoes, firstFlight, secureGateway, urlOf } from './harness/secure.mjs';
import { patience, sleep, until } from './harness/wait.mjs';
import { connect } from './harness/wire.mjs';

const sanitized = process.env.GATEHOUSE_SANITIZED;
const count = sanitized ? 300 : 3_000;  // of each kind
const rubbishCount = 200;
const atOnce = 100;
const timeoutMs = 6_000;
const closedMs = timeoutMs + 10_000 * patience;

// make(i) for each i below `all`, so many at once.
async function crowd(all, make) {
  const made = [];
  while (made.length < all) {
    const some = Array.from({ length: Math.min(atOnce, all - made.length) }, (_, i) => made.length + i);
    made.push(...await Promise.all(some.map(make)));
  }
  return made;
}

// Those who say nothing, half, all and nothing behind it; and who say an octet more now and then.
async function slowClients(t, gateway, hello) {
  const dribblers = [];
  const timer = setInterval(() => {
    for (const one of dribblers) if (one.at < hello.length && !one.peer.over) one.peer.send(hello.subarray(one.at, ++one.at));
  }, 500);
  atEnd(t, () => clearInterval(timer));
  return crowd(count, async (i) => {
    const at = performance.now();
    const peer = await connect(gateway.port);
    atEnd(t, () => peer.destroy());
    if (i % 4 === 3) dribblers.push({ peer, at: 0 });
    else peer.send(hello.subarray(0, [0, hello.length >> 1, hello.length][i % 4]));
    return { peer, at };
  });
}

// Those who leave in the middle of what they say, or break off after what the server says to all of it.
const cutClients = (gateway, hello) => crowd(count, async (i) => {
  const peer = await connect(gateway.port);
  if (i % 2) {
    peer.send(hello.subarray(0, hello.length >> 1)).destroy();
  } else {
    peer.send(hello);
    await peer.take('the flight of the server', () => peer.octets > 0 || undefined, 20_000 * patience);
    peer.socket.resetAndDestroy();
  }
});

const brokenClients = (gateway) => crowd(rubbishCount, async () => {
  const peer = await connect(gateway.port);
  peer.send('neither TLS nor anything else\r\n');
  await peer.end(20_000 * patience);
  peer.destroy();
});

// Who does it right, one after the other, until stop(): how long each took, from TCP to an echo.
function goodClients(t, gateway) {
  const took = [];
  let stopped = false;
  const over = (async () => {
    for (; !stopped; await sleep(20)) {
      const began = performance.now();
      const socket = await client(t, urlOf(gateway));
      await echoes(socket);
      took.push(Math.round(performance.now() - began));
      socket.terminate();
    }
    return took;
  })();
  const stop = () => {
    stopped = true;
    return over;
  };
  atEnd(t, () => stop().catch(() => {}));  // whoever stopped it has been told
  return { stop };
}

const descriptors = (gateway) => readdirSync(`/proc/${gateway.pid}/fd`).length;

// Of those refused for `reason`, by the log: a line each, or left out and counted.
const logged = (gateway, reason) => gateway.log.filter((line) => line.reason === reason).reduce((sum, { event, count: more }) =>
  sum + (event === 'connection_refused' ? 1 : event === 'connection_refused_suppressed' ? more : 0), 0);

describe('TLS handshakes by the thousand', () => {
  test('that are slow, cut or none end in time, are counted, give back what they took, and hold up nobody', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await secureGateway(t, { backend: backend.port, handshake_timeout: `${timeoutMs}ms` });
    const hello = await firstFlight();
    await echoes(await client(t, urlOf(gateway)));
    const [memory, open] = [gateway.residentKib(), descriptors(gateway)];
    const good = goodClients(t, gateway);
    const slow = await slowClients(t, gateway, hello);
    await Promise.all([cutClients(gateway, hello), brokenClients(gateway)]);
    const most = gateway.residentKib();
    await Promise.all(slow.map(async (one) => {
      await one.peer.end(closedMs);
      one.lasted = performance.now() - one.at;
      one.peer.destroy();
    }));
    for (const { lasted } of slow) assert.ok(lasted > timeoutMs - 100 && lasted < closedMs, `${lasted} ms`);
    const took = (await good.stop()).sort((a, b) => a - b);
    assert.ok(took.length >= 5, `${took.length} good clients`);
    assert.ok(took.at(-1) < 4_000 * patience, `a good client took ${took.at(-1)} ms`);
    await untilMetric(gateway, count, 'gatehouse_handshakes_refused_total', { reason: 'tls_too_slow' });
    await untilMetric(gateway, count + rubbishCount, 'gatehouse_handshakes_refused_total', { reason: 'tls_failed' });
    await until('the log to have them all', () =>
      logged(gateway, 'tls_too_slow') === count && logged(gateway, 'tls_failed') === count + rubbishCount);
    await until('all connections to be over', () => descriptors(gateway) <= open);
    assert.equal((await scrape(gateway)).value('gatehouse_admitting_connections'), 0);
    t.diagnostic(`${count} slow, ${count} cut: ${took.length} good clients meanwhile, half of them within ` +
      `${took[took.length >> 1]} ms, all within ${took.at(-1)} ms; resident memory ${memory} KiB before, ${most} KiB meanwhile`);
    if (sanitized) return;  // it holds memory of its own
    assert.ok(most - memory < 48 * count, `${most - memory} KiB`);
    await until('the memory to be given back', () => gateway.residentKib() < memory + 16 * 1_024, 20_000);
  });

  test('that want more than there is room for give way, the oldest first, to whoever comes', async (t) => {
    const backend = await wsBackend(t);
    const limit = 400;
    const gateway = await secureGateway(t, { backend: backend.port, max_connections: limit, handshake_timeout: '60s' });
    const settled = await client(t, urlOf(gateway));
    const hello = await firstFlight();
    const waiting = await crowd(count, async (i) => {
      const peer = await connect(gateway.port);
      atEnd(t, () => peer.destroy());
      return peer.send(hello.subarray(0, [0, 1, hello.length >> 1, hello.length][i % 4]));
    });
    // Half of all may be at the door; each worker sees to its own.
    await until('the others to be gone', () => waiting.filter(({ over }) => !over).length <= limit / 2 + 4);
    for (let i = 0; i < 20; ++i) await echoes(await client(t, urlOf(gateway)));
    await echoes(settled);
    const { value } = await scrape(gateway);
    assert.ok(value('gatehouse_handshakes_refused_total', { reason: 'crowded' }) >= count - limit / 2 - 4);
    assert.ok(value('gatehouse_accepted_connections') <= limit);
    assert.equal(value('gatehouse_handshakes_total', { code: '101' }), 21);
  });
});
