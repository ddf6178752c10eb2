// CONTRACT: heartbeat. A side that does not answer is gone; one that is not read owes no pong.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rawBackend, wsBackend } from './harness/backends.mjs';
import { open, startGateway } from './harness/gateway.mjs';
import { sleep, until } from './harness/wait.mjs';
import { closeOf, frame, opcodes } from './harness/wire.mjs';

const { text, binary, ping, pong, close } = opcodes;
const quick = { heartbeat: { interval: '300ms', timeout: '400ms' } };

// Answers every ping until the Close, which it returns; other frames are collected.
async function answering(peer, options, collected = []) {
  for (;;) {
    const next = await peer.frame(15_000);
    if (next.opcode === ping) peer.send(frame(pong, next.payload, options));
    else if (next.opcode === close) return closeOf(next);
    else collected.push(next);
  }
}

describe('heartbeat', () => {
  test('a client that answers no ping is 4408, and its backend gets 1001', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, route: quick });
    const client = await open(t, gateway);
    const began = Date.now();
    assert.equal((await client.frame()).opcode, ping);
    assert.equal((await client.close()).code, 4408);
    const milliseconds = Date.now() - began;
    assert.ok(milliseconds > 500 && milliseconds < 2_500, `${milliseconds} ms`);
    assert.equal((await backend.closed()).code, 1001);
  });

  test('a backend that answers no ping is 1014 for its client', async (t) => {
    const backend = await rawBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, route: quick });
    const client = await open(t, gateway);
    const server = await backend.opened();
    const [ofClient, ofServer] = await Promise.all([answering(client, {}), server.close()]);
    assert.equal(ofClient.code, 1014);
    assert.ok([1001, 1002, 1008, 1011].includes(ofServer.code), `${ofServer.code}`);
  });

  test('who answers stays, however quiet', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, route: quick });
    const client = await open(t, gateway);
    const messages = [];
    const ended = answering(client, {}, messages);
    await sleep(2_000);
    assert.equal(client.over, false);
    client.send(frame(text, 'still here'));
    await until('the echo', () => messages[0]?.payload.toString() === 'still here');
    client.send(frame(close, Buffer.from([3, 232])));
    assert.equal((await ended).code, 1000);
  });

  test('a pong with other content answers nothing', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, route: quick });
    const client = await open(t, gateway);
    assert.equal((await client.frame()).opcode, ping);
    client.send(frame(pong, 'something else, of which there was no ping'));
    const { code } = await client.close();
    assert.equal(code, 4408);
  });

  test('a backend that is not read, as its client is slow, owes no pong', async (t) => {
    const backend = await rawBackend(t);
    const gateway = await startGateway(t, {
      backend: backend.port, route: { ...quick, heartbeat: { interval: '300ms', timeout: '5s' }, send_queue: '64KiB', stall_timeout: '20s' },
    });
    const client = await open(t, gateway);
    const server = await backend.opened();
    client.socket.pause();
    const message = frame(binary, Buffer.alloc(32 * 1024), { masked: false });
    for (let room = true, sent = 0; room && sent < 2_000; ++sent) room = server.socket.write(message);
    await sleep(2_000);
    client.socket.resume();
    const collected = [];
    const ended = answering(client, {}, collected);
    const served = answering(server, { masked: false });
    server.send(frame(text, 'after the pause', { masked: false }), frame(close, Buffer.from([3, 232]), { masked: false }));
    assert.equal((await ended).code, 1000);
    assert.equal(collected.at(-1).payload.toString(), 'after the pause');
    client.send(frame(close, Buffer.from([3, 232])));
    await served;
  });
});
