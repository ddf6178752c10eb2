// The admin listener (CONTRACT section 6): what it lets in, and each call of the API with real clients
// behind it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { wsBackend } from './harness/backends.mjs';
import { atEnd, suiteContext } from './harness/ending.mjs';
import { freePort, open as openSocket, startGateway, users } from './harness/gateway.mjs';
import { openClient, startInstance, startRedis } from './harness/redis.mjs';
import { remember, secret, token } from './harness/tokens.mjs';
import { patience, until, within } from './harness/wait.mjs';
import { closePayload, connect, frame, opcodes } from './harness/wire.mjs';

const adminToken = remember('of-an-admin-0123456789');

// A room server with four workers; every room is open to all. `space` is the room_space of /spaced.
const startRooms = (t, more = {}) => startGateway(t, {
  workers: 4,
  backends: {},
  routes: ['/chat', '/spaced'].map((path) => ({
    path, authenticate: ['users'], rooms: [{ match: '*', join: 'everyone', publish: 'everyone' }],
    limits: { rooms_per_connection: 1_000 }, ...(path === '/spaced' && { room_space: 'blue-1' }),
  })),
  ...more,
});

// One request as any HTTP client sends it: { status, fields, text, json }.
function call(gateway, method, path, { json, body = json && JSON.stringify(json), headers = {} } = {}) {
  return within(`${method} ${path}`, new Promise((resolve, reject) => {
    const request = http.request({
      host: '127.0.0.1', port: gateway.adminPort, method, path, agent: false,
      headers: {
        ...(body !== undefined && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }),
        ...headers,
      },
    }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece) => (text += piece));
      response.on('error', reject);
      response.on('end', () => {
        const isJson = /^application\/json/.test(response.headers['content-type']);
        resolve({
          status: response.statusCode, fields: response.headers, text,
          json: isJson && text ? JSON.parse(text) : undefined,
        });
      });
    }).on('error', reject);
    request.end(body);
  }), 15_000 * patience);
}

// The octets as they are; the answer's status and text.
async function raw(t, gateway, ...pieces) {
  const peer = await connect(gateway.adminPort);
  atEnd(t, () => peer.destroy());
  for (const piece of pieces) peer.send(piece);
  const head = await peer.head(10_000 * patience);
  const rest = await peer.end(10_000 * patience);
  return { ...head, text: rest.toString() };
}

const postOf = (type, body, more = '') =>
  `POST /v1/rooms/r/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${type}\r\n${more}` +
  `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

const isError = (answer, status) => {
  assert.equal(answer.status, status, answer.text);
  assert.deepEqual(Object.keys(answer.json), ['error'], answer.text);
  assert.match(answer.fields['content-type'], /^application\/json/);
};

// All rows of a list, page by page.
async function pages(gateway, path, name, limit) {
  const rows = [];
  let next = '';
  do {
    const separator = path.includes('?') ? '&' : '?';
    const { json, text } = await call(gateway, 'GET',
      `${path}${separator}limit=${limit}&after=${encodeURIComponent(next)}`);
    assert.ok(json?.[name].length <= limit, text);
    rows.push(...json[name]);
    next = json.next;
  } while (next !== null);
  return rows;
}

// What a real HAProxy says of a server that it has checked: a row of its statistics.
async function checkedByHaproxy(t, check, port) {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-haproxy-'));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  const [file, own] = [join(folder, 'haproxy.cfg'), await freePort()];
  writeFileSync(file, `defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
listen page
  bind 127.0.0.1:${own}
  stats enable
  stats uri /
  option httpchk ${check}
  server gateway 127.0.0.1:${port} check inter 100ms
`);
  const child = spawn('/usr/sbin/haproxy', ['-db', '-f', file], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('error', resolve).once('close', resolve));
  atEnd(t, async () => {
    child.kill('SIGKILL');
    await within('HAProxy to end', ended);
  });
  return until('HAProxy to have checked', async () => {
    const csv = await fetch(`http://127.0.0.1:${own}/;csv`).then((page) => page.text(), () => '');
    const [names, ...rows] = csv.split('\n').map((line) => line.replace(/^# /, '').split(','));
    const cells = rows.find(([, name]) => name === 'gateway') ?? [];
    const row = Object.fromEntries(names.map((name, i) => [name, cells[i]]));
    return /^L[467]/.test(row.check_status) && row;
  });
}

describe('a request', () => {
  const t = suiteContext('admin requests');
  const gateway = startRooms(t);

  test('is answered in JSON, once, and the connection closed', async (t) => {
    const answer = await raw(t, await gateway, 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(2));
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.fields['content-type'], ['application/json']);
    assert.deepEqual(answer.fields.connection, ['close']);
    assert.deepEqual(answer.fields['cache-control'], ['no-store']);
    assert.equal(answer.text, '{"status":"alive"}');
  });

  test('for what is not there is 404, with another method 405 with Allow', async () => {
    isError(await call(await gateway, 'GET', '/v1/nothing'), 404);
    const answer = await call(await gateway, 'PUT', '/v1/rooms/r');
    isError(answer, 405);
    assert.equal(answer.fields.allow, 'GET, HEAD');
  });

  test('HEAD has the length of the answer and nothing of it', async () => {
    const get = await call(await gateway, 'GET', '/readyz');
    const head = await call(await gateway, 'HEAD', '/readyz');
    assert.equal(head.status, 200);
    assert.equal(head.text, '');
    assert.equal(head.fields['content-length'], `${get.text.length}`);
  });

  test('that is no HTTP, or has two Hosts or none, is 400', async (t) => {
    for (const head of ['rubbish', 'GET /v1/rooms HTTP/1.1', 'GET /v1/rooms HTTP/1.1\r\nHost: a\r\nHost: a',
      'GET http://127.0.0.1/v1/rooms HTTP/1.1\r\nHost: 127.0.0.1', 'GET /v1/rooms/%zz HTTP/1.1\r\nHost: 127.0.0.1']) {
      const answer = await raw(t, await gateway, `${head}\r\n\r\n`);
      assert.equal(answer.status, 400, head);
      assert.ok(JSON.parse(answer.text).error);
    }
    const long = await raw(t, await gateway, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`);
    assert.equal(long.status, 431);
  });

  test('for health may come in HTTP/1.0 and without a Host, and no other may', async (t) => {
    for (const path of ['/healthz', '/readyz']) {
      assert.equal((await raw(t, await gateway, `GET ${path} HTTP/1.0\r\n\r\n`)).status, 200);
      assert.equal((await raw(t, await gateway, `GET ${path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n`)).status, 200);
      assert.equal((await raw(t, await gateway, `GET ${path} HTTP/1.0\r\nHost: evil.example\r\n\r\n`)).status, 403);
      assert.equal((await raw(t, await gateway, `GET ${path} HTTP/1.0\r\nOrigin: http://evil.example\r\n\r\n`)).status, 403);
      assert.equal((await raw(t, await gateway, `GET ${path} HTTP/1.1\r\n\r\n`)).status, 400);
      assert.equal((await raw(t, await gateway, `DELETE ${path} HTTP/1.0\r\n\r\n`)).status, 405);
    }
    for (const path of ['/metrics', '/v1/rooms', '/healthz/x', '/']) {
      for (const host of ['', 'Host: 127.0.0.1\r\n']) {
        assert.equal((await raw(t, await gateway, `GET ${path} HTTP/1.0\r\n${host}\r\n`)).status, 400, path);
      }
    }
  });

  test('for health is what HAProxy asks with a plain httpchk', async (t) => {
    const row = await checkedByHaproxy(t, 'GET /readyz', (await gateway).adminPort);
    assert.deepEqual([row.status, row.check_status, row.check_code], ['UP', 'L7OK', '200']);
  });

  test('has a body of at most 1 MiB, in pieces or whole, with its length', async (t) => {
    const { adminPort } = await gateway;
    const post = postOf('application/json', '{"payload":1}');
    const peer = await connect(adminPort);
    atEnd(t, () => peer.destroy());
    for (const octet of post) peer.send(octet);
    assert.equal((await peer.head()).status, 202);

    const over = await raw(t, await gateway, postOf('application/json', '').replace('h: 0', 'h: 1048577'));
    assert.equal(over.status, 413);
    // It is told so also when it has begun to send.
    const sent = await call(await gateway, 'POST', '/v1/rooms/r/messages', { body: 'x'.repeat(1_048_577) });
    isError(sent, 413);
    const chunked = await raw(t, await gateway, 'POST /v1/rooms/r/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n' +
      'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n');
    assert.equal(chunked.status, 411);
  });

  test('may ask whether to go on (RFC 9110 section 10.1.1)', async (t) => {
    const peer = await connect((await gateway).adminPort);
    atEnd(t, () => peer.destroy());
    const [head, body] = postOf('application/json', '{"payload":1}', 'Expect: 100-continue\r\n').split('\r\n\r\n');
    peer.send(`${head}\r\n\r\n`);
    assert.equal((await peer.head()).status, 100);
    peer.send(body);
    assert.equal((await peer.head()).status, 202);

    const refused = await connect((await gateway).adminPort);
    atEnd(t, () => refused.destroy());
    refused.send(`${head.replace('application/json', 'text/plain')}\r\n\r\n`);
    assert.equal((await refused.head()).status, 415);
  });

  test('that comes too slowly is 408, its head or its body', async (t) => {
    const slow = ['GET /healthz HTTP/1.1\r\n', postOf('application/json', '{"payload":1}').slice(0, -1)];
    const answers = await Promise.all(slow.map(async (begin) => raw(t, await gateway, begin)));
    assert.deepEqual(answers.map(({ status }) => status), [408, 408]);
  });

  test('of hundreds at once is answered or dropped, and others after it are', async () => {
    const { adminPort } = await gateway;
    const peers = [];
    for (let i = 0; i < 300; ++i) peers.push(await connect(adminPort));
    assert.equal((await call(await gateway, 'GET', '/healthz')).status, 200);
    for (const peer of peers) peer.destroy();
  });

  test('to readyz is 503 as soon as the instance drains', async (t) => {
    const own = await startRooms(t);
    const peer = await openSocket(t, own);
    assert.equal((await call(own, 'GET', '/readyz')).status, 200);
    own.signal('SIGTERM');
    const answer = await until('not ready', async () => {
      const answer = await call(own, 'GET', '/readyz');
      return answer.status === 503 && answer;
    });
    assert.deepEqual(answer.json, { error: 'draining' });
    assert.equal((await call(own, 'GET', '/healthz')).status, 200);
    peer.send(frame(opcodes.close, closePayload(1012)));
  });
});

describe('a page in the operator\'s browser (SECURITY 24)', () => {
  const t = suiteContext('admin pages');
  const gateway = startRooms(t);

  test('cannot speak in a room by a form, whatever it says that it is', async (t) => {
    const client = await openClient(t, await gateway, 'alice');
    await client.join('r');
    const body = '{"payload":"from a page"}';
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const answer = await raw(t, await gateway, postOf(type, body));
      assert.equal(answer.status, 415, type);
    }
    const json = postOf('application/json', body);
    for (const origin of ['http://evil.example', 'null', 'http://localhost:3000', 'http://127.0.0.1:1']) {
      const answer = await raw(t, await gateway, json.replace('Host:', `Origin: ${origin}\r\nHost:`));
      assert.equal(answer.status, 403, origin);
    }
    await client.expectSilence();
    assert.equal((await raw(t, await gateway, json)).status, 202);
    await client.expect({ type: 'message', room: 'r', payload: 'from a page' });
  });

  test('cannot read or change anything by a name rebound to this address', async (t) => {
    const client = await openClient(t, await gateway, 'alice');
    await client.join('r');
    const { id } = (await call(await gateway, 'GET', '/v1/connections?subject=alice')).json.connections.at(-1);
    const { adminPort } = await gateway;
    for (const Host of ['evil.example', `evil.example:${adminPort}`, 'localhost.evil.example']) {
      for (const headers of [{ Host }, { Host, Origin: `http://${Host}` }]) {
        isError(await call(await gateway, 'GET', '/v1/rooms', { headers }), 403);
        isError(await call(await gateway, 'GET', '/healthz', { headers }), 403);
        isError(await call(await gateway, 'DELETE', `/v1/connections/${id}`, { headers }), 403);
      }
    }
    assert.equal(client.closed, null);
    for (const Host of ['localhost', `LOCALHOST:${adminPort}`, `127.0.0.1:${adminPort}`, '[::1]', '10.0.0.1:80']) {
      const headers = { Host, Origin: `http://${Host}` };
      assert.equal((await call(await gateway, 'GET', '/v1/rooms', { headers })).status, 200, Host);
    }
  });

  test('gets no leave to read an answer, nor to ask beforehand', async () => {
    const headers = { Origin: 'http://evil.example', 'Access-Control-Request-Method': 'DELETE' };
    const answer = await call(await gateway, 'OPTIONS', '/v1/connections/x', { headers });
    isError(answer, 403);
    const own = await call(await gateway, 'OPTIONS', '/v1/connections/x');
    isError(own, 405);
    for (const { fields } of [answer, own]) assert.equal(fields['access-control-allow-origin'], undefined);
  });
});

describe('the admin token', () => {
  const t = suiteContext('admin token');
  const gateway = startGateway(t, (own) => ({
    version: 1,
    listen: [{ address: `127.0.0.1:${own.port}` }],
    admin: { address: `0.0.0.0:${own.adminPort}`, token: adminToken },
    authenticators: { users: users() },
    routes: [{ path: '/chat', authenticate: ['users'], rooms: [{ match: '*', join: 'everyone' }] }],
  }));

  test('is wanted for everything but health', async () => {
    for (const path of ['/v1/rooms', '/v1/policy', '/v1/nothing', '/metrics']) {
      const answer = await call(await gateway, 'GET', path);
      isError(answer, 401);
      assert.match(answer.fields['www-authenticate'], /^Bearer /);
    }
    for (const path of ['/healthz', '/readyz']) assert.equal((await call(await gateway, 'GET', path)).status, 200);
  });

  test('lets in, under any name; a wrong one does not, nor does the right one in the query', async () => {
    const get = async (Authorization, more = {}, path = '/v1/rooms') =>
      (await call(await gateway, 'GET', path, { headers: { ...(Authorization && { Authorization }), ...more } })).status;
    assert.equal(await get(`Bearer ${adminToken}`), 200);
    assert.equal(await get(`Bearer ${adminToken}`, { Host: 'gatehouse.internal' }), 200);
    assert.equal(await get(`Bearer ${adminToken.slice(1)}`), 401);
    assert.equal(await get(`Bearer ${adminToken}x`), 401);
    assert.equal(await get(`Basic ${adminToken}`), 401);
    assert.equal(await get(undefined, {}, `/v1/rooms?token=${adminToken}`), 401);
    assert.equal(await get(`Bearer ${adminToken}`, { Origin: 'http://evil.example' }), 403);
  });

  test('that is wrong is a line of the log, and that hundreds are is a few', async () => {
    const guess = remember('of-somebody-0123456789');
    const headers = { Authorization: `Bearer ${guess}` };
    for (let i = 0; i < 200; ++i) assert.equal((await call(await gateway, 'GET', '/v1/rooms', { headers })).status, 401);
    const { log, output } = await gateway;
    const lines = log.filter(({ event, reason }) => event === 'connection_refused' && reason === 'admin_token');
    assert.ok(lines.length > 0 && lines.length < 60, `${lines.length} lines`);
    assert.deepEqual([lines[0].address, lines[0].status], ['127.0.0.1', 401]);
    await (await gateway).logged('the rest', ({ event, reason, count }) =>
      event === 'connection_refused_suppressed' && reason === 'admin_token' && count > 0);
    assert.equal(output.includes(guess), false);
  });
});

describe('rooms', () => {
  const t = suiteContext('admin rooms');
  const gateway = startRooms(t);

  test('are those with members, over all workers, and gone with the last', async (t) => {
    const clients = [];
    for (let i = 0; i < 12; ++i) clients.push(await openClient(t, await gateway, `u${i}`));
    for (const [i, client] of clients.entries()) {
      await client.join('all');
      await client.join(`third ${i % 3}/é`);
    }
    const { json } = await call(await gateway, 'GET', '/v1/rooms');
    assert.deepEqual(json, {
      rooms: [
        { room: 'all', space: '', members: 12 },
        ...[0, 1, 2].map((i) => ({ room: `third ${i}/é`, space: '', members: 4 })),
      ],
      next: null,
    });
    const one = await call(await gateway, 'GET', `/v1/rooms/${encodeURIComponent('third 1/é')}`);
    assert.deepEqual(one.json.members.map(({ subject }) => subject).sort(), ['u1', 'u10', 'u4', 'u7']);
    assert.equal(one.json.count, 4);
    assert.equal(one.json.room, 'third 1/é');

    for (const client of clients) client.socket.close();
    await until('no rooms', async () => (await call(await gateway, 'GET', '/v1/rooms')).json.rooms.length === 0);
    isError(await call(await gateway, 'GET', '/v1/rooms/all'), 404);
  });

  test('of different spaces are different rooms', async (t) => {
    const plain = await openClient(t, await gateway, 'alice');
    await plain.join('r');
    const spaced = await openSocket(t, await gateway, { target: '/spaced' });
    spaced.send(frame(opcodes.text, '{"type":"join","room":"r"}'));
    await spaced.message();
    const rooms = async (query) => (await call(await gateway, 'GET', `/v1/rooms${query}`)).json.rooms;
    const [ours, theirs] = ['', 'blue-1'].map((space) => ({ room: 'r', space, members: 1 }));
    assert.deepEqual(await rooms(''), [ours, theirs]);
    assert.deepEqual(await rooms('?space='), [ours]);
    assert.deepEqual(await rooms('?space=blue-1'), [theirs]);
    assert.deepEqual(await rooms('?space=blue'), []);
    const members = async (query) => (await call(await gateway, 'GET', `/v1/rooms/r${query}`)).json?.members[0].id;
    assert.notEqual(await members(''), await members('?space=blue-1'));
    isError(await call(await gateway, 'GET', '/v1/rooms/r?space=none'), 404);

    const body = { json: { payload: 'to blue' } };
    assert.equal((await call(await gateway, 'POST', '/v1/rooms/r/messages?space=blue-1', body)).status, 202);
    assert.deepEqual(JSON.parse((await spaced.message()).payload), { type: 'message', room: 'r', payload: 'to blue' });
    await plain.expectSilence();
  });

  test('come page by page, each once', async (t) => {
    const clients = [];
    for (let i = 0; i < 4; ++i) clients.push(await openClient(t, await gateway, `u${i}`));
    for (let i = 0; i < 100; ++i) await clients[i % 4].join(`room ${i}`);
    await clients[0].join('room 1');  // on two workers, perhaps
    const rows = await pages(await gateway, '/v1/rooms', 'rooms', 7);
    const expected = Array.from({ length: 100 }, (_, i) => ({ room: `room ${i}`, space: '', members: i === 1 ? 2 : 1 }));
    assert.deepEqual(rows, expected.sort((a, b) => (a.room < b.room ? -1 : 1)));
  });

  test('more than a worker looks at in one go are all there', async (t) => {
    const own = await startRooms(t, { workers: 1 });
    for (let i = 0; i < 3; ++i) {
      const client = await openClient(t, own, `u${i}`);
      for (let n = 0; n < 1_000; ++n) client.say({ type: 'join', room: `${i}-${n}` });
      await until('every join to be answered', () => client.heard.length === 1_000);
    }
    const { json } = await call(own, 'GET', '/v1/rooms?limit=10000');
    assert.equal(json.next, null);
    assert.equal(new Set(json.rooms.map(({ room }) => room)).size, 3_000);
    assert.equal((await call(own, 'GET', '/v1/rooms')).json.rooms.length, 1_000);
  });

  test('are asked for by names that can be rooms, and with parameters that mean something', async () => {
    const rooms = ['a%00b', '%ff', 'x'.repeat(257), '%0d%0aPUBLISH'];
    for (const room of rooms) {
      isError(await call(await gateway, 'GET', `/v1/rooms/${room}`), 400);
      isError(await call(await gateway, 'POST', `/v1/rooms/${room}/messages`, { json: { payload: 1 } }), 400);
    }
    for (const query of ['space=A', 'space=a:b', `space=${'a'.repeat(65)}`, 'limit=0', 'limit=10001', 'limit=1e3',
      'limit=', 'spaces=x', 'space=a&space=b', 'space=%zz']) {
      isError(await call(await gateway, 'GET', `/v1/rooms?${query}`), 400);
      isError(await call(await gateway, 'GET', `/v1/rooms/r?${query}`), 400);
    }
    isError(await call(await gateway, 'GET', `/v1/rooms/${'x'.repeat(256)}`), 404);
  });
});

describe('a message to a room', () => {
  const t = suiteContext('admin messages');
  const gateway = startRooms(t);
  const post = async (body, path = '/v1/rooms/r/messages') => call(await gateway, 'POST', path, { body });

  test('reaches every member on every worker, octet for octet and without a sender', async (t) => {
    const clients = [];
    for (let i = 0; i < 12; ++i) clients.push(await openClient(t, await gateway, `u${i}`));
    for (const client of clients) await client.join('r');
    const texts = clients.map(({ socket }) => new Promise((resolve) => {
      socket.once('message', (text) => resolve(text.toString()));
    }));
    const payload = '{"n": 1.0e2 ,"n":"\\u00e9"}';
    const answer = await post(`{ "x":1, "payload" : ${payload} }`);
    assert.equal(answer.status, 202);
    assert.deepEqual(answer.json, { everywhere: true });
    for (const text of await within('every client to hear it', Promise.all(texts))) {
      assert.equal(text, `{"type":"message","room":"r","payload":${payload}}`);
    }
  });

  test('to a room where nobody is is taken', async () => {
    assert.equal((await post('{"payload":null}', '/v1/rooms/nobody/messages')).status, 202);
  });

  test('that cannot be read in exactly one way reaches nobody', async (t) => {
    const client = await openClient(t, await gateway, 'alice');
    await client.join('r');
    for (const body of ['', '{}', '[]', '"payload"', '{"payload":1', '{"payload":1}{}', '{"Payload":1}',
      '{"payload":1,"payload":2}', '{"payload":1,"p\\u0061yload":2}', '{"payload":01}', '{"payload":"\u0001"}',
      `{"payload":${'['.repeat(64)}${']'.repeat(64)}}`]) {
      isError(await post(body), 400);
    }
    await client.expectSilence();
  });

  test('has at most 1 MiB with what is around it', async (t) => {
    const client = await openClient(t, await gateway, 'alice');
    await client.join('r');
    const around = '{"type":"message","room":"r","payload":""}'.length;
    isError(await post(`{"payload":"${'x'.repeat(1_048_576 - around + 1)}"}`), 413);
    await client.expectSilence();
    assert.equal((await post(`{"payload":"${'x'.repeat(1_048_576 - around)}"}`)).status, 202);
    assert.equal((await client.next()).payload.length, 1_048_576 - around);
  });

  test('is a line of the audit log, without what it says', async () => {
    await post('{"payload":"never-in-the-log"}', '/v1/rooms/audited%0Aroom/messages');
    await post('{"payload":"never-in-the-log"}', '/v1/rooms/audited/messages');
    const line = await (await gateway).logged('the call', ({ event, room }) => event === 'admin_call' && room === 'audited');
    assert.deepEqual({ ...line, time: 0 }, {
      time: 0, level: 'info', event: 'admin_call', address: '127.0.0.1', action: 'publish', room: 'audited', status: 202,
    });
    assert.equal((await gateway).output.includes('never-in-the-log'), false);
  });
});

describe('connections', () => {
  const t = suiteContext('admin connections');
  const gateway = startRooms(t);
  const list = async (query = '') => (await call(await gateway, 'GET', `/v1/connections${query}`)).json.connections;

  test('are listed with what is known of them, by subject too', async (t) => {
    const before = Math.floor(Date.now() / 1_000);
    const exp = before + 300;
    const alice = await openClient(t, await gateway, 'alice & b+c');
    await openSocket(t, await gateway, { token: await token({ sub: 'bob', exp }) });
    await alice.join('a');
    await alice.join('b');
    const [row, ...others] = await list(`?subject=${encodeURIComponent('alice & b+c')}`);
    assert.deepEqual(others, []);
    const { id, since, expires_at: expires, ...rest } = row;
    assert.match(id, /^[0-9a-f]{16}$/);
    assert.ok(since >= before - 1 && since <= Date.now() / 1_000, `${since}`);
    assert.ok(expires >= before + 600, `${expires}`);
    assert.deepEqual(rest, { subject: 'alice & b+c', address: '127.0.0.1', route: '/chat', rooms: 2 });
    const [bob] = await list('?subject=bob');
    assert.equal(bob.expires_at, exp + 30);  // with its leeway
    assert.equal(bob.rooms, 0);
    assert.deepEqual(await list('?subject=nobody'), []);
    assert.equal((await list()).length, 2);
    const opened = await (await gateway).logged('its line',
      ({ event, subject }) => event === 'connection_opened' && subject === 'bob');
    assert.equal(opened.connection, bob.id);
    isError(await call(await gateway, 'GET', '/v1/connections?user=bob'), 400);
  });

  test('more than a worker looks at in one go come page by page, each once, while others come and go', async (t) => {
    const bearer = await token({ sub: 'many' });
    const open = (count) => Promise.all(Array.from({ length: count }, () => openSocket(t, own, { token: bearer })));
    const own = await startRooms(t, { workers: 2 });
    for (let i = 0; i < 30; ++i) await open(100);
    const stay = new Set((await pages(own, '/v1/connections', 'connections', 10_000)).map(({ id }) => id));
    assert.equal(stay.size, 3_000);
    let churning = true;
    const churn = (async () => {
      while (churning) for (const peer of await open(20)) peer.destroy();
    })();
    const seen = await pages(own, '/v1/connections?subject=many', 'connections', 500);
    churning = false;
    await churn;
    const ids = seen.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(ids, [...ids].sort());
    for (const id of stay) assert.ok(ids.includes(id), `${id} is missing`);
    for (const id of [...stay].slice(0, 20)) {
      assert.equal((await call(own, 'DELETE', `/v1/connections/${id}`)).status, 202);
    }
  });
});

describe('closing a connection', () => {
  test('gives its client 4410 and its backend 1001, and leaves others alone', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const [alice, bob] = [await openClient(t, gateway, 'alice'), await openClient(t, gateway, 'bob')];
    const idOf = async (subject) =>
      (await call(gateway, 'GET', `/v1/connections?subject=${subject}`)).json.connections[0]?.id;
    const id = await idOf('alice');
    const closed = within('alice to be closed', new Promise((resolve) => {
      alice.socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    }));
    const answer = await call(gateway, 'DELETE', `/v1/connections/${id}`);
    assert.equal(answer.status, 202);
    assert.deepEqual(answer.json, { here: true });
    assert.deepEqual(await closed, { code: 4410, reason: 'revoked' });
    assert.equal(await idOf('alice'), undefined);

    isError(await call(gateway, 'DELETE', `/v1/connections/${id}`), 404);
    isError(await call(gateway, 'DELETE', `/v1/connections/${await idOf('bob')}?subject=alice`), 400);
    for (const other of ['0123456789abcdef', 'x', `${await idOf('bob')}0`, (await idOf('bob')).toUpperCase() + 'A']) {
      isError(await call(gateway, 'DELETE', `/v1/connections/${other}`), 404);
    }
    assert.equal((await backend.closed()).code, 1001);
    bob.say({ still: 'here' });
    await bob.expect({ still: 'here' });
    assert.equal(backend.closes.length, 1);

    const end = await gateway.logged('its end', (line) => line.event === 'connection_closed' && line.connection === id);
    assert.equal(end.code, 4410);
    assert.equal(end.by, 'gateway');
    assert.equal(end.reason, 'revoked');
    const calls = () => gateway.log.filter(({ event, connection }) => event === 'admin_call' && connection === id);
    await until('both calls to be in the log', () => calls().length === 2);
    assert.deepEqual(calls().map(({ action, status, address }) => [action, status, address]),
      [['close', 202, '127.0.0.1'], ['close', 404, '127.0.0.1']]);
  });

  test('takes it out of its rooms at once', async (t) => {
    const gateway = await startRooms(t);
    const alice = await openClient(t, gateway, 'alice');
    const bob = await openClient(t, gateway, 'bob');
    await alice.join('r');
    await bob.join('r');
    const { json } = await call(gateway, 'GET', '/v1/rooms/r');
    const { id } = json.members.find(({ subject }) => subject === 'alice');
    assert.equal((await call(gateway, 'DELETE', `/v1/connections/${id}`)).status, 202);
    assert.equal((await call(gateway, 'GET', '/v1/rooms/r')).json.count, 1);
    await until('alice to be closed', () => alice.closed === 4410);
  });
});

describe('with Redis', () => {
  const speak = (gateway, payload) => call(gateway, 'POST', '/v1/rooms/r/messages', { json: { payload } });

  test('a message reaches the members on other instances too, and is answered when Redis has it', async (t) => {
    const redis = await startRedis(t);
    const [a, b] = [await startInstance(t, redis), await startInstance(t, redis)];
    const [alice, bob] = [await openClient(t, a, 'alice'), await openClient(t, b, 'bob')];
    await alice.join('r');
    await bob.join('r');
    const answer = await speak(a, 'to all');
    assert.equal(answer.status, 202);
    assert.deepEqual(answer.json, { everywhere: true });
    for (const client of [alice, bob]) await client.expect({ type: 'message', room: 'r', payload: 'to all' });
    // Where nobody is in the room too.
    await alice.say({ type: 'leave', room: 'r' });
    await alice.expect({ type: 'left', room: 'r' });
    assert.equal((await speak(a, 'from outside')).status, 202);
    await bob.expect({ type: 'message', room: 'r', payload: 'from outside' });
    // Lists are of the instance.
    isError(await call(a, 'GET', '/v1/rooms/r'), 404);
    assert.equal((await call(b, 'GET', '/v1/rooms/r')).json.count, 1);
  });

  test('local: while it is away a message reaches this instance, and the answer says so', async (t) => {
    const redis = await startRedis(t);
    const gateway = await startInstance(t, redis);
    const alice = await openClient(t, gateway, 'alice');
    await alice.join('r');
    await redis.kill();
    await gateway.logged('redis_away', ({ event }) => event === 'redis_away');
    const answer = await until('a message to be taken', async () => {
      const answer = await speak(gateway, 'here');
      return answer.status === 202 && answer;
    });
    assert.deepEqual(answer.json, { everywhere: false });
    await alice.expect({ type: 'message', room: 'r', payload: 'here' });
    assert.equal((await call(gateway, 'GET', '/readyz')).status, 200);
  });

  test('refuse: while it is away a message is 503, and the instance is not ready', async (t) => {
    const redis = await startRedis(t);
    const gateway = await startInstance(t, redis, { when_down: 'refuse' });
    const alice = await openClient(t, gateway, 'alice');
    await alice.join('r');
    await until('ready', async () => (await call(gateway, 'GET', '/readyz')).status === 200);
    await redis.kill();
    const answer = await until('not ready', async () => {
      const answer = await call(gateway, 'GET', '/readyz');
      return answer.status === 503 && answer;
    });
    assert.deepEqual(answer.json, { error: 'redis_away' });
    assert.equal((await call(gateway, 'GET', '/healthz')).status, 200);
    isError(await speak(gateway, 'lost'), 503);
    await alice.expectSilence();
    await redis.start();
    await until('ready', async () => (await call(gateway, 'GET', '/readyz')).status === 200);
    assert.equal((await speak(gateway, 'back')).status, 202);
    const { payload } = await until('the message', () => alice.heard.find(({ type }) => type === 'message'));
    assert.equal(payload, 'back');
  });

  test('a Redis that says nothing is 503 when its time is over', async (t) => {
    const redis = await startRedis(t);
    const gateway = await startInstance(t, redis);
    redis.child.kill('SIGSTOP');
    const answer = await speak(gateway, 'into the void');
    redis.child.kill('SIGCONT');
    isError(answer, 503);
  });
});

describe('the policy', () => {
  test('is shown as it runs, without its secrets', async (t) => {
    const redis = await startRedis(t, { options: ['--requirepass', 'of-the-redis'] });
    const gateway = await startGateway(t, {
      backends: {},
      redis: { url: '${REDIS_URL}' },
      routes: [{ path: '/chat', authenticate: ['users'], rooms: [{ match: '*', join: 'everyone' }] }],
      max_connections: 4_321,
      handshake_timeout: '${HANDSHAKE}',
    }, { env: { REDIS_URL: redis.url(':of-the-redis@'), HANDSHAKE: '7s' } });
    const { status, json, text } = await call(gateway, 'GET', '/v1/policy');
    assert.equal(status, 200);
    assert.equal(json.policy.max_connections, 4_321);
    assert.equal(json.policy.handshake_timeout, '7s');
    assert.equal(json.policy.routes[0].rooms[0].join, 'everyone');
    assert.equal(json.policy.authenticators.users.jwt.keys[0].secret, '***');
    assert.equal(json.policy.redis.url, `redis://:***@127.0.0.1:${redis.port}/0`);
    for (const hidden of [secret, 'of-the-redis']) assert.equal(text.includes(hidden), false);
    assert.equal(json.file.endsWith('policy.yaml'), true);
    const [keys] = json.key_sets;
    assert.equal(keys.authenticator, 'users');
    assert.equal(keys.keys, 1);
    assert.equal(keys.last_error, null);
    await until('the keys to become older', async () =>
      (await call(gateway, 'GET', '/v1/policy')).json.key_sets[0].age > keys.age);
  });
});
