// SECURITY 2, 3, 4, 5, 17 and 20: what two HTTP parsers could read differently ends at the gateway, and
// nobody but the gateway says who a client is.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { rawBackend, upgradeAnswer, wsBackend } from './harness/backends.mjs';
import { atEnd, suiteContext } from './harness/ending.mjs';
import { ask, open, refused, startGateway } from './harness/gateway.mjs';
import { token } from './harness/tokens.mjs';
import { connect, frame, opcodes, upgradeRequest } from './harness/wire.mjs';

const internal = 'GET /internal HTTP/1.1\r\nHost: gateway.test\r\n\r\n';

describe('floods of fields (SECURITY 2)', () => {
  test('10 000 fields are 431', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const fields = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`X-${i}`, 'x']));
    const peer = await connect(gateway.port);
    atEnd(t, () => peer.destroy());
    peer.send(upgradeRequest({ fields }));
    assert.equal((await peer.head()).status, 431);
  });

  test('a subprotocol list of nothing but commas is answered at once', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const bearer = await token();
    const began = Date.now();
    for (const size of [5_000, 32_768]) {
      const answer = await ask(t, gateway, { token: bearer, fields: { 'Sec-WebSocket-Protocol': ', '.repeat(size) } });
      assert.ok([400, 431].includes(answer.status), `${answer.status}`);
    }
    assert.ok(Date.now() - began < 2_000);
  });

  test('more than 16 subprotocols are 400', async (t) => {
    const backend = await wsBackend(t, { handleProtocols: (offered) => [...offered].at(-1) });
    const gateway = await startGateway(t, { backend: backend.port });
    const list = (count) => Array.from({ length: count }, (_, i) => `p${i}`).join(', ');
    const bearer = await token();
    const answer = await ask(t, gateway, { token: bearer, fields: { 'Sec-WebSocket-Protocol': list(16) } });
    assert.equal(answer.status, 101);
    assert.deepEqual(answer.fields['sec-websocket-protocol'], ['p15']);
    assert.equal((await refused(t, gateway, { token: bearer, fields: { 'Sec-WebSocket-Protocol': list(17) } })).status, 400);
  });
});

describe('an upgrade that is none (SECURITY 3)', () => {
  const answers = {
    'a backend that answers 426': ['HTTP/1.1 426 Upgrade Required\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n', 426],
    'a backend that answers 200': ['HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok', 502],
    'a backend that answers 101 without Sec-WebSocket-Accept':
      ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n', 502],
    'a backend that answers 101 with a wrong Sec-WebSocket-Accept':
      ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n', 502],
    'a backend that upgrades to another protocol':
      ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n', 502],
  };
  for (const [name, [answer, expected]] of Object.entries(answers)) {
    test(`${name} never sees a request pipelined behind it`, async (t) => {
      const backend = await rawBackend(t, { behave: (peer) => peer.send(answer) });
      const gateway = await startGateway(t, { backend: backend.port });
      const got = await ask(t, gateway, { token: await token(), after: internal });
      assert.equal(got.status, expected);
      got.peer.send(internal);
      await got.peer.end();
      assert.doesNotMatch(backend.text(), /internal/);
      assert.equal(backend.heads.length, 1);
      assert.doesNotMatch(got.peer.received.toString(), /ok/);
    });
  }

  test('a request pipelined behind a good upgrade is no frame: 1002, and the backend never sees it', async (t) => {
    const backend = await rawBackend(t, {
      behave: (peer, head) => peer.send(
        Buffer.concat([Buffer.from(upgradeAnswer(head)), frame(opcodes.text, 'hi', { masked: false })])),
    });
    const gateway = await startGateway(t, { backend: backend.port });
    const answer = await ask(t, gateway, { token: await token(), after: internal });
    assert.equal(answer.status, 101);
    assert.equal((await answer.peer.close()).code, 1002);
    assert.doesNotMatch(backend.text(), /internal/);
  });

  test('only GET and HTTP/1.1 upgrade', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    const bearer = await token();
    for (const start of ['POST /chat HTTP/1.1', 'CONNECT /chat HTTP/1.1', 'CONNECT gateway.test:80 HTTP/1.1',
      'HEAD /chat HTTP/1.1', 'OPTIONS * HTTP/1.1', 'get /chat HTTP/1.1', 'GET /chat HTTP/1.0', 'GET /chat HTTP/0.9',
      'GET /chat HTTP/2.0', 'PRI * HTTP/2.0', 'GET /chat', 'GET /chat HTTP/1.1 ', 'GET  /chat HTTP/1.1', 'GET\t/chat\tHTTP/1.1',
      'GET /chat http/1.1', 'GET /ch at HTTP/1.1']) {
      const { status } = await ask(t, gateway, { token: bearer, start });
      assert.ok(status >= 400 && status < 506 && status !== 502, `${start}: ${status}`);
    }
    assert.equal(backend.requests.length, 0);
  });
});

describe('request smuggling (SECURITY 4)', () => {
  const lines = (...more) => ['GET /chat HTTP/1.1', 'Host: gateway.test', 'Upgrade: websocket', 'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13', 'Authorization: Bearer TOKEN', ...more];
  const request = (...more) => `${lines(...more).join('\r\n')}\r\n\r\n`;
  const chunked = `0\r\n\r\n${internal}`;
  const corpus = {
    'Content-Length and Transfer-Encoding': request('Content-Length: 5', 'Transfer-Encoding: chunked') + chunked,
    'Transfer-Encoding and Content-Length': request('Transfer-Encoding: chunked', 'Content-Length: 5') + chunked,
    'an upgrade with a body': `${request('Content-Length: 5')}hello`,
    'an upgrade with a chunked body': request('Transfer-Encoding: chunked') + chunked,
    'two Content-Lengths that differ': `${request('Content-Length: 0', 'Content-Length: 5')}hello`,
    'a list as Content-Length': `${request('Content-Length: 0, 5')}hello`,
    'Content-Length +5': `${request('Content-Length: +5')}hello`,
    'Content-Length 0x5': `${request('Content-Length: 0x5')}hello`,
    'Content-Length -1': request('Content-Length: -1'),
    'Content-Length beyond 64 bits': request('Content-Length: 18446744073709551617'),
    'Transfer-Encoding: xchunked (CVE-2022-32213)': request('Transfer-Encoding: xchunked') + chunked,
    'Transfer-Encoding: chunkedchunked': request('Transfer-Encoding: chunkedchunked') + chunked,
    'Transfer-Encoding: chunked twice': request('Transfer-Encoding: chunked', 'Transfer-Encoding: identity') + chunked,
    'a multi-line Transfer-Encoding (CVE-2022-32215)': request('Transfer-Encoding: chunked', ' , identity') + chunked,
    'Transfer-Encoding with a vertical tab': request('Transfer-Encoding: \x0bchunked') + chunked,
    'a lone LF as a line end (CVE-2022-32214)': request('X: y').replaceAll('\r\n', '\n') + internal,
    'a lone LF inside the head': request('X: y\nContent-Length: 5'),
    'a lone CR inside a value (CVE-2023-30589)': request('X: y\rTransfer-Encoding: chunked') + chunked,
    'a lone CR as a line end': request('X: y').replace('\r\nX:', '\rX:'),
    'CR CR LF': request('X: y\r'),
    'LF CR LF at the end of the head': `${lines().join('\r\n')}\n\r\n${internal}`,
    'a folded line': request('X: y', ' Content-Length: 5'),
    'a folded line with a tab': request('X: y', '\tTransfer-Encoding: chunked'),
    'a folded first line': request().replace('\r\nHost', '\r\n Host'),
    'a space before the colon (CVE-2021-22959, CVE-2024-27982)': request('Content-Length : 5'),
    'a tab before the colon': request('Transfer-Encoding\t: chunked'),
    'a space before the first field name': request().replace('\r\nUpgrade', '\r\n Upgrade'),
    'a space inside a field name': request('Content Length: 5'),
    'an empty field name': request(': x'),
    'a line without a colon (CVE-2022-35256)': request('Content-Length'),
    'a NUL in a value': request('X: a\0b'),
    'a NUL in a name': request('X\0: a'),
    'a control character in a value': request('X: a\x01b'),
    'octets over 0x7f in a name': request('X\xff: a'),
    'no Host': request().replace('Host: gateway.test\r\n', ''),
    'two Hosts': request('Host: internal.test'),
    'a Host with a path': request().replace('gateway.test', 'gateway.test/x'),
    'a Host with user information': request().replace('gateway.test', 'a@gateway.test'),
    'a Host list': request().replace('gateway.test', 'gateway.test, internal.test'),
    'two versions': request('Sec-WebSocket-Version: 8'),
    'Expect with a body': `${request('Expect: 100-continue', 'Content-Length: 5')}hello`,
  };

  const suite = suiteContext('request smuggling');
  let backend;
  let gateway;
  before(async () => {
    backend = await rawBackend(suite);
    gateway = await startGateway(suite, { backend: backend.port });
  });

  test('the request that the corpus varies is a good one', async (t) => {
    const answer = await ask(t, gateway, { request: request('X: y').replace('TOKEN', await token()) });
    assert.equal(answer.status, 101);
  });

  for (const [name, text] of Object.entries(corpus)) {
    test(`${name}: refused, closed, and nothing of it at the backend`, async (t) => {
      backend.connections = 0;
      const peer = await connect(gateway.port);
      atEnd(t, () => peer.destroy());
      peer.send(Buffer.from(text.replace('TOKEN', await token()), 'latin1'));
      const head = await peer.head();
      assert.ok([400, 426].includes(head.status), head.start);
      await peer.end();
      assert.doesNotMatch(peer.received.toString(), /HTTP\/1/, 'one answer only');
      assert.equal(backend.connections, 0);
    });
  }
});

describe('identity fields are the gateway\'s alone (SECURITY 5)', () => {
  const attempts = {
    'X-Gatehouse-Subject: mallory': { 'X-Gatehouse-Subject': 'mallory' },
    'the field twice': { 'X-Gatehouse-Subject': ['mallory', 'eve'] },
    'another case': { 'x-gATEHOUSE-sUBJECT': 'mallory' },
    'underscores': { X_Gatehouse_Subject: 'mallory', x_gatehouse_claims: 'bWFsbG9yeQ', 'X-Gatehouse_Connection': 'mallory' },
    'every name of ours': {
      'X-Gatehouse-Claims': 'bWFsbG9yeQ', 'X-Gatehouse-Connection': 'mallory',
    },
    'forwarding fields': {
      'X-Forwarded-For': 'mallory', X_Forwarded_For: 'mallory', 'x-forwarded-PROTO': 'mallory', 'X-Forwarded_Host': 'mallory',
    },
    'Connection that names our field': { Connection: 'Upgrade, X-Gatehouse-Subject' },
    'Connection that names every field of ours':
      { Connection: 'x-gatehouse-claims, upgrade, X-Forwarded-For, x-gatehouse-connection, host, origin' },
  };
  for (const [name, fields] of Object.entries(attempts)) {
    test(`${name}: the backend sees one value, ours`, async (t) => {
      const backend = await wsBackend(t);
      const gateway = await startGateway(t, { backend: backend.port });
      await open(t, gateway, { fields });
      const [request] = backend.requests;
      assert.doesNotMatch(JSON.stringify(request), /mallory|bWFsbG9yeQ/);
      assert.deepEqual(request.fields['x-gatehouse-subject'], ['alice']);
      for (const own of ['x-gatehouse-claims', 'x-gatehouse-connection', 'x-forwarded-for', 'x-forwarded-proto',
        'x-forwarded-host', 'host']) assert.equal(request.fields[own]?.length, 1, own);
      const folded = request.names.map((sent) => sent.toLowerCase().replaceAll('_', '-'));
      assert.equal(new Set(folded).size, folded.length, folded.join());
    });
  }

  test("a field that the client's Connection names does not reach the backend", async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port });
    await open(t, gateway, { fields: { Connection: 'keep-alive, X-Hop, Upgrade', 'X-Hop': 'here only', 'Keep-Alive': 'timeout=5' } });
    const [{ fields }] = backend.requests;
    assert.equal(fields['x-hop'], undefined);
    assert.equal(fields['keep-alive'], undefined);
    assert.match(fields.connection.join(), /^upgrade$/i);
  });
});

describe('X-Forwarded-For (SECURITY 17)', () => {
  const limited = { limits: { ip: { connections: 1 } } };

  test('from a peer that is not trusted it changes no limit', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, route: limited });
    await open(t, gateway, { fields: { 'X-Forwarded-For': '203.0.113.1' } });
    for (const spoofed of ['203.0.113.2', '10.0.0.1', '::1', '']) {
      assert.equal((await ask(t, gateway, { token: await token(), fields: { 'X-Forwarded-For': spoofed } })).status, 429);
    }
    assert.deepEqual(backend.requests[0].fields['x-forwarded-for'], ['127.0.0.1']);
  });

  test('from a trusted proxy the rightmost untrusted address counts', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t,
      { backend: backend.port, route: limited, trusted_proxies: ['127.0.0.0/8', '10.0.0.0/8'] });
    const status = async (forwarded) =>
      (await ask(t, gateway, { token: await token(), fields: { 'X-Forwarded-For': forwarded } })).status;
    assert.equal(await status('198.51.100.7, 203.0.113.1, 10.1.2.3'), 101);
    assert.equal(await status('198.51.100.8, 203.0.113.1'), 429, 'what a client prepends changes nothing');
    assert.equal(await status(['198.51.100.9', '203.0.113.1, 10.9.9.9']), 429, 'several fields are one list');
    assert.equal(await status('203.0.113.2'), 101);
    assert.deepEqual(backend.requests.map(({ fields }) => fields['x-forwarded-for']), [['203.0.113.1'], ['203.0.113.2']]);
  });

  test('an IPv6 client counts by its /64', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, route: limited, trusted_proxies: ['127.0.0.1/32'] });
    const status = async (forwarded) =>
      (await ask(t, gateway, { token: await token(), fields: { 'X-Forwarded-For': forwarded } })).status;
    assert.equal(await status('2001:db8:1:2::1'), 101);
    assert.equal(await status('2001:db8:1:2:ffff::9'), 429);
    assert.equal(await status('2001:db8:1:3::1'), 101);
  });

  test('rubbish in it does not end the process nor open a hole in the limit', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, route: limited, trusted_proxies: ['127.0.0.1/32'] });
    const status = async (forwarded) =>
      (await ask(t, gateway, { token: await token(), fields: { 'X-Forwarded-For': forwarded } })).status;
    await open(t, gateway);
    for (const rubbish of ['unknown', ',,,', '1.2.3', '999.1.1.1', '127.0.0.1', `${'1.1.1.1,'.repeat(500)}x`]) {
      assert.equal(await status(rubbish), 429, rubbish.slice(0, 20));
    }
  });
});

describe('paths that two parsers read differently (SECURITY 20)', () => {
  const targets = ['/app/../admin', '/app/..', '/app/.', '/app/./x', '/app/%2e%2e/admin', '/app/%2E%2e/admin', '/app/.%2e/admin',
    '/app/..%2fadmin', '/app/%2e%2e%2fadmin', '/app/x%2fy', '/app/x%2Fy', '//admin', '/app//x', '/app/x%5c..%5cadmin',
    '/app/x\\..\\admin', '/app/%00', '/app/a%0d%0ab', '/app/%7f', '/app/#x', '/app/%23', '/app/%', '/app/%2', '/app/%zz',
    '/app/%ff', '/app/%c0%ae', 'http://gateway.test/app/x', 'ws://gateway.test/app/x', 'app/x', '*', '?x=1', '/app/..;/admin/..'];

  test('each is 400 and the backend sees none', async (t) => {
    const backend = await rawBackend(t);
    const gateway = await startGateway(t, {
      backend: backend.port,
      routes: [{ path: '/app/*', authenticate: ['users'], backend: 'chat' }],
    });
    const bearer = await token();
    for (const target of targets) {
      assert.equal((await refused(t, gateway, { token: bearer, target })).status, 400, target);
    }
    assert.equal(backend.connections, 0);
  });

  test('what was matched is what is sent, octet for octet', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, {
      backend: backend.port,
      routes: [{ path: '/app/*', authenticate: ['users'], backend: 'chat' }, { path: '/café/{room}', authenticate: ['users'], backend: 'chat' }],
    });
    const sent = ['/app/x', '/app/x/', '/app/', '/app/%41%20b', '/app/...', '/app/..x', '/app/a;b=c', '/app/x?../..&y=%2f//',
      '/caf%C3%A9/x', '/%61pp/x'];
    for (const target of sent) await open(t, gateway, { target });
    assert.deepEqual(backend.requests.map(({ url }) => url), sent);
  });
});
