// CONTRACT section 4 "Slow readers" and SECURITY 12 where messages are read: a member that does not read
// costs the others nothing and the process a bounded amount of memory.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rawBackend } from './harness/backends.mjs';
import { open, roomClient, roomClients, roomPeer, startRooms } from './harness/rooms.mjs';
import { patience, sleep, until } from './harness/wait.mjs';
import { frame, opcodes } from './harness/wire.mjs';

const kib = 1024;
const payload = 'x'.repeat(16 * kib);
const underWay = 8;         // publications that not everybody has heard
const publications = 1_500;  // 24 MiB; the kernel takes a few of them for who does not read

const closed = (gateway, code) => gateway.log.filter((line) => line.event === 'connection_closed' && line.code === code);

async function stoppedPeers(t, gateway, count) {
  const peers = await Promise.all(Array.from({ length: count }, async (_, i) => {
    const peer = await roomPeer(t, gateway, `stopped-${i}`);
    peer.say({ type: 'join', room: 'lobby' });
    assert.equal((await peer.hear()).type, 'joined');
    peer.socket.pause();
    return peer;
  }));
  return peers;
}

// Publishes until `enough`, at the pace of those who read: each hears every message, in order.
async function publish(readers, enough) {
  const heard = new Map(readers.map((reader) => [reader, 0]));
  let sent = 0;
  for (; sent < publications && !enough(); ++sent) {
    readers[0].say({ type: 'message', room: 'lobby', payload: { n: sent, payload } });
    await until('the readers to keep up', () => {
      for (const reader of readers) {
        for (const { payload: { n } } of reader.inbox.splice(0)) {
          assert.equal(n, heard.get(reader));
          heard.set(reader, n + 1);
        }
      }
      return [...heard.values()].every((count) => count > sent - underWay);
    });
  }
  await until('the readers to hear the rest', () => readers.every((reader) => reader.inbox.length === sent - heard.get(reader)));
  for (const reader of readers) reader.inbox.length = 0;
  return sent;
}

describe('a member that stops reading', () => {
  test('is closed with 1013 when send_queue is full; the room goes on, and memory is flat', async (t) => {
    const gateway = await startRooms(t, { route: { send_queue: '256KiB', stall_timeout: '60s' } });
    const readers = await roomClients(t, gateway, 4, ['lobby'], 'reader');
    const stopped = await stoppedPeers(t, gateway, 12);
    let rounds = 0;
    await publish(readers, () => ++rounds > 20);
    const before = gateway.residentKib();
    let most = before;
    await publish(readers, () => {
      most = Math.max(most, gateway.residentKib());
      return closed(gateway, 1013).length === stopped.length;
    });
    assert.equal(closed(gateway, 1013).length, stopped.length);
    for (const { subject, by, reason } of closed(gateway, 1013)) {
      assert.match(subject, /^stopped-/);
      assert.deepEqual([by, reason], ['gateway', 'client_stalled']);
    }
    // Queues share what is published: all of it, kept for one, would be 24 MiB.
    assert.ok(most - before < 8 * kib * patience, `${most - before} KiB more`);
    await publish(readers, () => ++rounds > 100);
    assert.ok(readers.every(({ close }) => close === undefined));
  });

  test('hears 1013 if it reads again in time', async (t) => {
    const gateway = await startRooms(t, { route: { send_queue: '256KiB' } });
    const readers = await roomClients(t, gateway, 2, ['lobby'], 'reader');
    const [peer] = await stoppedPeers(t, gateway, 1);
    await publish(readers, () => closed(gateway, 1013).length === 1);
    peer.socket.resume();
    assert.equal((await peer.close()).code, 1013);
  });

  test('and goes on before send_queue is full has lost nothing', async (t) => {
    const gateway = await startRooms(t, { route: { send_queue: '32MiB' } });
    const readers = await roomClients(t, gateway, 2, ['lobby'], 'reader');
    const [peer] = await stoppedPeers(t, gateway, 1);
    let count = 0;
    const sent = await publish(readers, () => ++count > 700);
    peer.socket.resume();
    for (let n = 0; n < sent; ++n) assert.equal((await peer.hear()).payload.n, n);
    assert.deepEqual(closed(gateway, 1013), []);
  });

  test('is closed with 1013 after stall_timeout without progress', async (t) => {
    const gateway = await startRooms(t, { route: { send_queue: '64MiB', stall_timeout: '1s' } });
    const readers = await roomClients(t, gateway, 2, ['lobby'], 'reader');
    await stoppedPeers(t, gateway, 1);
    let count = 0;
    await publish(readers, () => ++count > 700);
    await gateway.logged('its end', (line) => line.event === 'connection_closed' && line.code === 1013 && line.subject === 'stopped-0');
    await publish(readers, () => ++count > 710);
  });
});

describe('a client that does not read its answers', () => {
  test('is closed with 1013, and memory is flat', async (t) => {
    const gateway = await startRooms(t, { rooms: [open('*')], route: { send_queue: '64KiB', stall_timeout: '60s' } });
    const peer = await roomPeer(t, gateway);
    const room = 'r'.repeat(256);
    peer.socket.pause();
    const batch = Buffer.concat(Array(200).fill(frame(opcodes.text, JSON.stringify({ type: 'leave', room }))));
    const before = gateway.residentKib();
    let most = before;
    await until('its end', async () => {
      if (peer.socket.writableLength < kib * kib) peer.send(batch);
      most = Math.max(most, gateway.residentKib());
      return closed(gateway, 1013).length === 1;
    }, 20_000 * patience);
    assert.ok(most - before < 8 * kib * patience, `${most - before} KiB more`);
    const other = await roomClient(t, gateway, 'bob');
    await other.join('lobby');
  });
});

describe('a backend whose client does not read', () => {
  test('is not read either, and nothing is lost', async (t) => {
    const backend = await rawBackend(t);
    const gateway = await startRooms(t, { backend: backend.port, route: { send_queue: '256KiB', stall_timeout: '60s' } });
    const peer = await roomPeer(t, gateway);
    const server = await backend.opened();
    peer.socket.pause();
    const before = gateway.residentKib();
    const count = 1_500;
    for (let n = 0; n < count; ++n) server.send(frame(opcodes.text, `${n} ${payload}`, { masked: false }));
    let left = Infinity;
    await until('the backend to be held', async () => {
      const now = server.socket.writableLength;
      await sleep(100);
      const held = now > 0 && server.socket.writableLength === now;
      left = now;
      return held;
    });
    assert.ok(left > 4 * kib * kib, `${left} octets wait in the backend`);
    assert.ok(gateway.residentKib() - before < 4 * kib * patience, `${gateway.residentKib() - before} KiB more`);
    peer.socket.resume();
    for (let n = 0; n < count; ++n) assert.equal((await peer.message()).payload.toString('latin1', 0, 5).split(' ')[0], `${n}`);
  });
});
