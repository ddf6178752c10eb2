// No input ends the process: mutated handshakes, frames and answers, from both sides, in a fixed
// pseudo-random order, with honest clients served all the while.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rawBackend, upgradeAnswer, wsBackend } from './harness/backends.mjs';
import { atEnd } from './harness/ending.mjs';
import { open, startGateway } from './harness/gateway.mjs';
import { numbers } from './harness/random.mjs';
import { token } from './harness/tokens.mjs';
import { within } from './harness/wait.mjs';
import { closePayload, connect, frame, opcodes, upgradeRequest } from './harness/wire.mjs';

function mutate(octets, random) {
  let mutated = Buffer.from(octets);
  for (let changes = 1 + random(4); changes > 0; --changes) {
    const at = random(mutated.length);
    const kind = random(4);
    if (kind === 0) mutated[at] = random(256);
    if (kind === 1) mutated[at] ^= 1 << random(8);
    if (kind === 2) mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(Math.min(mutated.length, at + random(8)))]);
    if (kind === 3) {
      const run = mutated.subarray(at, at + 1 + random(64));
      mutated = Buffer.concat([mutated.subarray(0, at), run, run, mutated.subarray(at)]);
    }
    if (mutated.length === 0) return Buffer.from('x');
  }
  return mutated;
}

const frames = (options) => Buffer.concat([
  frame(opcodes.text, 'héllo', options), frame(opcodes.text, 'in ', { fin: false, ...options }), frame(opcodes.ping, 'p', options),
  frame(opcodes.continuation, 'pieces', options), frame(opcodes.binary, Buffer.alloc(300, 7), options),
  frame(opcodes.binary, Buffer.alloc(70_000, 9), options), frame(opcodes.pong, '', options),
  frame(opcodes.close, closePayload(1000, 'bye'), options),
]);

// Sends the octets and waits a moment for what comes of it; then the connection is gone.
async function provoke(peer, octets) {
  peer.send(octets);
  peer.socket.end();
  await within('the gateway to answer or close', peer.end()).catch(() => {});
  peer.destroy();
}

async function stillServes(t, gateway) {
  const client = await open(t, gateway);
  client.send(frame(opcodes.text, 'still here'));
  assert.equal((await client.message()).payload.toString(), 'still here');
  client.destroy();
}

async function inBatches(count, size, work) {
  for (let i = 0; i < count; i += size) {
    await Promise.all(Array.from({ length: size }, (_, k) => work(i + k)));
  }
}

describe('rubbish', () => {
  test('as handshakes ends nothing', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, handshake_timeout: '500ms' });
    const request = Buffer.from(upgradeRequest({ fields: { Authorization: `Bearer ${await token()}` } }));
    const random = numbers(17);
    await inBatches(600, 50, async () => provoke(await connect(gateway.port), mutate(request, random)));
    await stillServes(t, gateway);
  });

  test('as frames of clients ends only those clients', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, route: { max_message: '1MiB' } });
    const request = upgradeRequest({ fields: { Authorization: `Bearer ${await token()}` } });
    const random = numbers(18);
    const octets = frames({});
    await inBatches(600, 50, async () => {
      const peer = await connect(gateway.port);
      peer.send(request);
      await peer.head();
      await provoke(peer, mutate(octets, random));
    });
    await stillServes(t, gateway);
  });

  test('as answers and frames of a backend ends only its clients', async (t) => {
    const random = numbers(19);
    let honest = false;
    const octets = frames({ masked: false });
    const backend = await rawBackend(t, {
      behave: async (peer, head) => {
        const answer = Buffer.from(upgradeAnswer(head));
        if (honest) {
          peer.send(answer);
          const { payload } = await peer.message();
          peer.send(frame(opcodes.text, payload, { masked: false }));
          return;
        }
        peer.send(random(3) === 0 ? mutate(answer, random) : Buffer.concat([answer, mutate(octets, random)]));
        peer.socket.end();
      },
    });
    const gateway = await startGateway(t, {
      servers: [`ws://127.0.0.1:${backend.port}`], backendMore: { connect_timeout: '300ms' }, handshake_timeout: '1s',
    });
    const request = upgradeRequest({ fields: { Authorization: `Bearer ${await token()}` } });
    await inBatches(600, 50, async () => {
      const peer = await connect(gateway.port);
      peer.send(request);
      await within('an end', peer.end(), 300).catch(() => {});
      peer.destroy();
    });
    honest = true;
    await stillServes(t, gateway);
  });

  test('of chance alone ends nothing', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, handshake_timeout: '300ms' });
    const random = numbers(20);
    for (const port of [gateway.port, gateway.adminPort]) {
      await inBatches(100, 50, async () => {
        const peer = await connect(port);
        atEnd(t, () => peer.destroy());
        await provoke(peer, Buffer.from(Array.from({ length: 1 + random(5_000) }, () => random(256))));
      });
    }
    await stillServes(t, gateway);
  });
});
