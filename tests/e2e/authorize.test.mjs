// CONTRACT section 6, GET /_gatehouse/authorize: a proxy asks whether a request may pass.
import assert from 'node:assert/strict';
import http from 'node:http';
import { describe, test } from 'node:test';
import { ask, startGateway } from './harness/gateway.mjs';
import { scrape } from './harness/metrics.mjs';
import { httpBackend, startNginx } from './harness/nginx.mjs';
import { token } from './harness/tokens.mjs';
import { until, within } from './harness/wait.mjs';

const target = '/_gatehouse/authorize';
const bearer = async (claims) => ({ Authorization: `Bearer ${await token(claims)}` });
const claimsOf = (text) => JSON.parse(Buffer.from(text, 'base64url'));

// Whose proxy is the test, or an nginx.
const gate = (t, more = {}) => startGateway(t, { backend: 9, trusted_proxies: ['127.0.0.1/32'], ...more });

// `about`: the request target that is named.
async function authorize(t, gateway, about, {
  fields = {}, version = '1.0', method = 'GET', path = target, stays = false, ...rest
} = {}) {
  const all = { Host: 'app.example', 'X-Original-URI': about, ...fields };
  const lines = Object.entries(all).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}`);
  const answer = await ask(t, gateway, {
    request: `${method} ${path} HTTP/${version}\r\n${lines.join('\r\n')}\r\n\r\n`, ...rest,
  });
  answer.body = (await answer.peer.end()).toString();
  if (!stays) answer.peer.destroy();
  return answer;
}

describe('GET /_gatehouse/authorize', () => {
  test('answers a trusted proxy who the client is, in HTTP/1.0 and HTTP/1.1, and nobody else', async (t) => {
    const gateway = await gate(t);
    for (const version of ['1.0', '1.1']) {
      const answer = await authorize(t, gateway, '/chat', { version, fields: await bearer({ sub: 'ålice' }) });
      assert.equal(answer.status, 204, answer.raw);
      assert.deepEqual(answer.fields['x-gatehouse-subject'], ['%C3%A5lice']);
      assert.equal(claimsOf(answer.fields['x-gatehouse-claims'][0]).sub, 'ålice');
      assert.equal(answer.fields['content-length'], undefined);
      assert.equal(answer.body, '');
    }
    const refused = await authorize(t, gateway, '/chat');
    assert.equal(refused.status, 401);
    assert.match(refused.fields['www-authenticate'][0], /^Bearer /);
    const nothing = await authorize(t, gateway, '/chat', { path: '/_gatehouse/nothing', fields: await bearer() });
    const foreign = await authorize(t, gateway, '/chat', { localAddress: '127.0.0.2', fields: await bearer() });
    assert.equal(foreign.status, 404);
    assert.deepEqual([foreign.raw, foreign.body], [nothing.raw, nothing.body]);
  });

  test('is there in one spelling alone, so a balancer that compares what is written keeps its clients out', async (t) => {
    const gateway = await gate(t);
    const fields = await bearer();
    for (const version of ['1.0', '1.1']) {
      const asked = async (path) => (await authorize(t, gateway, '/chat', { version, path, fields })).status;
      for (const path of [target, `${target}?x=%61`]) assert.equal(await asked(path), 204, path);
      for (const path of ['/_gatehouse/%61uthorize', '/_gatehouse/authoriz%65', '/_gatehouse/%61uthorize?x', '/_gatehouse/authorize/']) {
        assert.equal(await asked(path), 404, path);
      }
      // The beginning decides who is heard in HTTP/1.0.
      assert.equal(await asked('/%5fgatehouse/authorize'), version === '1.0' ? 400 : 404);
    }
  });

  test('HTTP/1.0 is heard for the gateway\'s own resources alone', async (t) => {
    const gateway = await gate(t);
    const status = async (path, lines = 'Host: a\r\n') =>
      (await ask(t, gateway, { request: `GET ${path} HTTP/1.0\r\n${lines}\r\n` })).status;
    assert.equal(await status('/chat'), 400);
    assert.equal(await status('/_gatehous'), 400);
    assert.equal(await status('/_gatehouse/nothing'), 404);
    assert.equal(await status('/_gatehouse/nothing', ''), 404);
    assert.equal(await status('/_gatehouse/../chat'), 400);
    assert.equal(await status(target, 'Transfer-Encoding: chunked\r\n'), 400);
    assert.equal((await ask(t, gateway, { request: `GET ${target} HTTP/1.1\r\n\r\n` })).status, 400);
  });

  test('makes room for others where those who were answered stay', async (t) => {
    const gateway = await gate(t, { max_connections: 8, workers: 1 });
    const fields = await bearer();
    let most = 0;
    for (let i = 0; i < 20; ++i) {
      const answer = await authorize(t, gateway, '/chat', { fields, stays: true });
      assert.equal(answer.status, 204);
      most = Math.max(most, (await scrape(gateway)).value('gatehouse_admitting_connections'));
    }
    assert.ok(most <= 4, `${most} of max_connections`);
  });

  test('writes down what was refused, by the path that was asked about, and counts it', async (t) => {
    const gateway = await gate(t);
    await authorize(t, gateway, '/chat?token=x.y.z');
    const line = await gateway.logged('the refusal', ({ event }) => event === 'connection_refused');
    assert.equal(line.path, '/chat');
    assert.equal(line.route, '/chat');
    assert.equal(line.status, 401);
    assert.equal(line.address, '127.0.0.1');
    await authorize(t, gateway, '/chat', { fields: await bearer() });
    const metrics = await scrape(gateway);
    assert.equal(metrics.value('gatehouse_own_requests_total', { code: '204' }), 1);
    assert.equal(metrics.value('gatehouse_own_requests_total', { code: '401' }), 1);
    await until('nobody to be admitted any more', async () =>
      (await scrape(gateway)).value('gatehouse_admitting_connections') === 0);
  });
});

// { status, fields, body }
const get = (port, { path = '/chat', fields = {}, localAddress } = {}) => within(`GET ${path}`,
  new Promise((resolve, reject) => {
    http.get({ port, host: '127.0.0.1', path, headers: fields, agent: false, localAddress }, (response) => {
      let body = '';
      response.on('data', (part) => (body += part));
      response.on('end', () => resolve({ status: response.statusCode, fields: response.headers, body }));
    }).on('error', reject);
  }));

describe('nginx with auth_request, as in deploy/forward_auth', () => {
  async function behindNginx(t, { policy = {}, ...more } = {}) {
    const gateway = await gate(t, {
      routes: [
        { path: '/chat', authenticate: ['users'], backend: 'chat' },
        { path: '/teams/{team}', authenticate: ['users'], backend: 'chat', allow: { claim: 'teams', contains: '{team}' } },
        { path: '/limited', authenticate: ['users'], backend: 'chat', limits: { ip: { handshakes: '1/m', burst: 2 } } },
      ],
      ...policy,
    });
    const backend = await httpBackend(t);
    const nginx = await startNginx(t, { gateway, backend, ...more });
    return { gateway, backend, nginx, ask: (request) => get(nginx.port, request) };
  }

  test('passes who is let in, and tells the backend who that is', async (t) => {
    const { backend, ask: request } = await behindNginx(t);
    const answer = await request({ path: '/chat?a=b', fields: await bearer({ sub: 'a b', role: 'editor' }) });
    assert.deepEqual([answer.status, answer.body], [200, 'the page']);
    const [{ url, fields }] = backend.requests;
    assert.equal(url, '/chat?a=b');
    assert.equal(fields['x-gatehouse-subject'], 'a%20b');
    assert.equal(claimsOf(fields['x-gatehouse-claims']).role, 'editor');
  });

  test('passes nobody else: 401 with its challenge, 403', async (t) => {
    const { backend, ask: request } = await behindNginx(t);
    const nobody = await request();
    assert.equal(nobody.status, 401);
    assert.match(nobody.fields['www-authenticate'], /^Bearer error="invalid_token"$/);
    const red = await bearer({ teams: ['red'] });
    assert.equal((await request({ path: '/teams/blue', fields: red })).status, 403);
    assert.equal((await request({ path: '/nothing', fields: red })).status, 403);
    assert.equal((await request({ path: '/teams/..%2fchat', fields: red })).status, 403);
    assert.equal((await request({ path: target, fields: red })).status, 403);
    assert.equal((await request({ path: '/_authorize', fields: red })).status, 404);
    assert.deepEqual(backend.requests, []);
    assert.equal((await request({ path: '/teams/red', fields: red })).status, 200);
  });

  test('reads a token in the query of the request, and the body of none', async (t) => {
    const { nginx, ask: request } = await behindNginx(t);
    assert.equal((await request({ path: `/chat?token=${await token()}` })).status, 200);
    const posted = await fetch(`http://127.0.0.1:${nginx.port}/chat`, {
      method: 'POST', headers: await bearer(), body: 'x'.repeat(100_000),
    });
    assert.equal(posted.status, 200);
  });

  test('what a client says of itself, or of its request, does not get through', async (t) => {
    const { backend, ask: request } = await behindNginx(t);
    const spoofed = {
      'X-Gatehouse-Subject': 'mallory', 'x-gatehouse-claims': 'e30', 'X-Forwarded-Host': 'other.example',
      'X-Original-URI': '/teams/red', 'X-Forwarded-Uri': '/teams/red',
    };
    assert.equal((await request({ fields: { ...spoofed, ...(await bearer({ sub: 'bob', x: 'x'.repeat(5_000) })) } })).status, 200);
    const [{ fields }] = backend.requests;
    assert.equal(fields['x-gatehouse-subject'], 'bob');
    assert.equal(fields['x-gatehouse-claims'], undefined, 'they are too long');
    assert.equal((await request({ path: '/teams/blue', fields: { ...spoofed, ...(await bearer({ teams: ['red'] })) } })).status, 403);
  });

  test('a client that names another request beside nginx is not let in', async (t) => {
    const { backend, gateway, ask: request } = await behindNginx(t, {
      change: (text) => text.replace('proxy_set_header X-Forwarded-Uri "";', ''),
    });
    const of = await bearer({ teams: ['red'] });
    assert.equal((await request({ path: '/teams/blue', fields: { ...of, 'X-Forwarded-Uri': '/teams/red' } })).status, 500);
    await until('it is in the log',
      () => gateway.log.some(({ reason, status }) => reason === 'malformed_request' && status === 400));
    assert.deepEqual(backend.requests, []);
  });

  test('that is no trusted proxy lets nobody in', async (t) => {
    const { backend, nginx, ask: request } = await behindNginx(t, { policy: { trusted_proxies: ['10.0.0.0/8'] } });
    assert.equal((await request({ fields: await bearer() })).status, 500);
    await until('nginx says so', () => /auth request unexpected status: 404/.test(nginx.log));
    assert.deepEqual(backend.requests, []);
  });

  test('clients have limits by their own addresses', async (t) => {
    const { gateway, ask: request } = await behindNginx(t);
    const from = async (localAddress) =>
      (await request({ path: '/limited', localAddress, fields: await bearer() })).status;
    assert.deepEqual([await from('127.0.0.2'), await from('127.0.0.2'), await from('127.0.0.2')], [200, 200, 500]);
    assert.equal(await from('127.0.0.3'), 200);
    const line = await gateway.logged('the refusal', ({ reason }) => reason === 'ip_handshakes');
    assert.equal(line.address, '127.0.0.2');
  });

  test('a revoked subject is not let in from then on', async (t) => {
    const { gateway, ask: request } = await behindNginx(t);
    const fields = await bearer({ iat: Math.floor(Date.now() / 1000) - 5 });
    assert.equal((await request({ fields })).status, 200);
    assert.equal((await gateway.admin('/v1/revocations', { method: 'POST', json: { subject: 'alice' } })).status, 202);
    assert.equal((await request({ fields })).status, 401);
  });
});
