// Another policy while connections are open (CONTRACT section 5), with clients that others wrote.
import assert from 'node:assert/strict';
import { readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { wsBackend } from './harness/backends.mjs';
import { startGateway, users } from './harness/gateway.mjs';
import { keyServer, jwkSet, makeKey } from './harness/key_server.mjs';
import { scrape } from './harness/metrics.mjs';
import { error, join, joined, message, open, roomClient, roomClients, startRooms } from './harness/rooms.mjs';
import { secret, token } from './harness/tokens.mjs';
import { patience, sleep, until } from './harness/wait.mjs';

const otherSecret = 'another secret of the tests, also over 32 octets';

// Writes the policy anew, as `edit` leaves it.
function change(gateway, edit) {
  const policy = JSON.parse(readFileSync(gateway.file, 'utf8'));
  edit(policy);
  writeFileSync(gateway.file, JSON.stringify(policy, null, 2));
}

async function reload(gateway, edit = () => {}) {
  change(gateway, edit);
  const { status, body } = await gateway.admin('/v1/reload', { method: 'POST' });
  return { status, ...JSON.parse(body) };
}

async function reloaded(gateway, edit) {
  const answer = await reload(gateway, edit);
  assert.equal(answer.status, 200, JSON.stringify(answer));
  assert.equal(answer.reloaded, true);
  return answer;
}

const lines = (gateway, event) => gateway.log.filter((line) => line.event === event);

const left = (room) => ({ type: 'left', room, reason: 'policy' });

// Opens a connection that is refused: its status.
const status = (t, gateway, id, options) => roomClient(t, gateway, id, options).then(
  () => 101, (refusal) => Number(/Unexpected server response: (\d+)/.exec(refusal.message)?.[1]));

// A thousand connections with the one who speaks; fewer where each costs several times as much.
const listeners = process.env.GATEHOUSE_SANITIZED ? 240 : 999;

// Not all handshakes at once: each has its deadline.
async function crowd(t, gateway, rooms) {
  const members = [];
  while (members.length < listeners) {
    const count = Math.min(100, listeners - members.length);
    members.push(...await roomClients(t, gateway, count, rooms, `user-${members.length}`));
  }
  return members;
}

describe('one rule is changed under traffic', () => {
  for (const how of ['SIGHUP', 'POST']) {
    test(`by ${how}: who lost a right is told, and nobody else sees a gap`, async (t) => {
      const gateway = await startRooms(t, { rooms: [open('news'), { match: 'ops', join: 'everyone', publish: 'everyone' }] });
      const members = await crowd(t, gateway, ['news', 'ops']);
      const speaker = await roomClient(t, gateway, 'speaker');
      await speaker.join('news', 'ops');
      let said = 0;
      let speaking = true;
      const speech = (async () => {
        for (; speaking; await sleep(100)) {
          ++said;
          speaker.say(message('news', said), message('ops', said));
        }
      })();
      await until('some traffic', () => said > 10);
      const kept = ['speaker', ...members.slice(0, 50).map((member) => member.id)];
      const all = { asked: listeners + 1, closed: 0, rooms_left: listeners - 50 };
      const edit = (policy) => {
        policy.routes[0].rooms[1] = { match: 'ops', join: { subjects: kept }, publish: 'everyone' };
      };
      if (how === 'POST') {
        const { connections } = await reloaded(gateway, edit);
        assert.deepEqual(connections, all);
      } else {
        change(gateway, edit);
        process.kill(gateway.pid, 'SIGHUP');
        const line = await gateway.logged('the reload', (one) => one.event === 'policy_reloaded');
        assert.equal(line.asked_by, 'signal');
        assert.deepEqual({ asked: line.connections, closed: line.closed, rooms_left: line.rooms_left }, all);
      }
      const after = said;
      await until('more traffic', () => said > after + 10);
      speaking = false;
      await speech;
      const numbers = Array.from({ length: said }, (_, i) => i + 1);
      for (const member of members) {
        await until(`all of it at ${member.id}`, () => member.inbox.filter((one) => one.room === 'news').length === said);
        const of = (room) => member.inbox.filter((one) => one.type === 'message' && one.room === room).map((one) => one.payload);
        assert.deepEqual(of('news'), numbers, member.id);
        const stays = kept.includes(member.id);
        const ops = of('ops');
        if (stays) {
          await until(`all of ops at ${member.id}`, () => of('ops').length === said);
          assert.deepEqual(of('ops'), numbers, member.id);
        } else {
          assert.deepEqual(ops, numbers.slice(0, ops.length), member.id);
          assert.ok(ops.length <= after, `${member.id} heard ${ops.length} of ${after}`);
        }
        const lost = member.inbox.filter((one) => one.type === 'left');
        assert.deepEqual(lost, stays ? [] : [left('ops')], member.id);
        const place = member.inbox.findIndex((one) => one.type === 'left');
        if (!stays) assert.ok(!member.inbox.slice(place).some((one) => one.room === 'ops' && one.type === 'message'));
      }
      const [stranger] = members.slice(-1);
      stranger.inbox.length = 0;
      stranger.say(join('ops'), message('ops', 'still?'));
      await stranger.expect(error('access_denied', { room: 'ops' }), error('not_a_member', { room: 'ops' }));
    });
  }
});

describe('a policy with a fault', () => {
  test('changes nothing, and is said with line and column, in the answer and the log', async (t) => {
    const gateway = await startRooms(t, { rooms: [open('lobby')] });
    const alice = await (await roomClient(t, gateway, 'alice')).join('lobby');
    const before = readFileSync(gateway.file, 'utf8');
    const answer = await reload(gateway, (policy) => {
      policy.routes[0].rooms = [open('other')];
      policy.routes[0].surprise = true;
    });
    const line = readFileSync(gateway.file, 'utf8').split('\n').findIndex((one) => one.includes('surprise')) + 1;
    assert.equal(answer.status, 422);
    assert.equal(answer.faults.length, 1, JSON.stringify(answer));
    assert.equal(answer.faults[0].file, gateway.file);
    assert.equal(answer.faults[0].line, line);
    assert.ok(answer.faults[0].column > 1);
    assert.match(answer.faults[0].message, /surprise/);
    const fault = await gateway.logged('the fault', (one) => one.event === 'policy_fault');
    assert.ok(fault.fault.startsWith(`${gateway.file}:${line}:`), fault.fault);
    process.kill(gateway.pid, 'SIGHUP');
    await gateway.logged('both', () => lines(gateway, 'policy_reload_failed').length === 2);
    await alice.say(message('lobby', 1)).expect(message('lobby', 1, { from: 'alice' }));
    const running = JSON.parse((await gateway.admin('/v1/policy')).body);
    assert.equal(running.policy.routes[0].rooms[0].match, 'lobby');
    const metrics = await scrape(gateway);
    assert.equal(metrics.value('gatehouse_policy_reloads_total', { outcome: 'failed' }), 2);
    assert.equal(metrics.value('gatehouse_policy_reloads_total', { outcome: 'reloaded' }), 0);
    writeFileSync(gateway.file, before);
    await reloaded(gateway);
  });

  test('may be gone altogether', async (t) => {
    const gateway = await startRooms(t);
    renameSync(gateway.file, `${gateway.file}.gone`);
    const { status: code, body } = await gateway.admin('/v1/reload', { method: 'POST' });
    assert.equal(code, 422);
    assert.match(JSON.parse(body).faults[0].message, /cannot be read/);
    await roomClient(t, gateway);
  });
});

describe('a connection', () => {
  test('is closed where the policy has no place for it any more, and only there', async (t) => {
    const backend = await wsBackend(t);
    const route = (path, more = {}) => ({ path, authenticate: ['users', 'others'], backend: 'chat', same_subjects: true, ...more });
    const gateway = await startGateway(t, {
      backend: backend.port,
      authenticators: {
        users: users(),
        others: users({ jwt: { issuer: 'https://others.example.test/', audience: ['realtime'], algorithms: ['HS256'], keys: [{ secret }] } }),
      },
      routes: [
        route('/gone/{name}'), route('/origin', { origins: ['https://a.example', 'https://b.example'] }),
        route('/allow'), route('/authenticator'), route('/other'), route('/room', { backend: undefined }),
      ],
    });
    const at = async (target, claims = {}, options = {}) =>
      roomClient(t, gateway, target, { target, bearer: await token(claims), ...options });
    const others = { iss: 'https://others.example.test/' };
    const closed = {
      4403: [await at('/gone/a'), await at('/origin', {}, { origin: 'https://b.example' }), await at('/allow', { plan: 'free' })],
      4401: [await at('/authenticator', others)],
      1012: [await at('/room')],
    };
    const stay = [
      await at('/gone/b'), await at('/origin', {}, { origin: 'https://a.example' }), await at('/origin'),
      await at('/allow', { plan: 'pro' }), await at('/authenticator'), await at('/other', others),
    ];
    const { connections } = await reloaded(gateway, (policy) => {
      const [gone, origin, allow, authenticator, , room] = policy.routes;
      gone.path = '/gone/b';
      origin.origins = ['https://a.example'];
      allow.allow = { claim: 'plan', equals: 'pro' };
      authenticator.authenticate = ['users'];
      room.backend = 'chat';
    });
    assert.deepEqual(connections, { asked: 11, closed: 5, rooms_left: 0 });
    for (const [code, clients] of Object.entries(closed)) {
      for (const client of clients) assert.equal((await client.closed()).code, Number(code), client.id);
    }
    for (const client of stay) await client.say('still here').expect('still here');
    const reasons = lines(gateway, 'connection_closed').map((line) => line.reason).sort();
    assert.deepEqual(reasons, ['authenticator_gone', 'not_allowed', 'origin_forbidden', 'policy_changed', 'route_gone']);
  });

  test('outlives the rotation of keys, and not the key that verified it', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const keys = (list) => (policy) => { policy.authenticators.users.jwt.keys = list.map((one) => ({ secret: one })); };
    const by = (key) => token({}, { key: new TextEncoder().encode(key) });
    const old = await roomClient(t, gateway, 'old', { target: '/chat', bearer: await by(secret) });
    assert.equal(await status(t, gateway, 'new', { target: '/chat', bearer: await by(otherSecret) }), 401);
    await reloaded(gateway, keys([secret, otherSecret]));
    const next = await roomClient(t, gateway, 'next', { target: '/chat', bearer: await by(otherSecret) });
    await old.say('a').expect('a');
    assert.deepEqual((await reloaded(gateway, keys([otherSecret]))).connections, { asked: 2, closed: 1, rooms_left: 0 });
    assert.equal((await old.closed()).code, 4401);
    await next.say('b').expect('b');
    assert.equal(await status(t, gateway, 'late', { target: '/chat', bearer: await by(secret) }), 401);
  });

  test('by a key that has a URL is not touched, and the keys are not asked for again', async (t) => {
    const backend = await wsBackend(t);
    const [first, second] = [await makeKey('1'), await makeKey('2')];
    const server = await keyServer(t, jwkSet(first));
    const gateway = await startGateway(t, {
      backend: backend.port,
      authenticators: { users: users({ jwt: { issuer: 'any', audience: 'any', algorithms: ['ES256'], keys: [{ jwks_url: server.url() }] } }) },
    });
    const alice = await until('keys', () => first.token().then((bearer) => roomClient(t, gateway, 'alice', { target: '/chat', bearer })).catch(() => undefined));
    const asked = server.requests.length;
    await server.stop();
    for (let round = 0; round < 3; ++round) {
      await reloaded(gateway, (policy) => { policy.routes[0].max_message = `${64 + round}KiB`; });
      await roomClient(t, gateway, 'bob', { target: '/chat', bearer: await first.token({ sub: 'bob' }) });
    }
    assert.equal(server.requests.length, asked);
    await alice.say('a').expect('a');
    assert.equal(await status(t, gateway, 'eve', { target: '/chat', bearer: await second.token() }), 401);
    const [set] = JSON.parse((await gateway.admin('/v1/policy')).body).key_sets;
    assert.equal(set.keys, 1);
  });

  test('that has not said who it is yet goes on where that is still asked, else comes again', async (t) => {
    const gateway = await startGateway(t, {
      backends: {},
      authenticators: { users: users({ credentials: [{ first_message: '10s' }] }) },
      routes: ['/stays', '/changes'].map((path) => ({ path, authenticate: ['users'], subprotocols: ['chat'], rooms: [open('lobby')] })),
    });
    const silent = (target) => roomClient(t, gateway, target, { target, bearer: 'none', protocols: ['chat'] });
    const [stays, changes] = [await silent('/stays'), await silent('/changes')];
    await reloaded(gateway, (policy) => { policy.routes[1].subprotocols = ['talk']; policy.routes[0].max_message = '32KiB'; });
    const bearer = await token();
    stays.say({ type: 'auth', token: bearer });
    assert.equal((await stays.next()).type, 'authenticated');
    await stays.say(join('lobby')).expect(joined('lobby'));
    changes.say({ type: 'auth', token: bearer });
    assert.equal((await changes.closed()).code, 1012);
  });
});

test('limits hold across a reload: nobody gets a fresh bucket by it, and counts go on', async (t) => {
  const gateway = await startRooms(t, {
    route: { limits: { subject: { messages: '1/m', burst: 3, connections: 2 } } },
  });
  const alice = await (await roomClient(t, gateway, 'alice')).join('lobby');
  await roomClient(t, gateway, 'alice');
  alice.say(message('lobby', 1), message('lobby', 2));
  for (const payload of [1, 2]) await alice.expect(message('lobby', payload, { from: 'alice' }));
  await reloaded(gateway, (policy) => {
    policy.routes.unshift({ ...policy.routes[0], path: '/before' });
    policy.routes[1].max_message = '32KiB';
  });
  assert.equal(await status(t, gateway, 'alice'), 429);
  alice.say(message('lobby', 3));
  const refusal = await alice.next();
  assert.equal(refusal.code, 'rate_limited', JSON.stringify(refusal));
  const metrics = await scrape(gateway);
  assert.equal(metrics.value('gatehouse_opened_connections_total', { route: '/*' }), 2);
  assert.equal(metrics.value('gatehouse_opened_connections_total', { route: '/before' }), 0);
});

test('what takes a restart is named in a warning, and all else comes into force', async (t) => {
  const gateway = await startRooms(t);
  const answer = await reloaded(gateway, (policy) => {
    policy.workers = 3;
    policy.admin.token = 'of-an-admin-0123456789';
    policy.log.level = 'warn';
  });
  assert.deepEqual(answer.warnings, [{
    file: gateway.file, line: 0, column: 0, message: "'workers' is another one; it takes effect at a restart",
  }]);
  const warning = await gateway.logged('the warning', (one) => one.event === 'policy_warning');
  assert.match(warning.warning, /'workers' is another one/);
  assert.equal((await gateway.admin('/metrics')).status, 401);
  assert.equal((await gateway.admin('/healthz')).status, 200);
  await roomClient(t, gateway);
  assert.deepEqual(lines(gateway, 'connection_opened'), []);
});

test('a reload on top of others is answered when it has been done', async (t) => {
  const gateway = await startRooms(t);
  for (let i = 0; i < 20; ++i) process.kill(gateway.pid, 'SIGHUP');
  const answers = await Promise.all(Array.from({ length: 5 }, () => reloaded(gateway)));
  for (const { connections } of answers) assert.deepEqual(connections, { asked: 0, closed: 0, rooms_left: 0 });
});

test('watch: a file that changes is loaded once it rests, also behind a link; a fault is said once', async (t) => {
  const gateway = await startRooms(t, { watch: true, rooms: [open('lobby')] });
  const alice = await (await roomClient(t, gateway, 'alice')).join('lobby');
  const patient = 8_000 * patience;
  change(gateway, (policy) => { policy.routes[0].rooms = [open('other')]; });
  await until('the room to be lost', () => alice.inbox.length > 0, patient);
  await alice.expect(left('lobby'));
  const line = await gateway.logged('the reload', (one) => one.event === 'policy_reloaded');
  assert.equal(line.asked_by, 'watch');
  // As a mounted ConfigMap does: a link that leads elsewhere.
  const policy = readFileSync(gateway.file, 'utf8');
  writeFileSync(`${gateway.file}.2`, policy.replace('"version": 1', '"version": 2'));
  symlinkSync(`${gateway.file}.2`, `${gateway.file}.link`);
  renameSync(`${gateway.file}.link`, gateway.file);
  await gateway.logged('the fault', (one) => one.event === 'policy_reload_failed', patient);
  await sleep(2_500);
  assert.equal(lines(gateway, 'policy_reload_failed').length, 1);
  assert.equal(lines(gateway, 'policy_reloaded').length, 1);
});
