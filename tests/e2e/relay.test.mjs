// DESIGN "How a frame travels", CONTRACT section 4 and SECURITY 1, 12 and 22: what passes between two
// sides, in pieces, in order, at their pace, and what never passes.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rawBackend, wsBackend } from './harness/backends.mjs';
import { jwt, open, startGateway, users } from './harness/gateway.mjs';
import { now, token } from './harness/tokens.mjs';
import { sleep, until } from './harness/wait.mjs';
import { closeOf, frame, opcodes } from './harness/wire.mjs';

const { continuation, text, binary, close, ping, pong } = opcodes;
const toClient = { masked: false };
const MiB = 1024 * 1024;

// A raw client and a raw backend, with the gateway between them.
async function pair(t, policy = {}, request = {}) {
  const backend = await rawBackend(t);
  const gateway = await startGateway(t, { backend: backend.port, ...policy });
  const client = await open(t, gateway, request);
  return { gateway, client, server: await backend.opened(), backend };
}

describe('messages', () => {
  test('text and binary of every length form pass both ways', async (t) => {
    const { client, server } = await pair(t, { route: { max_message: '1MiB' } });
    for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, 200_000]) {
      for (const opcode of [text, binary]) {
        const payload = Buffer.alloc(size, 'gate');
        client.send(frame(opcode, payload));
        const there = await server.message();
        assert.equal(there.opcode, opcode);
        assert.ok(there.payload.equals(payload), `${size} octets to the backend`);
        server.send(frame(opcode, payload, toClient));
        const back = await client.message();
        assert.equal(back.opcode, opcode);
        assert.ok(back.payload.equals(payload), `${size} octets to the client`);
      }
    }
  });

  test('what the backend gets is masked, and what the client gets is not', async (t) => {
    const { client, server } = await pair(t);
    client.send(frame(text, 'up'));
    assert.equal((await server.dataFrame()).masked, true);
    server.send(frame(text, 'down', toClient));
    assert.equal((await client.dataFrame()).masked, false);
  });

  test('a masking key of zeros and one that repeats the text are only keys', async (t) => {
    const { client, server } = await pair(t);
    for (const key of [Buffer.alloc(4), Buffer.from('gate')]) {
      client.send(frame(text, 'gategategate', { key }));
      assert.equal((await server.message()).payload.toString(), 'gategategate');
    }
  });

  test('a fragmented message stays one message, with control frames in between', async (t) => {
    const { client, server } = await pair(t);
    client.send(frame(text, 'one ', { fin: false }), frame(ping, 'p'), frame(continuation, 'two ', { fin: false }),
      frame(continuation, ''), frame(text, 'next'));
    assert.equal((await server.message()).payload.toString(), 'one two ');
    assert.equal((await server.message()).payload.toString(), 'next');
    const answer = await client.frame();
    assert.deepEqual([answer.opcode, answer.payload.toString()], [pong, 'p']);
    server.send(frame(binary, 'a', { fin: false, ...toClient }), frame(ping, 'q', toClient), frame(continuation, 'b', toClient));
    const back = await client.message();
    assert.deepEqual([back.opcode, back.payload.toString()], [binary, 'ab']);
  });

  test('octet by octet is the same as at once', async (t) => {
    const { client, server } = await pair(t);
    const octets = Buffer.concat([frame(text, 'héllo', { fin: false }), frame(ping), frame(continuation, ' wörld')]);
    for (const octet of octets) {
      client.send(Buffer.from([octet]));
      await new Promise(setImmediate);
    }
    assert.equal((await server.message()).payload.toString(), 'héllo wörld');
  });

  test('many small messages keep their number and order', async (t) => {
    const { client, server } = await pair(t);
    const count = 5_000;
    const all = [];
    for (let i = 0; i < count; ++i) all.push(frame(text, `message ${i}`));
    client.send(Buffer.concat(all));
    for (let i = 0; i < count; ++i) assert.equal((await server.message()).payload.toString(), `message ${i}`);
  });

  test('a frame passes in pieces before it is complete, both ways', async (t) => {
    const { client, server } = await pair(t, { route: { max_message: '4MiB' } });
    const whole = frame(binary, Buffer.alloc(MiB, 'x'));
    client.send(whole.subarray(0, 100_000));
    const first = await server.dataFrame();
    assert.equal(first.opcode, binary);
    assert.equal(first.fin, false);
    client.send(whole.subarray(100_000));
    let got = first.payload.length;
    for (let last = first; !last.fin; got += last.payload.length) {
      last = await server.dataFrame();
      assert.equal(last.opcode, continuation);
    }
    assert.equal(got, MiB);
    const down = frame(text, Buffer.alloc(MiB, 'y'), toClient);
    server.send(down.subarray(0, 100_000));
    assert.equal((await client.dataFrame()).fin, false);
    server.send(down.subarray(100_000));
  });

  test('pings stay on their hop: answered here, not forwarded', async (t) => {
    const { client, server } = await pair(t);
    client.send(frame(ping, 'from the client'), frame(text, 'after'));
    const answer = await client.frame();
    assert.deepEqual([answer.opcode, answer.payload.toString()], [pong, 'from the client']);
    assert.equal((await server.frame()).payload.toString(), 'after');
    server.send(frame(ping, 'from the backend', toClient), frame(text, 'after', toClient));
    const back = await server.frame();
    assert.deepEqual([back.opcode, back.payload.toString(), back.masked], [pong, 'from the backend', true]);
    assert.equal((await client.frame()).payload.toString(), 'after');
  });

  test('a pong that nobody asked for is ignored', async (t) => {
    const { client, server } = await pair(t);
    client.send(frame(pong, 'unasked'), frame(text, 'after'));
    assert.equal((await server.frame()).payload.toString(), 'after');
  });
});

describe('sizes', () => {
  test('a client message of exactly max_message passes and one octet more is 1009', async (t) => {
    const { gateway, client, server, backend } = await pair(t, { route: { max_message: '1KiB' } });
    client.send(frame(binary, Buffer.alloc(1024)));
    assert.equal((await server.message()).payload.length, 1024);
    client.send(frame(binary, Buffer.alloc(512), { fin: false }), frame(continuation, Buffer.alloc(512)));
    assert.equal((await server.message()).payload.length, 1024);
    client.send(frame(binary, Buffer.alloc(1025)));
    assert.equal((await client.close()).code, 1009);
    assert.equal((await server.close()).code, 1001);
    const other = await open(t, gateway);
    await backend.opened(2);
    other.send(frame(binary, Buffer.alloc(1000), { fin: false }), frame(continuation, Buffer.alloc(25)));
    assert.equal((await other.close()).code, 1009, 'fragments are summed');
    const { code } = await backend.peers[1].close();
    assert.equal(code, 1001);
  });

  test('an announced length over max_message is refused at its header', async (t) => {
    const { client, server } = await pair(t);
    client.send(frame(binary, '', { length: 65 * 1024 }));
    assert.equal((await client.close()).code, 1009);
    assert.equal((await server.close()).code, 1001);
  });

  test('a backend may send messages of any size', async (t) => {
    const { client, server } = await pair(t);
    server.send(frame(binary, Buffer.alloc(5 * MiB, 'z'), toClient));
    assert.equal((await client.message()).payload.length, 5 * MiB);
  });
});

describe('frames that no honest peer sends (SECURITY 1)', () => {
  const fromClient = {
    'a length of 2^63 - 1': [() => frame(binary, '', { length: 2n ** 63n - 1n }), [1009, 1002]],
    'a length of 2^63': [() => frame(binary, '', { length: 2n ** 63n, wide: 64 }), [1002, 1009]],
    'a length of 2^64 - 1': [() => frame(binary, '', { length: 2n ** 64n - 1n, wide: 64 }), [1002, 1009]],
    'a short length in the 16-bit form': [() => frame(text, 'x', { wide: 16 }), [1002]],
    'a short length in the 64-bit form': [() => frame(text, 'x', { wide: 64 }), [1002]],
    'RSV1': [() => frame(text, 'x', { rsv: 4 }), [1002]],
    'RSV2': [() => frame(text, 'x', { rsv: 2 }), [1002]],
    'RSV3': [() => frame(text, 'x', { rsv: 1 }), [1002]],
    'RSV1 on a ping': [() => frame(ping, '', { rsv: 4 }), [1002]],
    'a ping of 126 octets': [() => frame(ping, 'x'.repeat(126)), [1002]],
    'a fragmented ping': [() => frame(ping, 'x', { fin: false }), [1002]],
    'a fragmented close': [() => frame(close, '', { fin: false }), [1002]],
    'an unmasked frame': [() => frame(text, 'x', { masked: false }), [1002]],
    'a continuation of nothing': [() => frame(continuation, 'x'), [1002]],
    'a message inside a message': [() => Buffer.concat([frame(text, 'x', { fin: false }), frame(text, 'y')]), [1002]],
    ...Object.fromEntries([3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
      (opcode) => [`opcode ${opcode}`, [() => frame(opcode, 'x'), [1002]]])),
  };
  for (const [name, [octets, codes]] of Object.entries(fromClient)) {
    test(`${name} from a client ends that client only`, async (t) => {
      const { gateway, client, server } = await pair(t);
      client.send(octets());
      const { code } = await client.close();
      assert.ok(codes.includes(code), `${code}`);
      assert.equal((await server.close()).code, 1001);
      await open(t, gateway);
    });
  }

  const fromBackend = {
    'a length of 2^64 - 1': () => frame(binary, '', { length: 2n ** 64n - 1n, wide: 64, ...toClient }),
    'a length of 2^63': () => frame(binary, '', { length: 2n ** 63n, wide: 64, ...toClient }),
    'RSV1': () => frame(text, 'x', { rsv: 4, ...toClient }),
    'a masked frame': () => frame(text, 'x'),
    'opcode 3': () => frame(3, 'x', toClient),
    'a ping of 126 octets': () => frame(ping, 'x'.repeat(126), toClient),
    'a continuation of nothing': () => frame(continuation, 'x', toClient),
  };
  for (const [name, octets] of Object.entries(fromBackend)) {
    test(`${name} from a backend is 1014 for its client and 1002 for it`, async (t) => {
      const { gateway, client, server } = await pair(t);
      server.send(octets());
      assert.equal((await client.close()).code, 1014);
      assert.equal((await server.close()).code, 1002);
      await open(t, gateway);
    });
  }

  test('an announced length costs no memory', async (t) => {
    const { gateway, server } = await pair(t);
    const before = gateway.residentKib();
    server.send(frame(binary, Buffer.alloc(1000), { length: 2 ** 40, ...toClient }));
    const other = await open(t, gateway);
    other.send(frame(text, 'still here'));
    assert.ok(gateway.residentKib() - before < 20_000);
  });
});

describe('text', () => {
  const wrong = [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0x80], [0xf8, 0x88, 0x80, 0x80, 0x80]];

  test('that is not UTF-8 from a client is 1007, whole or in pieces', async (t) => {
    const { gateway, backend } = await pair(t);
    let count = 1;
    for (const octets of wrong) {
      for (const pieces of [[Buffer.from([0x61, ...octets])], [Buffer.from('a'), Buffer.from(octets)]]) {
        const client = await open(t, gateway);
        const server = await backend.opened(++count);
        pieces.forEach((piece, i) => client.send(
          frame(i === 0 ? text : continuation, piece, { fin: i === pieces.length - 1 })));
        assert.equal((await client.close()).code, 1007, octets.join());
        assert.equal((await server.close()).code, 1001);
      }
    }
  });

  test('that is not UTF-8 from a backend never is finished at the client', async (t) => {
    const { gateway, backend } = await pair(t);
    let count = 1;
    for (const octets of wrong) {
      const client = await open(t, gateway);
      const server = await backend.opened(++count);
      server.send(frame(text, Buffer.from([0x61, ...octets]), toClient));
      for (;;) {
        const got = await client.frame();
        if (got.opcode === close) {
          assert.equal(closeOf(got).code, 1014, octets.join());
          break;
        }
        assert.equal(got.fin, false, 'a message that is not UTF-8 was finished');
      }
      assert.equal((await server.close()).code, 1007);
    }
  });

  test('may be cut inside a character, by frames and by reads, both ways', async (t) => {
    const { client, server } = await pair(t);
    const octets = Buffer.from('a€𝄞é');
    for (let cut = 1; cut < octets.length; ++cut) {
      client.send(frame(text, octets.subarray(0, cut), { fin: false }), frame(continuation, octets.subarray(cut)));
      assert.equal((await server.message()).payload.toString(), 'a€𝄞é');
      server.send(frame(text, octets.subarray(0, cut), { fin: false, ...toClient }), frame(continuation, octets.subarray(cut), toClient));
      assert.equal((await client.message()).payload.toString(), 'a€𝄞é');
    }
    const whole = frame(text, octets);
    for (const octet of whole) {
      client.send(Buffer.from([octet]));
      await new Promise(setImmediate);
    }
    assert.equal((await server.message()).payload.toString(), 'a€𝄞é');
  });

  test('rules do not hold for binary', async (t) => {
    const { client, server } = await pair(t);
    for (const octets of wrong) {
      client.send(frame(binary, Buffer.from(octets)));
      assert.ok((await server.message()).payload.equals(Buffer.from(octets)));
      server.send(frame(binary, Buffer.from(octets), toClient));
      assert.ok((await client.message()).payload.equals(Buffer.from(octets)));
    }
  });
});

describe('a sender that stalls inside a frame', () => {
  const waiting = {
    authenticators: { users: users({ jwt: jwt({ leeway: '0s' }) }) },
    route: { heartbeat: { interval: '300ms', timeout: '20s' } },
  };
  const until4401 = async (side) => {
    const seen = [];
    for (;;) {
      const next = await side.frame();
      if (next.opcode === close) return { seen, code: closeOf(next).code };
      seen.push(next);
    }
  };

  test('as client gets its ping and its 4401, and its backend a ping and 1001', async (t) => {
    const { client, server } = await pair(t, waiting, { token: await token({ exp: now() + 1.5 }) });
    const whole = frame(text, 'x'.repeat(30_000));
    client.send(whole.subarray(0, 10_000));
    const [ofClient, ofServer] = await Promise.all([until4401(client), until4401(server)]);
    assert.equal(ofClient.code, 4401);
    assert.ok(ofClient.seen.some(({ opcode }) => opcode === ping), 'the client got a ping');
    assert.equal(ofServer.code, 1001);
    assert.ok(ofServer.seen.some(({ opcode }) => opcode === ping), 'the backend got a ping');
    assert.ok(ofServer.seen.every(({ opcode, fin }) => opcode === ping || fin === false), 'the message is never finished');
  });

  test('as backend gets its ping and its Close, and its client a ping and 4401', async (t) => {
    const { client, server } = await pair(t, waiting, { token: await token({ exp: now() + 1.5 }) });
    server.send(frame(text, 'y'.repeat(30_000), toClient).subarray(0, 10_000));
    const [ofClient, ofServer] = await Promise.all([until4401(client), until4401(server)]);
    assert.equal(ofClient.code, 4401);
    assert.ok(ofClient.seen.some(({ opcode }) => opcode === ping), 'the client got a ping');
    assert.equal(ofServer.code, 1001);
    assert.ok(ofServer.seen.some(({ opcode }) => opcode === ping), 'the backend got a ping');
  });

  test('inside a frame header is no different', async (t) => {
    const { client, server } = await pair(t, waiting, { token: await token({ exp: now() + 1 }) });
    client.send(frame(text, 'x'.repeat(300)).subarray(0, 3));
    const [ofClient, ofServer] = await Promise.all([until4401(client), until4401(server)]);
    assert.equal(ofClient.code, 4401);
    assert.equal(ofServer.code, 1001);
  });
});

describe('a slow reader (SECURITY 12)', () => {
  // Writes until the kernel and the gateway take no more; returns the octets that were taken.
  async function fill(peer, opcode, options, limit) {
    const message = frame(opcode, Buffer.alloc(32 * 1024, 'f'), options);
    let taken = 0;
    while (taken < limit) {
      const room = peer.socket.write(message);
      taken += message.length;
      if (!room) {
        const drained = new Promise((resolve) => peer.socket.once('drain', () => resolve(true)));
        if (!(await Promise.race([drained, sleep(400).then(() => false)]))) return { taken, stopped: true };
      }
    }
    return { taken, stopped: false };
  }
  const limit = 200 * MiB;

  test('that is a client stops its backend, memory stays flat, and then it is closed', async (t) => {
    const { gateway, client, server } = await pair(t,
      { route: { send_queue: '256KiB', stall_timeout: '1500ms', max_message: '1MiB' } });
    client.socket.pause();
    const before = gateway.residentKib();
    const { taken, stopped } = await fill(server, binary, toClient, limit);
    assert.ok(stopped, `the backend could send ${taken} octets to a client that reads nothing`);
    assert.ok(gateway.residentKib() - before < 10_000, `${before} -> ${gateway.residentKib()} KiB`);
    assert.equal((await server.close()).code, 1001);
    client.socket.resume();
    assert.equal((await client.close()).code, 1013, 'what a client reads that wakes up after all');
    await gateway.logged('the close with 1013', (line) => line.event === 'connection_closed' && line.code === 1013);
  });

  test('that is a client and catches up in time loses nothing', async (t) => {
    const { client, server } = await pair(t, { route: { send_queue: '256KiB', stall_timeout: '20s' } });
    client.socket.pause();
    const { taken } = await fill(server, binary, toClient, limit);
    const messages = taken / (32 * 1024 + 4);
    client.socket.resume();
    for (let i = 0; i < Math.floor(messages); ++i) await client.message();
    server.send(frame(text, 'last', toClient));
    for (;;) {
      const got = await client.message();
      if (got.opcode === text) break;
    }
    client.send(frame(text, 'alive'));
    assert.equal((await server.message()).payload.toString(), 'alive');
  });

  test('that is a backend stops its client, memory stays flat, and nothing is lost', async (t) => {
    const { gateway, client, server } = await pair(t, { route: { send_queue: '256KiB', stall_timeout: '20s' } });
    server.socket.pause();
    const before = gateway.residentKib();
    const { taken, stopped } = await fill(client, binary, {}, limit);
    assert.ok(stopped, `the client could send ${taken} octets to a backend that reads nothing`);
    assert.ok(gateway.residentKib() - before < 10_000);
    server.socket.resume();
    const messages = Math.floor(taken / (32 * 1024 + 8));
    for (let i = 0; i < messages; ++i) assert.equal((await server.message()).payload.length, 32 * 1024);
  });

  test('does not slow the others down', async (t) => {
    const { gateway, client, server, backend } = await pair(t, { workers: 1, route: { stall_timeout: '20s' } });
    client.socket.pause();
    await fill(server, binary, toClient, limit);
    const other = await open(t, gateway);
    const itsServer = await backend.opened(2);
    for (let i = 0; i < 200; ++i) {
      other.send(frame(text, `${i}`));
      assert.equal((await itsServer.message()).payload.toString(), `${i}`);
    }
  });

  test('that also sends pings has only the newest answered', async (t) => {
    const { gateway, client } = await pair(t, { route: { stall_timeout: '20s' } });
    client.socket.pause();
    for (let i = 0; i < 90; ++i) client.send(frame(ping, `${i}`));
    client.socket.resume();
    let last;
    do last = await client.frame(); while (last.payload.toString() !== '89');
    assert.equal(last.opcode, pong);
    assert.equal(gateway.exited, null);
  });
});

describe('a side that vanishes', () => {
  test('as backend, killed in the middle of a message, is 1014 for the client', async (t) => {
    const { gateway, client, server } = await pair(t);
    server.send(frame(text, 'x'.repeat(20_000), toClient).subarray(0, 9_000));
    await client.dataFrame();
    server.socket.resetAndDestroy ? server.socket.resetAndDestroy() : server.destroy();
    assert.equal((await client.close()).code, 1014);
    await open(t, gateway);
  });

  test('as backend, by a FIN without a Close, is 1014 for the client', async (t) => {
    const { client, server } = await pair(t);
    server.socket.end();
    assert.equal((await client.close()).code, 1014);
  });

  test('as client is 1001 for the backend', async (t) => {
    const { client, server } = await pair(t);
    client.destroy();
    assert.equal((await server.close()).code, 1001);
  });

  test('as client, reset in the middle of a frame, is 1001 for the backend', async (t) => {
    const { client, server } = await pair(t);
    client.send(frame(text, 'x'.repeat(20_000)).subarray(0, 9_000));
    await server.dataFrame();
    client.socket.resetAndDestroy ? client.socket.resetAndDestroy() : client.destroy();
    assert.equal((await server.close()).code, 1001);
  });

  test('with what it sent last is still delivered', async (t) => {
    const { client, server } = await pair(t);
    server.send(frame(text, 'last words', toClient));
    server.socket.end();
    assert.equal((await client.message()).payload.toString(), 'last words');
    assert.equal((await client.close()).code, 1014);
    const { client: other, server: its } = await pair(t);
    other.send(frame(text, 'last words'));
    other.socket.end();
    assert.equal((await its.message()).payload.toString(), 'last words');
    assert.equal((await its.close()).code, 1001);
  });

  test('100 clients that vanish at once leave nothing behind', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const clients = await Promise.all(Array.from({ length: 100 }, () => open(t, gateway)));
    for (const client of clients) {
      client.send(frame(text, 'bye'));
      client.destroy();
    }
    await backend.closed(100);
    assert.ok(backend.closes.every(({ code }) => code === 1001));
  });
});
