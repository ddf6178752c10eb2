// CONTRACT section 6, GET /metrics: what an operator sees of real traffic, and what no metric may say
// (SECURITY 13).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import WebSocket from 'ws';
import { rawBackend, wsBackend } from './harness/backends.mjs';
import { atEnd } from './harness/ending.mjs';
import { freePort, open, policyOf, refused, startGateway } from './harness/gateway.mjs';
import { getMetrics, scrape, untilMetric } from './harness/metrics.mjs';
import { root } from './harness/output.mjs';
import { promtool } from './harness/promtool.mjs';
import { openClient, startInstance, startRedis } from './harness/redis.mjs';
import { open as everyone, roomClients, startRooms } from './harness/rooms.mjs';
import { token } from './harness/tokens.mjs';
import { until } from './harness/wait.mjs';
import { frame, opcodes } from './harness/wire.mjs';

const { text, ping } = opcodes;

async function chat(t, more = {}) {
  const backend = await wsBackend(t);
  const gateway = await startGateway(t, { backend: backend.port, ...more });
  return { backend, gateway };
}

describe('GET /metrics', () => {
  test('is text that others read, in which each family has a name of ours, a HELP and a TYPE', async (t) => {
    const { gateway } = await chat(t, { redis: { url: `redis://127.0.0.1:${await freePort()}/0` } });
    const { body, families, value } = await scrape(gateway);
    const guide = readFileSync(join(root, 'README.md'), 'utf8');
    assert.ok(families.size > 35);
    for (const [name, { help, type }] of families) {
      assert.match(name, /^gatehouse_[a-z_]+$/);
      assert.ok(help, name);
      assert.ok(guide.includes(`\`${name.replace('gatehouse_', '')}\``), `the README does not have ${name}`);
      assert.match(type, /^(COUNTER|GAUGE|HISTOGRAM)$/, name);
      assert.equal(name.endsWith('_total'), type === 'COUNTER', name);
    }
    assert.ok(body.endsWith('\n'));
    await until('the last worker to have been busy', async () =>
      /\ngatehouse_loop_busy_seconds_count\{worker="3"\} [1-9]/.test((await scrape(gateway)).body));
    assert.equal(value('gatehouse_workers'), 4);
    assert.equal(value('gatehouse_ready'), 0, 'that Redis never says who is revoked');
    assert.ok(Math.abs(value('gatehouse_start_time_seconds') - Date.now() / 1000) < 60);
  });

  test('is what promtool finds nothing to say against', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    await open(t, gateway);
    const { body } = await scrape(gateway);
    assert.deepEqual(await promtool(['check', 'metrics'], body), { code: 0, out: '' });
    const nameless = await promtool(['check', 'metrics'], body.replace(/^# HELP gatehouse_ready .*\n/m, ''));
    assert.notEqual(nameless.code, 0);
  });

  test('needs the token where one is set', async (t) => {
    const adminToken = 'the-token-of-the-one-who-scrapes';
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, ({ port, adminPort }) => ({
      listen: [{ address: `127.0.0.1:${port}` }],
      admin: { address: `127.0.0.1:${adminPort}`, token: adminToken },
      ...policyOf({ backend: backend.port }),
    }));
    assert.equal((await getMetrics(gateway)).status, 401);
    assert.equal((await getMetrics(gateway, { Authorization: 'Bearer another' })).status, 401);
    const { body, value } = await scrape(gateway, { Authorization: `Bearer ${adminToken}` });
    assert.equal(value('gatehouse_ready'), 1);
    assert.ok(!body.includes(adminToken));
  });

  test('says what clients did on which route, while they are there and after', async (t) => {
    const { gateway } = await chat(t);
    const route = { route: '/chat' };
    const client = await open(t, gateway);
    client.send(frame(text, 'hello'), frame(text, 'world!'));
    for (const expected of ['hello', 'world!']) assert.equal((await client.message()).payload.toString(), expected);
    await untilMetric(gateway, 2, 'gatehouse_messages_total', { ...route, from: 'backend' });
    const during = await scrape(gateway);
    assert.equal(during.value('gatehouse_messages_total', { ...route, from: 'client' }), 2);
    assert.equal(during.value('gatehouse_message_bytes_total', { ...route, from: 'client' }), 11);
    assert.equal(during.value('gatehouse_message_bytes_total', { ...route, from: 'backend' }), 11);
    assert.equal(during.value('gatehouse_open_connections', route), 1);
    assert.equal(during.value('gatehouse_accepted_connections'), 1);
    assert.equal(during.value('gatehouse_admitting_connections'), 0);
    assert.equal(during.value('gatehouse_handshakes_total', { code: '101' }), 1);
    assert.equal(during.count('gatehouse_handshake_duration_seconds'), 1);
    client.send(frame(opcodes.close, Buffer.from([0x03, 0xe8])));
    await client.close();
    client.destroy();
    await untilMetric(gateway, 0, 'gatehouse_open_connections', route);
    const after = await scrape(gateway);
    assert.equal(after.value('gatehouse_opened_connections_total', route), 1);
    assert.equal(after.value('gatehouse_closed_connections_total', { code: '1000', by: 'client' }), 1);
    assert.equal(after.value('gatehouse_messages_total', { ...route, from: 'client' }), 2);
  });

  test('counts in the parts of a message, and only what passed', async (t) => {
    const { gateway } = await chat(t, { route: { limits: { connection: { messages: '1/s', burst: 2, on_exceed: 'drop' } } } });
    const client = await open(t, gateway);
    client.send(frame(text, 'ab', { fin: false }), frame(opcodes.continuation, 'cd'), frame(text, 'ef'));
    for (let i = 0; i < 3; ++i) client.send(frame(text, 'dropped'));
    client.send(frame(ping, 'done'));
    for (const expected of ['abcd', 'ef']) {
      assert.equal((await client.message()).payload.toString(), expected);
    }
    await untilMetric(gateway, 3, 'gatehouse_limit_hits_total', { limit: 'connection_messages', action: 'drop' });
    const { value } = await scrape(gateway);
    assert.equal(value('gatehouse_messages_total', { route: '/chat', from: 'client' }), 2);
    assert.equal(value('gatehouse_message_bytes_total', { route: '/chat', from: 'client' }), 6);
    assert.equal(value('gatehouse_limit_hits_total', { limit: 'connection_messages', action: 'close' }), 0);
  });

  test('says why handshakes are refused, over all workers, and that the log leaves some out', async (t) => {
    const { gateway } = await chat(t, { route: { limits: { ip: { connections: 1 } } } });
    const expired = await token({ exp: Math.floor(Date.now() / 1000) - 3600 });
    for (let i = 0; i < 60; ++i) await refused(t, gateway, { token: expired });
    await refused(t, gateway, { target: '/nowhere' });
    await open(t, gateway);
    assert.equal((await refused(t, gateway, { token: await token() })).status, 429);
    const { value } = await scrape(gateway);
    assert.equal(value('gatehouse_handshakes_total', { code: '401' }), 60);
    assert.equal(value('gatehouse_handshakes_total', { code: '404' }), 1);
    assert.equal(value('gatehouse_handshakes_total', { code: '429' }), 1);
    assert.equal(value('gatehouse_handshakes_refused_total', { reason: 'expired' }), 60);
    assert.equal(value('gatehouse_handshakes_refused_total', { reason: 'no_route' }), 1);
    assert.equal(value('gatehouse_handshakes_refused_total', { reason: 'bad_signature' }), 0);
    assert.equal(value('gatehouse_handshakes_refused_total', { reason: 'other' }), 0);
    assert.equal(value('gatehouse_limit_hits_total', { limit: 'ip_connections', action: 'refuse' }), 1);
    const sampled = value('gatehouse_log_lines_sampled_total');
    assert.ok(sampled > 0);
    await until('the other lines', () => gateway.log.filter((line) => line.event === 'connection_refused').length === 62 - sampled);
  });

  test('says which server of a backend fails and is skipped', async (t) => {
    const backend = await wsBackend(t);
    const dead = `ws://127.0.0.1:${await freePort()}`;
    const alive = `ws://127.0.0.1:${backend.port}`;
    const gateway = await startGateway(t, { servers: [dead, alive], workers: 1 });
    await open(t, gateway);
    const { value, body } = await scrape(gateway);
    const of = (server) => ({ backend: 'chat', server });
    for (const [server, count] of [[dead, 0], [alive, 1]]) {  // the parser knows no histogram with labels
      const line = `gatehouse_backend_handshake_duration_seconds_count{backend="chat",server="${server}"} ${count}\n`;
      assert.ok(body.includes(line), line);
    }
    assert.equal(value('gatehouse_backend_handshakes_total', { ...of(dead), outcome: 'unreachable' }), 1);
    assert.equal(value('gatehouse_backend_handshakes_total', { ...of(alive), outcome: 'upgraded' }), 1);
    assert.equal(value('gatehouse_backend_handshakes_total', { ...of(alive), outcome: 'unreachable' }), 0);
    assert.equal(value('gatehouse_backend_server_skipping_workers', of(dead)), 1);
    assert.equal(value('gatehouse_backend_server_skipping_workers', of(alive)), 0);
  });

  test('calls a server as the policy does, and never says what a variable there holds', async (t) => {
    const backend = await wsBackend(t);
    const server = `ws://127.0.0.1:${backend.port}/\${PATH_SECRET}`;
    const gateway = await startGateway(t, { servers: [server] }, { env: { PATH_SECRET: 'hunter2' } });
    await open(t, gateway);
    const { body, value } = await scrape(gateway);
    assert.equal(value('gatehouse_backend_handshakes_total', { backend: 'chat', server, outcome: 'upgraded' }), 1);
    assert.ok(!body.includes('hunter2'));
    assert.ok(!gateway.output.includes('hunter2'));
  });

  test('says how many tokens were looked at', async (t) => {
    const { gateway } = await chat(t);
    await open(t, gateway);
    await refused(t, gateway, { token: 'rubbish' });
    await refused(t, gateway, {});
    assert.equal((await scrape(gateway)).count('gatehouse_token_verification_seconds'), 2);
  });

  test('says how many rooms, members and deliveries there are, and never which', async (t) => {
    const gateway = await startRooms(t, { rooms: [everyone('secret-*')] });
    const members = await roomClients(t, gateway, 5, ['secret-room'], 'somebody');
    await members[0].join('secret-other');
    members[0].say({ type: 'message', room: 'secret-room', payload: 'secret payload' });
    for (const member of members) assert.equal((await member.next()).payload, 'secret payload');
    members[1].say({ type: 'join', room: 'forbidden' });
    assert.equal((await members[1].next()).code, 'access_denied');
    await untilMetric(gateway, 5, 'gatehouse_room_deliveries_total');
    const { body, value, count } = await scrape(gateway);
    assert.equal(value('gatehouse_room_joins_total', { outcome: 'joined' }), 6);
    assert.equal(value('gatehouse_room_joins_total', { outcome: 'access_denied' }), 1);
    assert.ok(count('gatehouse_room_delivery_duration_seconds') >= 1, 'one for each worker with members');
    assert.equal(value('gatehouse_rooms'), 2);
    assert.equal(value('gatehouse_room_memberships'), 6);
    assert.equal(value('gatehouse_room_publications_total'), 1);
    assert.ok(value('gatehouse_room_delivery_bytes_total') > 5 * 'secret payload'.length);
    assert.equal(value('gatehouse_messages_refused_total', { reason: 'access_denied' }), 1);
    for (const word of ['secret', 'forbidden', 'somebody', '127.0.0.1']) assert.ok(!body.includes(word), word);
    assert.ok(!body.includes('redis'), 'this policy has none');
    for (const member of members) member.socket.close();
    await untilMetric(gateway, 0, 'gatehouse_rooms');
    await untilMetric(gateway, 0, 'gatehouse_room_memberships');
  });

  test('sees what waits for a slow reader, and that it is let go', async (t) => {
    const backend = await rawBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, route: { send_queue: '4MiB', stall_timeout: '2s' } });
    const client = await open(t, gateway);
    const server = await backend.opened();
    client.socket.pause();
    server.socket.on('error', () => {});
    const megabyte = frame(opcodes.binary, Buffer.alloc(1024 * 1024), { masked: false });
    for (let i = 0; i < 16; ++i) server.send(megabyte);
    const { value } = await until('octets to wait', async () => {
      const metrics = await scrape(gateway);
      return metrics.value('gatehouse_queued_bytes') > 0 && metrics;
    });
    assert.ok(value('gatehouse_queued_bytes') < value('gatehouse_queued_max_bytes'));
    await untilMetric(gateway, 1, 'gatehouse_slow_readers_closed_total', { side: 'client' });
    await untilMetric(gateway, 1, 'gatehouse_closed_connections_total', { code: '1013', by: 'gateway' });
    client.destroy();
    await untilMetric(gateway, 0, 'gatehouse_queued_bytes');
  });

  test('sees Redis go and come back', async (t) => {
    const redis = await startRedis(t);
    const gateway = await startInstance(t, redis);
    const alice = await openClient(t, gateway, 'alice');
    await alice.join('r');
    alice.publish('r', 'one');
    assert.equal((await alice.next()).payload, 'one');
    await redis.run('PUBLISH', 'gatehouse:room:r', 'rubbish');
    await untilMetric(gateway, 1, 'gatehouse_redis_messages_invalid_total');
    const up = await scrape(gateway);
    assert.equal(up.value('gatehouse_redis_up'), 1);
    assert.equal(up.value('gatehouse_redis_returns_total'), 1);
    assert.equal(up.value('gatehouse_redis_messages_total'), 1);
    assert.ok(up.count('gatehouse_redis_round_trip_seconds') >= 1);
    await untilMetric(gateway, 1, 'gatehouse_shared_limits_up');
    await redis.kill();
    await untilMetric(gateway, 0, 'gatehouse_redis_up');
    await untilMetric(gateway, 0, 'gatehouse_shared_limits_up');
    const away = await scrape(gateway);
    assert.ok(away.value('gatehouse_redis_away_timestamp_seconds') > up.value('gatehouse_redis_away_timestamp_seconds'));
    assert.equal(away.value('gatehouse_redis_waiting_bytes'), 0);
    assert.equal(away.value('gatehouse_ready'), 1, 'when_down is local');
    await redis.start();
    await untilMetric(gateway, 1, 'gatehouse_redis_up');
    await untilMetric(gateway, 2, 'gatehouse_redis_returns_total');
  });

  test('is answered while the instance drains, and says so', async (t) => {
    const { gateway, backend } = await chat(t);
    const socket = new WebSocket(gateway.url(), { headers: { Authorization: `Bearer ${await token()}` } });
    atEnd(t, () => socket.terminate());
    await new Promise((resolve) => socket.once('open', resolve));
    await backend.opened();
    socket.pause();  // does not answer the Close
    gateway.signal('SIGTERM');
    await untilMetric(gateway, 1, 'gatehouse_draining');
    const { value } = await scrape(gateway);
    assert.equal(value('gatehouse_ready'), 0);
    assert.equal(value('gatehouse_closed_connections_total', { code: '1012', by: 'gateway' }), 1);
    socket.resume();
  });
});
