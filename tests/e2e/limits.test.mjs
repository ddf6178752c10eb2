// CONTRACT section 4 "Limits" and SECURITY 11, 19 and 22: what a connection, an address and a subject may
// do, counted for the instance and not for one of its four workers.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { atEnd } from './harness/ending.mjs';
import { rawBackend, wsBackend } from './harness/backends.mjs';
import { ask, open, startGateway } from './harness/gateway.mjs';
import { token } from './harness/tokens.mjs';
import { sleep, until } from './harness/wait.mjs';
import { connect, frame, opcodes } from './harness/wire.mjs';

const { continuation, text, binary, ping, pong } = opcodes;

async function limited(t, connection, route = {}) {
  const backend = await rawBackend(t);
  const gateway = await startGateway(t, { backend: backend.port, route: { limits: { connection }, ...route } });
  const client = await open(t, gateway);
  return { gateway, client, server: await backend.opened(), backend };
}

const numbered = (count) => Buffer.concat(Array.from({ length: count }, (_, i) => frame(text, `${i}`)));

// What has arrived when a ping sent behind it has been answered; the ping is not counted as a message.
async function arrived(client, server) {
  client.send(frame(ping, 'done'));
  for (;;) {
    const answer = await client.frame();
    if (answer.opcode === pong && answer.payload.toString() === 'done') break;
  }
  await sleep(50);
  const messages = [];
  for (let next = server.takeFrame(); next; next = server.takeFrame()) {
    if (next.opcode === text || next.opcode === binary) messages.push(next.payload.toString());
  }
  return messages;
}

describe("a connection's messages", () => {
  test('over the limit are dropped whole with drop, and the connection goes on', async (t) => {
    const { client, server } = await limited(t, { messages: '2/s', burst: 5, on_exceed: 'drop' });
    client.send(numbered(20));
    assert.deepEqual(await arrived(client, server), ['0', '1', '2', '3', '4']);
    await sleep(700);
    client.send(frame(text, 'later'));
    assert.deepEqual(await arrived(client, server), ['later']);
  });

  test('wait with throttle, and nothing is lost', async (t) => {
    const { client, server } = await limited(t, { messages: '20/s', burst: 5, on_exceed: 'throttle' });
    const began = Date.now();
    client.send(numbered(25));
    for (let i = 0; i < 25; ++i) assert.equal((await server.message()).payload.toString(), `${i}`);
    const seconds = (Date.now() - began) / 1_000;
    assert.ok(seconds > 0.8 && seconds < 3, `25 messages took ${seconds} s at 20/s after a burst of 5`);
  });

  test('wait where on_exceed is left out: throttle is the default here', async (t) => {
    const { client, server } = await limited(t, { messages: '20/s', burst: 2 });
    client.send(numbered(6));
    for (let i = 0; i < 6; ++i) assert.equal((await server.message()).payload.toString(), `${i}`);
  });

  test('over the limit end the connection with 1008 with close', async (t) => {
    const { client, server } = await limited(t, { messages: '2/s', burst: 3, on_exceed: 'close' });
    client.send(numbered(10));
    for (let i = 0; i < 3; ++i) assert.equal((await server.message()).payload.toString(), `${i}`);
    assert.equal((await client.close()).code, 1008);
    assert.equal((await server.close()).code, 1001);
  });

  test('are charged once each, whatever their fragments', async (t) => {
    const { client, server } = await limited(t, { messages: '1/s', burst: 2, on_exceed: 'drop' });
    client.send(frame(text, 'a', { fin: false }), ...Array(50).fill(frame(continuation, 'b', { fin: false })), frame(continuation, 'c'));
    assert.equal((await server.message()).payload.toString(), `a${'b'.repeat(50)}c`);
    client.send(frame(text, 'second', { fin: false }), frame(continuation, ' half'), frame(text, 'third', { fin: false }), frame(continuation, ' half'));
    assert.equal((await server.message()).payload.toString(), 'second half');
    assert.deepEqual(await arrived(client, server), [], 'the third is swallowed with its continuation');
  });

  test('that come from the backend are not limited', async (t) => {
    const { client, server } = await limited(t, { messages: '1/s', burst: 1, on_exceed: 'close' });
    for (let i = 0; i < 50; ++i) server.send(frame(text, `${i}`, { masked: false }));
    for (let i = 0; i < 50; ++i) assert.equal((await client.message()).payload.toString(), `${i}`);
  });

  test('limits of one connection are its own', async (t) => {
    const { gateway, client, server, backend } = await limited(t, { messages: '1/s', burst: 1, on_exceed: 'drop' });
    client.send(numbered(3));
    assert.deepEqual(await arrived(client, server), ['0']);
    const other = await open(t, gateway);
    other.send(frame(text, 'mine'));
    assert.equal((await (await backend.opened(2)).message()).payload.toString(), 'mine');
  });

  test('a hit limit is one audit line, not one a message', async (t) => {
    const { gateway, client, server } = await limited(t, { messages: '1/s', burst: 1, on_exceed: 'drop' });
    client.send(numbered(500));
    await arrived(client, server);
    await gateway.logged('the limit', (line) => line.event === 'limit_hit');
    assert.ok(gateway.log.filter((line) => line.event === 'limit_hit').length <= 3);
  });
});

describe("a connection's octets", () => {
  test('are dropped, throttled or end it', async (t) => {
    const kib = Buffer.alloc(1024, 'x');
    const small = { max_message: '4KiB' };
    const dropping = await limited(t, { bytes: '4KiB/s', on_exceed: 'drop' }, small);
    for (let i = 0; i < 8; ++i) dropping.client.send(frame(binary, kib));
    assert.equal((await arrived(dropping.client, dropping.server)).length, 4);

    const throttling = await limited(t, { bytes: '4KiB/s', on_exceed: 'throttle' }, small);
    const began = Date.now();
    for (let i = 0; i < 8; ++i) throttling.client.send(frame(binary, kib));
    for (let i = 0; i < 8; ++i) assert.equal((await throttling.server.message()).payload.length, 1024);
    const seconds = (Date.now() - began) / 1_000;
    assert.ok(seconds > 0.7 && seconds < 3, `${seconds} s`);

    const closing = await limited(t, { bytes: '4KiB/s', on_exceed: 'close' }, small);
    for (let i = 0; i < 8; ++i) closing.client.send(frame(binary, kib));
    assert.equal((await closing.client.close()).code, 1008);
  });

  test('allow at least one message of max_message', async (t) => {
    const { client, server } = await limited(t, { bytes: '1KiB/s', on_exceed: 'close' }, { max_message: '16KiB' });
    client.send(frame(binary, Buffer.alloc(16 * 1024)));
    assert.equal((await server.message()).payload.length, 16 * 1024);
  });

  test('of a message whose first piece has gone on end it with 1008', async (t) => {
    const { client, server } = await limited(t, { bytes: '1KiB/s', on_exceed: 'drop' }, { max_message: '2KiB' });
    client.send(frame(binary, Buffer.alloc(1500)));
    assert.equal((await server.message()).payload.length, 1500);
    client.send(frame(binary, Buffer.alloc(400), { fin: false }));
    assert.equal((await server.dataFrame()).fin, false);
    client.send(frame(continuation, Buffer.alloc(1500)));
    assert.equal((await client.close()).code, 1008);
    assert.equal((await server.close()).code, 1001);
  });
});

describe('limits that count what is free elsewhere (SECURITY 22)', () => {
  test('a message of over 1024 + max_message/64 frames is 1008', async (t) => {
    const { client, server } = await limited(t, undefined, { max_message: '64KiB' });
    const most = 1024 + 1024;
    client.send(frame(text, '', { fin: false }), ...Array(most - 2).fill(frame(continuation, '', { fin: false })), frame(continuation, 'x'));
    assert.equal((await server.message()).payload.toString(), 'x');
    client.send(frame(text, '', { fin: false }), ...Array(most).fill(frame(continuation, '', { fin: false })));
    assert.equal((await client.close()).code, 1008);
    assert.equal((await server.close()).code, 1001);
  });

  test('over 100 control frames a second are 1008', async (t) => {
    const { gateway, client, server, backend } = await limited(t, undefined);
    client.send(Buffer.concat(Array(90).fill(frame(ping))));
    client.send(frame(text, 'alive'));
    assert.equal((await server.message()).payload.toString(), 'alive');
    const flooding = await open(t, gateway);
    const its = await backend.opened(2);
    flooding.send(Buffer.concat(Array(500).fill(frame(ping))));
    assert.equal((await flooding.close()).code, 1008);
    assert.equal((await its.close()).code, 1001);
    const pongs = await open(t, gateway);
    pongs.send(Buffer.concat(Array(500).fill(frame(pong))));
    assert.equal((await pongs.close()).code, 1008);
  });

  test('a new connection brings no fresh handshakes', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, route: { limits: { ip: { handshakes: '1/s', burst: 3 } } } });
    const statuses = [];
    for (let i = 0; i < 6; ++i) {
      const answer = await ask(t, gateway, { token: await token() });
      statuses.push(answer.status);
      answer.peer.destroy();
    }
    assert.deepEqual(statuses.slice(0, 3), [101, 101, 101]);
    assert.ok(statuses.filter((status) => status === 429).length >= 2);
    await until('the rate to allow again', async () => (await ask(t, gateway, { token: await token() })).status === 101);
  });
});

describe('four workers share what an instance counts', () => {
  const tries = 40;
  async function statuses(t, route, request = async () => ({ token: await token() })) {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, workers: 4, route });
    const answers = await Promise.all(Array.from({ length: tries }, async () => ask(t, gateway, await request())));
    const opened = answers.filter(({ status }) => status === 101);
    const refusals = answers.filter(({ status }) => status === 429);
    assert.equal(opened.length + refusals.length, tries);
    return { opened, gateway };
  }

  test('connections of an address', async (t) => {
    const { opened, gateway } = await statuses(t, { limits: { ip: { connections: 10 } } });
    assert.equal(opened.length, 10);
    for (const { peer } of opened) peer.destroy();
    await until('all places to be free again', async () => {
      const again = await Promise.all(Array.from({ length: 10 }, async () => ask(t, gateway, { token: await token() })));
      const free = again.every(({ status }) => status === 101);
      for (const { peer } of again) peer.destroy();
      return free;
    });
  });

  test('connections of a subject', async (t) => {
    const { opened } = await statuses(t, { limits: { subject: { connections: 7 } } });
    assert.equal(opened.length, 7);
  });

  test('handshakes of an address', async (t) => {
    const { opened } = await statuses(t, { limits: { ip: { handshakes: '1/m', burst: 12 } } });
    assert.equal(opened.length, 12);
  });

  test('connections of the process', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, workers: 4, max_connections: 20 });
    const opened = [];
    for (let i = 0; i < 30; ++i) {
      const answer = await ask(t, gateway, { token: await token() });
      if (answer.status === 101) opened.push(answer);
      else assert.equal(answer.status, 503);
    }
    assert.equal(opened.length, 20);
  });
});

describe('slow openings (SECURITY 11)', () => {
  test('5 000 clients of one octet do not keep a new client out', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, max_connections: 2_000, handshake_timeout: '60s' });
    const slow = [];
    atEnd(t, () => slow.forEach((peer) => peer.destroy()));
    for (let batch = 0; batch < 50; ++batch) {
      slow.push(...await Promise.all(Array.from({ length: 100 }, async () => {
        const peer = await connect(gateway.port);
        return peer.send('G');
      })));
    }
    const began = Date.now();
    const client = await open(t, gateway);
    client.send(frame(text, 'served'));
    assert.equal((await client.message()).payload.toString(), 'served');
    assert.ok(Date.now() - began < 2_000);
    await until('the oldest to be closed', () => slow.filter(({ over }) => over).length >= 4_000);
    assert.ok(slow.slice(0, 1_000).every(({ over }) => over), 'the oldest are the ones that went');
    assert.ok(!slow.at(-1).over, 'the newest is still waited for');
  });
});

describe('a flood of refusals (SECURITY 19)', () => {
  test('leaves a bounded log that counts them all', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const count = 3_000;
    for (let sent = 0; sent < count; sent += 100) {
      await Promise.all(Array.from({ length: 100 }, async () => {
        const answer = await ask(t, gateway, { token: 'rubbish' });
        assert.equal(answer.status, 401);
        answer.peer.destroy();
      }));
    }
    const lines = (event) => gateway.log.filter((line) => line.event === event);
    const told = () => lines('connection_refused').length +
      lines('connection_refused_suppressed').reduce((sum, line) => sum + line.count, 0);
    await until('the log to account for every refusal', () => told() >= count);
    assert.equal(told(), count);
    const written = lines('connection_refused').length + lines('connection_refused_suppressed').length;
    assert.ok(written <= 400, `${written} lines for ${count} refusals`);
  });
});
