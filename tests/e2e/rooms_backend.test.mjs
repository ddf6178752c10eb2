// CONTRACT section 4 "Messages" with a backend: what is permitted reaches it unchanged, the rest never
// does, and what it says of a room reaches its members alone; with `messages: rooms` and with a protocol
// that exists already.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rawBackend, wsBackend } from './harness/backends.mjs';
import { guideServer } from './harness/guide_server.mjs';
import { error, join, joined, leave, message, open, roomClient, roomPeer, startRooms } from './harness/rooms.mjs';
import { until } from './harness/wait.mjs';
import { closePayload, frame, opcodes } from './harness/wire.mjs';

const { text, binary } = opcodes;


const rooms = [
  open('lobby'),
  { match: 'staff', join: { subjects: ['alice'] }, publish: { subjects: ['alice'] } },
  { match: 'read-only', join: 'everyone' },
];

// A backend that says nothing by itself. A client has what reaches the backend of it in `reaches`;
// `hears(...)` makes its connection there say these, and one more that is let pass, and returns what
// came before that one.
async function withBackend(t, route = {}, more = {}) {
  const backend = await wsBackend(t, { behave: () => {} });
  const gateway = await startRooms(t, { backend: backend.port, rooms, route, ...more });
  const connect = async (id = 'alice', options) => {
    const client = await roomClient(t, gateway, id, options);
    const socket = await until('its connection at the backend', () => backend.sockets.find((one, i) =>
      !one.taken && backend.requests[i].fields['x-gatehouse-subject'][0] === id));
    socket.taken = true;
    client.reaches = [];
    socket.on('message', (payload, isBinary) => client.reaches.push(isBinary ? payload : payload.toString()));
    client.backend = socket;
    let marks = 0;
    client.hears = async (...texts) => {
      const mark = `mark ${++marks}`;
      for (const one of [...texts, { mark }]) socket.send(typeof one === 'string' ? one : JSON.stringify(one));
      const got = [];
      for (;;) {
        const next = await client.next(mark);
        if (next.mark === mark) return got;
        got.push(next);
      }
    };
    return client;
  };
  return { backend, gateway, connect };
}

const reach = (client, count) => until(`${count} messages at the backend`, () => client.reaches.length >= count && client.reaches);

describe("the guide's own server behind the gateway, which answers joins itself", () => {
  const start = async (t, route = {}) => {
    const backend = await guideServer(t);
    const gateway = await startRooms(t, { backend: backend.port, rooms, route: { acknowledge: 'backend', ...route } });
    return { backend, gateway };
  };

  test("serves the guide's clients as it did", async (t) => {
    const { backend, gateway } = await start(t);
    const members = await Promise.all(['alice', 'bob', 'carol'].map((id) => roomClient(t, gateway, id)));
    for (const member of members) await member.join('lobby');
    for (const member of members) member.say(message('lobby', { text: member.id }));
    for (const member of members) {
      const payloads = [];
      while (payloads.length < 3) payloads.push(await member.next());
      assert.deepEqual(payloads.map(({ payload }) => payload.text).sort(), ['alice', 'bob', 'carol']);
      assert.ok(payloads.every((one) => one.from === undefined), "what they get is the backend's");
    }
    assert.equal(backend.members('lobby'), 3);
    members[0].say(leave('lobby'));
    await until('one to have left', () => backend.members('lobby') === 2);
    members[1].socket.terminate();
    await until('one to have vanished', () => backend.members('lobby') === 1);
    members[0].say(message('lobby', 'gone'));
    await members[0].expect(error('not_a_member', { room: 'lobby' }));
    members[2].say(message('lobby', 'alone'));
    await members[2].expect(message('lobby', 'alone'));
  });

  test('never hears what it would have allowed and the policy denies', async (t) => {
    const { backend, gateway } = await start(t);
    const bob = await roomClient(t, gateway, 'bob');
    bob.say(join('staff'), message('staff', 'x'), join('nowhere'), message('lobby', 'x'), 'rubbish',
      '{"type":"join","room":"lobby","room":"staff"}', { type: 'typing', room: 'lobby' }, message('lobby', 'x', { from: 'alice' }), join('lobby', { from: 'alice' }));
    for (const code of ['access_denied', 'access_denied', 'access_denied', 'not_a_member', ...Array(5).fill('bad_message')]) {
      const answer = await bob.next();
      assert.deepEqual([answer.type, answer.code], ['error', code]);
    }
    bob.socket.send(Buffer.from(JSON.stringify(join('lobby'))), { binary: true });
    await bob.expect(error('bad_message'));
    await bob.join('lobby', 'read-only');
    bob.say(message('read-only', 'x'));
    await bob.expect(error('access_denied', { room: 'read-only' }));
    assert.deepEqual(backend.gotFrom('bob'), [join('lobby'), join('read-only')].map((one) => JSON.stringify(one)));
  });

  test('never gets a message that it may read as of another room or user', async (t) => {
    const { backend, gateway } = await start(t);
    const bob = await (await roomClient(t, gateway, 'bob')).join('lobby');
    const forged = [
      '{"type":"message","room":"lobby","Room":"staff","payload":1}', '{"type":"message","room":"lobby","r\u004fom":"staff","payload":1}',
      '{"type":"message","room":"lobby","From":"alice","payload":1}', '{"type":"message","TYPE":"join","room":"lobby"}',
    ];
    bob.say(...forged);
    await bob.expect(...forged.map(() => error('bad_message')));
    bob.say(message('lobby', { Room: 'staff', from: 'alice' }));
    await bob.expect(message('lobby', { Room: 'staff', from: 'alice' }));
    assert.equal(backend.gotFrom('bob').length, 2);
  });

  test('gets what is allowed octet for octet', async (t) => {
    const { backend, gateway } = await start(t);
    const peer = await roomPeer(t, gateway);
    const texts = [
      ' {"room" : "l\\u006fbby", "x":[1,{"room":"staff"}], "type":"j\\u006fin" }\n',
      '{"type":"message","room":"lobby","payload":{"a":1.0,"a":1E2}}',
      '{"payload":"é€😀\\u0000","id":"x","type":"message","room":"lobby"}', '{"type":"message","room":"lobby"}',
      '{"type":"leave","room":"lobby","id":-1}',
    ];
    for (const one of texts) peer.send(frame(text, one));
    const pieces = Buffer.from('{"type":"join","room":"lobby","note":"in pieces, é"}');
    peer.send(frame(text, pieces.subarray(0, 9), { fin: false }),
      frame(opcodes.continuation, pieces.subarray(9, pieces.length - 4), { fin: false }),
      frame(opcodes.continuation, pieces.subarray(pieces.length - 4)));
    await until('all', () => backend.got.length === 6);
    assert.deepEqual(backend.gotFrom('alice'), [...texts, pieces.toString()]);
  });

  test('hears nothing over a limit', async (t) => {
    const { backend, gateway } = await start(t, { limits: { connection: { messages: '1/m', burst: 4 } } });
    const client = await (await roomClient(t, gateway)).join('lobby');
    client.say(...Array.from({ length: 10 }, (_, i) => message('lobby', i)));
    const answers = [];
    while (answers.length < 10) answers.push(await client.next());
    assert.equal(answers.filter(({ code }) => code === 'rate_limited').length, 7);
    assert.equal(backend.gotFrom('alice').length, 4);
  });
});

describe('who answers, and who hears a message', () => {
  test('deliver: backend (the default): it decides, joins are answered by the gateway', async (t) => {
    const { connect } = await withBackend(t);
    const [alice, bob] = [await connect('alice'), await connect('bob')];
    for (const client of [alice, bob]) await client.join('lobby');
    alice.say(join('lobby', { id: 5 }), message('lobby', 'hi'), leave('lobby', { id: 6 }));
    await alice.expect(joined('lobby', { id: 5 }), { type: 'left', room: 'lobby', id: 6 });
    const reached = [join('lobby'), join('lobby', { id: 5 }), message('lobby', 'hi'), leave('lobby', { id: 6 })];
    assert.deepEqual(await reach(alice, 4), reached.map((one) => JSON.stringify(one)));
    assert.deepEqual(await bob.hears(), []);
    assert.deepEqual(await alice.hears(), []);
  });

  test('deliver: room: members do, only joins and leaves reach it', async (t) => {
    const { connect } = await withBackend(t, { deliver: 'room' });
    const [alice, bob] = [await connect('alice'), await connect('bob')];
    for (const client of [alice, bob]) await client.join('lobby');
    alice.say(message('lobby', 'hi'), leave('lobby'));
    await bob.expect(message('lobby', 'hi', { from: 'alice' }));
    assert.deepEqual(await reach(alice, 2), [join('lobby'), leave('lobby')].map((one) => JSON.stringify(one)));
    assert.deepEqual(await bob.hears(), []);
  });

  test('deliver: both: members and the backend', async (t) => {
    const { connect } = await withBackend(t, { deliver: 'both' });
    const [alice, bob] = [await connect('alice'), await connect('bob')];
    for (const client of [alice, bob]) await client.join('lobby');
    alice.say(message('lobby', 'hi', { x: 1 }));
    for (const client of [alice, bob]) await client.expect(message('lobby', 'hi', { from: 'alice' }));
    assert.deepEqual(await reach(alice, 2), [join('lobby'), message('lobby', 'hi', { x: 1 })].map((one) => JSON.stringify(one)));
    assert.deepEqual(await bob.hears(), []);
    assert.deepEqual(bob.reaches, [JSON.stringify(join('lobby'))]);
  });

  test('acknowledge: backend: only it answers joins and leaves, errors are still the gateway\'s', async (t) => {
    const { connect } = await withBackend(t, { acknowledge: 'backend' });
    const alice = await connect();
    alice.say(join('lobby', { id: 1 }), leave('lobby'), join('nowhere', { id: 2 }));
    await alice.expect(error('access_denied', { room: 'nowhere', id: 2 }));
    await reach(alice, 2);
    assert.deepEqual(await alice.hears(joined('lobby'), { type: 'left', room: 'lobby' }), [{ type: 'left', room: 'lobby' }],
      'who is no member hears no more of the room than that it was left');
  });

  test('other: allow lets other types pass, and no type of the gateway\'s own', async (t) => {
    const { connect } = await withBackend(t, { other: 'allow' });
    const alice = await connect();
    const other = ' {"type":"typing","room":"staff" , "x":1}';
    alice.say(other, '{"type":"JOIN","room":"nowhere"}');
    assert.deepEqual(await reach(alice, 2), [other, '{"type":"JOIN","room":"nowhere"}']);
    const ours = ['broadcast', 'broad\\u0063ast', 'joined', 'left', 'error', 'expiring', 'refreshed', 'authenticated', 'auth'];
    for (const type of ours) {
      alice.say(`{"type":"${type}","room":"lobby","payload":1,"token":"x"}`);
      await alice.expect(error('bad_message'));
    }
    alice.say('{"type":"refresh","room":"lobby","payload":1,"token":"x"}');
    await alice.expect(error('invalid_token'));
    for (const bad of ['{"x":1}', '{"type":7}', '{"type":"typing","type":"typing"}', '{"type":"typing","from":"bob"}', 'typing']) {
      alice.say(bad);
      await alice.expect(error('bad_message'));
    }
    assert.equal(alice.reaches.length, 2);
  });

  test('other: deny (the default) is bad_message', async (t) => {
    const { connect } = await withBackend(t);
    const alice = await connect();
    alice.say({ type: 'typing', room: 'lobby' });
    await alice.expect(error('bad_message'));
    await alice.join('lobby');
    assert.deepEqual(await reach(alice, 1), [JSON.stringify(join('lobby'))]);
  });

  test('what was sent behind a join reaches the backend behind it', async (t) => {
    const { connect } = await withBackend(t);
    const clients = await Promise.all(Array.from({ length: 8 }, (_, i) => connect(`user-${i}`)));
    const all = [join('lobby'), ...Array.from({ length: 10 }, (_, i) => message('lobby', i)), leave('lobby')];
    for (const client of clients) client.say(...all);
    for (const client of clients) assert.deepEqual(await reach(client, 12), all.map((one) => JSON.stringify(one)));
  });
});

describe('what a backend says', () => {
  test('of a room reaches the client only while it is a member', async (t) => {
    const { connect } = await withBackend(t);
    const alice = await connect();
    const news = { type: 'news', room: 'lobby', x: 1 };
    const mine = message('lobby', 'from the backend', { from: 'anyone' });
    assert.deepEqual(await alice.hears(news, mine, message('staff', 1), ' {"\\u0072oom":"l\\u006fbby"}'), []);
    await alice.join('lobby');
    assert.deepEqual(await alice.hears(news, mine, message('staff', 1)), [news, mine]);
    alice.say(leave('lobby'));
    await alice.expect({ type: 'left', room: 'lobby' });
    assert.deepEqual(await alice.hears(news, mine), []);
  });

  test('of no room passes as it is', async (t) => {
    const { connect } = await withBackend(t);
    const alice = await connect();
    const free = ['plain text', '{"room":7}', '{"room":null}', '{"x":{"room":"staff"}}', '["room","staff"]', '"room"', '{cut off', ''];
    for (const one of free) alice.backend.send(one);
    for (const one of free) {
      const got = await alice.next();
      assert.deepEqual(got, (() => { try { return JSON.parse(one); } catch { return one; } })());
    }
    const octets = Buffer.from('{"type":"message","room":"staff"}');
    alice.backend.send(octets, { binary: true });
    assert.deepEqual(await alice.next(), octets);
  });

  test('with a duplicate name, or a room that is no name, is dropped', async (t) => {
    const { connect, gateway } = await withBackend(t);
    const alice = await (await connect()).join('lobby');
    assert.deepEqual(await alice.hears('{"room":"lobby","room":"staff"}', '{"x":1,"room":"staff","\\u0072oom":"lobby"}', '{"x":1,"x":2}',
      '{"room":"lobby\\u0000"}', `{"room":"${'x'.repeat(257)}"}`, '{"room":""}', '{"room":"staff\\ud800"}', '{"room":"staff","x":1e400}',
      `{"room":"staff","x":${'['.repeat(80)}${']'.repeat(80)}}`), []);
    await gateway.logged('the drop', (line) => line.event === 'message_refused' && line.reason === 'backend_message_dropped');
  });

  test('of over 1 MiB is 1014 to the client, one of 1 MiB passes', async (t) => {
    const backend = await rawBackend(t);
    const gateway = await startRooms(t, { backend: backend.port, rooms });
    const peer = await roomPeer(t, gateway);
    const server = await backend.opened();
    const mib = 1024 * 1024;
    server.send(frame(text, 'x'.repeat(mib), { masked: false }));
    assert.equal((await peer.message()).payload.length, mib);
    server.send(frame(text, 'x'.repeat(mib + 1), { masked: false }));
    assert.equal((await peer.close()).code, 1014);
    assert.equal((await server.close()).code, 1009);
    const pieces = await roomPeer(t, gateway);
    const its = await backend.opened(2);
    its.send(frame(binary, Buffer.alloc(mib), { masked: false, fin: false }), frame(opcodes.continuation, 'x', { masked: false }));
    assert.equal((await pieces.close()).code, 1014);
  });

  test('broadcast reaches every member on every worker as a message, where the route says so', async (t) => {
    const { connect } = await withBackend(t, { backend_broadcast: true });
    const clients = await Promise.all(Array.from({ length: 12 }, (_, i) => connect(`user-${i}`)));
    const members = clients.slice(2);
    for (const client of members) await client.join('lobby');
    const broadcast = ' {"payload" : {"n": 1.0} ,"from":"mallory","type":"broad\\u0063ast","room":"lobby","x":1}';
    clients[0].backend.send(broadcast);  // of no member's connection
    members[5].backend.send(broadcast);
    for (const client of members) {
      for (let i = 0; i < 2; ++i) await client.expect({ type: 'message', room: 'lobby', payload: { n: 1 } });
      assert.deepEqual(await client.hears(), []);
    }
    for (const client of clients.slice(0, 2)) assert.deepEqual(await client.hears(), []);
    for (const bad of ['{"type":"broadcast","room":"lobby","room":"lobby"}', '{"type":"broadcast","room":"lobby","type":"broadcast"}']) {
      assert.deepEqual(await members[0].hears(bad), []);
    }
    assert.deepEqual(await members[1].hears(), []);
  });

  test('broadcast is nothing special where the route does not', async (t) => {
    const { connect } = await withBackend(t);
    const [alice, bob] = [await connect('alice'), await connect('bob')];
    await bob.join('lobby');
    const broadcast = { type: 'broadcast', room: 'lobby', payload: 1 };
    assert.deepEqual(await alice.hears(broadcast), []);
    assert.deepEqual(await bob.hears(), []);
    assert.deepEqual(await bob.hears(broadcast), [broadcast]);
    assert.deepEqual(await alice.hears(), []);
  });

  test("a client's broadcast through a backend that echoes reaches nobody", async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startRooms(t, {
      backend: backend.port, rooms: [open('lobby')], route: { backend_broadcast: true, other: 'allow' },
    });
    const victims = await Promise.all(Array.from({ length: 6 }, (_, i) => roomClient(t, gateway, `victim-${i}`)));
    for (const victim of victims) {
      victim.say(join('lobby'));
      await victim.expect(joined('lobby'), join('lobby'));  // the gateway's, and the echo
    }
    const mallory = await roomClient(t, gateway, 'mallory');
    const forged = [
      '{"type":"broadcast","room":"lobby","payload":"forged"}', '{"type":"broad\\u0063ast","room":"lobby","payload":"forged"}',
      '{"type":"typing","room":"lobby","payload":"forged","type":"broadcast"}', '{"type":"broadcast","room":"lobby","payload":"forged"',
      '\ufeff{"type":"broadcast","room":"lobby","payload":"forged"}', ' [{"type":"broadcast","room":"lobby","payload":"forged"}]',
      '{"type":"typing","x":{"type":"broadcast","room":"lobby","payload":"forged"}}',
      '{"type":"broadcast ","room":"lobby","payload":"forged"}',
      '{"type":"broadcast\\u0000","room":"lobby","payload":"forged"}', '{"type":"Broadcast","room":"lobby","payload":"forged"}',
    ];
    mallory.say(...forged);
    mallory.socket.send(Buffer.from(forged[0]), { binary: true });
    mallory.say({ type: 'the end' });
    for (;;) if ((await mallory.next()).type === 'the end') break;
    for (const victim of victims) {
      victim.say({ type: 'mark' });
      await victim.expect({ type: 'mark' });
    }
    const passed = [forged[6], ...forged.slice(7), '{"type":"the end"}'];
    assert.deepEqual(backend.messages.filter((one) => !one.includes('"join"') && !one.includes('"mark"')), passed);
  });
});

describe('messages: { json: … }: a protocol that exists already', () => {
  const json = (more = {}) => ({
    messages: {
      json: {
        action: '/op', room: '/args/channel',
        join: ['subscribe'], leave: ['unsubscribe'], publish: ['publish', 'typing'],
        other: 'deny', ...more,
      },
    },
  });
  const say = (op, channel, more = {}) => ({ op, args: { channel }, ...more });

  test('reaches the backend where permitted, octet for octet, and the gateway says nothing', async (t) => {
    const { connect } = await withBackend(t, json());
    const bob = await connect('bob');
    const allowed = [' {"args":{"channel":"l\\u006fbby","x":1}, "op":"subscribe"}', JSON.stringify(say('publish', 'lobby', { data: 1.5 })),
      JSON.stringify(say('typing', 'lobby')), JSON.stringify(say('unsubscribe', 'lobby'))];
    bob.say(say('subscribe', 'staff'), say('publish', 'lobby'), say('publish', 'staff'), allowed[0],
      say('subscribe', 'nowhere'), allowed[1], say('ping', 'lobby'), say('publish', 'read-only'), allowed[2], allowed[3],
      say('publish', 'lobby'), say('subscribe', ''), say('subscribe', 'a\u0000'),
      { op: 'subscribe' }, { op: 'subscribe', args: { channel: 5 } }, '{"op":"subscribe","args":{"channel":"lobby","channel":"lobby"}}',
      '{"op":"subscribe","op":"subscribe","args":{"channel":"lobby"}}', 'rubbish', '{}', say('subscribe', 'lobby'));
    assert.deepEqual(await reach(bob, 5), [...allowed, JSON.stringify(say('subscribe', 'lobby'))]);
    assert.deepEqual(await bob.hears(), []);
    assert.equal(bob.close, undefined);
  });

  test('refusals are audited', async (t) => {
    const { connect, gateway } = await withBackend(t, json());
    const bob = await connect('bob');
    bob.say(say('subscribe', 'staff'), say('publish', 'lobby'), { op: 'subscribe' }, say('ping', 'lobby'));
    const refusals = [['access_denied', 'staff'], ['not_a_member', 'lobby'], ['bad_message'], ['other_denied']];
    for (const [reason, room] of refusals) {
      await gateway.logged(reason, (line) => line.event === 'message_refused' &&
        line.reason === reason && line.room === room && line.subject === 'bob');
    }
  });

  test('other: allow passes what is no action of a room', async (t) => {
    const { connect } = await withBackend(t, json({ other: 'allow' }));
    const bob = await connect('bob');
    const others = ['{"op":"ping"}', 'plain', '[1]', '{"x":1}', '{"op":7,"args":{"channel":"staff"}}'];
    bob.say(...others, say('publish', 'staff'), say('subscribe', 'lobby'));
    bob.socket.send(Buffer.from('octets'), { binary: true });
    assert.deepEqual((await reach(bob, 7)).map(String), [...others, JSON.stringify(say('subscribe', 'lobby')), 'octets']);
  });

  test('on_denied: close ends the connection with 1008', async (t) => {
    const { connect, backend, gateway } = await withBackend(t, json({ on_denied: 'close' }));
    for (const denied of [say('subscribe', 'staff'), say('publish', 'lobby'), say('ping', 'lobby'), { op: 'publish' }, 'rubbish']) {
      const bob = await connect('bob');
      bob.say(say('subscribe', 'lobby'), say('unsubscribe', 'lobby'), denied, say('subscribe', 'lobby'));
      assert.equal((await bob.closed()).code, 1008, JSON.stringify(denied));
      assert.deepEqual(bob.inbox, []);
      assert.equal(bob.reaches.length, 2);
    }
    await until('the backend to be told', () => backend.closes.length === 5 && backend.closes.every(({ code }) => code === 1001));
    await gateway.logged('its end', (line) => line.event === 'connection_closed' && line.reason === 'message_denied');
  });

  test('what the backend says of a room reaches its members alone', async (t) => {
    const { connect } = await withBackend(t, json());
    const bob = await connect('bob');
    const event = { event: 'tick', args: { channel: 'lobby' }, data: 1 };
    assert.deepEqual(await bob.hears(event, { event: 'hello' }, 'free'), [{ event: 'hello' }, 'free']);
    bob.say(say('subscribe', 'lobby'));
    await reach(bob, 1);
    const ofStaff = [{ ...event, args: { channel: 'staff' } }, '{"args":{"channel":"lobby","channel":"staff"}}'];
    assert.deepEqual(await bob.hears(event, ...ofStaff), [event]);
    bob.say(say('unsubscribe', 'lobby'));
    await reach(bob, 2);
    assert.deepEqual(await bob.hears(event), []);
  });

  test('limits hold in it, silently', async (t) => {
    const limits = (on_exceed) => ({ ...json(), limits: { connection: { messages: '1/m', burst: 3, on_exceed } } });
    const dropping = await (await withBackend(t, limits('drop'))).connect('bob');
    dropping.say(say('subscribe', 'lobby'), ...Array.from({ length: 10 }, (_, i) => say('publish', 'lobby', { i })));
    assert.deepEqual(await dropping.hears(), []);
    await reach(dropping, 3);
    dropping.socket.ping('all read');
    await new Promise((resolve) => dropping.socket.once('pong', resolve));
    assert.deepEqual(await dropping.hears(), []);
    assert.equal(dropping.reaches.length, 3);
    const closing = await (await withBackend(t, limits('close'))).connect('bob');
    closing.say(say('subscribe', 'lobby'), ...Array.from({ length: 10 }, (_, i) => say('publish', 'lobby', { i })));
    assert.equal((await closing.closed()).code, 1008);
    assert.deepEqual(closing.inbox, []);
  });
});

describe('a connection with a backend ends with it', () => {
  test('and its memberships with the connection', async (t) => {
    const backend = await rawBackend(t);
    const gateway = await startRooms(t, { backend: backend.port, rooms, route: { deliver: 'room' } });
    const stays = await (await roomClient(t, gateway, 'stays')).join('lobby');
    for (let i = 2; i < 8; ++i) {
      const goes = await (await roomClient(t, gateway, 'goes')).join('lobby');
      (await backend.opened(i)).send(frame(opcodes.close, closePayload(3000, 'bye'), { masked: false }));
      assert.deepEqual(await goes.closed(), { code: 3000, reason: 'bye' });
    }
    stays.say(message('lobby', 'alone'));
    await stays.expect(message('lobby', 'alone', { from: 'stays' }));
  });
});
