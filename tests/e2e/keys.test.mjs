// CONTRACT sections 2 (`jwks_url`, `discover`), 3 and 6; SECURITY "Tokens" 2, 3, 6 and its test vectors,
// 18: keys that are fetched, from a provider that others wrote and from servers that behave badly.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { wsBackend } from './harness/backends.mjs';
import { atEnd } from './harness/ending.mjs';
import { ask, freePort, gatehouse, jwt, open, policyOf, startGateway, users, writePolicy } from './harness/gateway.mjs';
import { jwkSet, keyServer, makeKey } from './harness/key_server.mjs';
import { oidcProvider } from './harness/provider.mjs';
import { patience, sleep, until } from './harness/wait.mjs';

// CONTRACT leaves these to the gateway: README "Keys by URL".
const refreshLeastMs = 10_000;
const cooldownMs = 10_000;

const byUrl = (url, more = {}) => users({
  jwt: jwt({ algorithms: ['RS256', 'ES256'], keys: [].concat(url).map((each) => ({ jwks_url: each })), ...more }),
});
const byDiscovery = (provider, more = {}) => users({
  jwt: jwt({ issuer: provider.issuer, algorithms: ['ES256'], keys: undefined, discover: true, ...more }),
});

const ready = async (gateway) => (await gateway.admin('/readyz')).status === 200;

// Waits until its keys are there, unless they never will be (`loads: false`).
async function gate(t, authenticator, { loads = true, env, files, ...more } = {}) {
  const backend = await wsBackend(t);
  const gateway = await startGateway(t,
    { backend: backend.port, authenticators: { users: authenticator }, ...more }, { env, files });
  if (loads) await until('the keys to be loaded', () => ready(gateway));
  gateway.status = async (token, request = {}) => {
    const answer = await ask(t, gateway, { token, ...request });
    answer.peer.destroy();
    return answer.status;
  };
  return gateway;
}

// Of key sets that were asked for in vain.
const failed = (reason) => (line) => line.event === 'key_fetch_failed' && line.reason.startsWith(reason);

describe('an OpenID provider', () => {
  test('by discovery: its tokens open, another key does not, nothing but its two documents is asked for', async (t) => {
    const key = await makeKey('a');
    const provider = await oidcProvider(t, [key]);
    const gateway = await gate(t, byDiscovery(provider));
    const peer = await open(t, gateway, { token: await provider.token() });
    peer.destroy();
    const other = await makeKey('a');
    assert.equal(await gateway.status(await other.token({ iss: provider.issuer })), 401);
    const asked = new Set(provider.requests.map(({ url }) => url).filter((url) => url !== '/token'));
    assert.deepEqual(asked, new Set(['/.well-known/openid-configuration', '/jwks']));
    const line = await gateway.logged('the keys', ({ event }) => event === 'keys_fetched');
    assert.deepEqual({ ...line, time: undefined }, {
      time: undefined, level: 'info', event: 'keys_fetched', authenticator: 'users', from: provider.issuer,
      keys: 1, left_out: 0,
    });
  });

  test('rotates its keys under load: no valid token is refused, the old key is refused once it is gone', async (t) => {
    const [first, second] = [await makeKey('first'), await makeKey('second')];
    const provider = await oidcProvider(t, [first], { fields: { 'Cache-Control': 'max-age=10' } });
    const gateway = await gate(t, byDiscovery(provider));
    const old = await provider.token();
    const opened = await open(t, gateway, { token: old });
    const opens = { count: 0, refused: [] };
    let ended = false;
    const load = async () => {
      while (!ended) {
        const token = await provider.token();
        const status = await gateway.status(token);
        ++opens.count;
        if (status !== 101) opens.refused.push(status);
        await sleep(20);
      }
    };
    const clients = [load(), load(), load(), load()];
    await until('the load', () => opens.count >= 20, 10_000 * patience);
    provider.rotate(second, first);  // both are published, the new one signs
    const atRotation = opens.count;
    await until('more load', () => opens.count >= atRotation + 20, 10_000 * patience);
    assert.equal(await gateway.status(old), 101, 'the old key while it is published');
    provider.rotate(second);
    const removed = Date.now();
    await until('the old key is refused', async () => (await gateway.status(old)) === 401,
      refreshLeastMs + 5_000 * patience);
    assert.ok(Date.now() - removed <= refreshLeastMs + 2_000 * patience, 'within the cache bound');
    const atRemoval = opens.count;
    await until('load after it', () => opens.count >= atRemoval + 20, 10_000 * patience);
    ended = true;
    await Promise.all(clients);
    assert.deepEqual(opens.refused, []);
    assert.equal(opened.over, false, 'the rotation of a URL closes nobody (CONTRACT section 5)');
  });

  test('that is stopped goes on being believed, and its coming back is seen', async (t) => {
    const key = await makeKey('a');
    const provider = await oidcProvider(t, [key], { fields: { 'Cache-Control': 'max-age=10' } });
    const gateway = await gate(t, byDiscovery(provider));
    const token = await provider.token();
    await provider.stop();
    await gateway.logged('a fetch that failed', failed('cannot_connect'), refreshLeastMs + 2_000 * patience);
    assert.equal(await gateway.status(token), 101);
    assert.equal((await gateway.admin('/readyz')).status, 200);
    await oidcProvider(t, [key], { port: provider.port });
    const before = gateway.log.length;
    await until('keys that are fetched again',
      () => gateway.log.slice(before).some(({ event }) => event === 'keys_fetched'), 10_000 * patience);
  });

  test('whose configuration is another issuer\'s is not believed', async (t) => {
    const key = await makeKey('a');
    const server = await keyServer(t, (request, response) => {
      response.end(request.url === '/jwks' ? jwkSet(key) : JSON.stringify({
        issuer: 'https://id.example.test', jwks_uri: server.url('/jwks'),
      }));
    });
    const gateway = await gate(t, byDiscovery({ issuer: server.origin }), { loads: false });
    await gateway.logged('why', failed('configuration_of_another_issuer'));
    assert.equal(await gateway.status(await key.token({ iss: server.origin })), 503);
    assert.equal(server.requests.some(({ url }) => url === '/jwks'), false);
  });
});

describe('keys that are not there', () => {
  test('never loaded: not ready, 503 with Retry-After, until they are', async (t) => {
    const key = await makeKey('a');
    const port = await freePort();
    const gateway = await gate(t, byUrl(`http://127.0.0.1:${port}/keys`), { loads: false });
    await gateway.logged('why', failed('cannot_connect'));
    const answered = await gateway.admin('/readyz');
    assert.equal(answered.status, 503);
    assert.match(answered.body, /keys_not_loaded/);
    const answer = await ask(t, gateway, { token: await key.token() });
    assert.equal(answer.status, 503);
    assert.ok(Number(answer.fields['retry-after']) >= 1);
    await gateway.logged('why not', ({ event, reason }) => event === 'connection_refused' && reason === 'keys_missing');
    assert.equal(gateway.log.some(({ event }) => event === 'ready'), false);
    await keyServer(t, jwkSet(key), { port });
    await until('to be ready', () => ready(gateway), 20_000 * patience);
    assert.equal(await gateway.status(await key.token()), 101);
    await gateway.logged('that it is ready', ({ event }) => event === 'ready');
    assert.equal(gateway.log.filter(({ event }) => event === 'ready').length, 1);
  });

  test('that are too old are as good as none, and come back with their server', async (t) => {
    const key = await makeKey('a');
    const server = await keyServer(t, jwkSet(key));
    server.fields = { 'Cache-Control': 'max-age=0' };
    const gateway = await gate(t, byUrl(server.url(), { stale_max: '0s' }));
    const token = await key.token();
    await server.stop();
    assert.equal(await gateway.status(token), 101);
    await until('503', async () => (await gateway.status(token)) === 503, refreshLeastMs + 3_000 * patience);
    await keyServer(t, jwkSet(key), { port: server.port });
    await until('101', async () => (await gateway.status(token)) === 101, 20_000 * patience);
  });

  test('a key beside the URL serves while the URL does not', async (t) => {
    const key = await makeKey('a');
    const gateway = await gate(t, users({
      jwt: jwt({
        algorithms: ['ES256'], keys: [{ jwks_url: `http://127.0.0.1:${await freePort()}/` }, { jwks_file: 'keys.json' }],
      }),
    }), { loads: false, files: { 'keys.json': jwkSet(key) } });
    assert.equal(await gateway.status(await key.token()), 101);
    const other = await makeKey('b');
    assert.equal(await gateway.status(await other.token()), 503);
  });

  test('a new key is found at the first token that it signed, and the token waits for it', async (t) => {
    const [first, second] = [await makeKey('first'), await makeKey('second')];
    const server = await keyServer(t, jwkSet(first));
    const gateway = await gate(t, byUrl(server.url()));
    const slowly = (body) => (request, response) => setTimeout(() => response.end(body), 300);
    server.answer = slowly(jwkSet(first, second));
    const tokens = await Promise.all(Array.from({ length: 20 }, () => second.token()));
    const statuses = await Promise.all(tokens.map((token) => gateway.status(token)));
    assert.deepEqual(new Set(statuses), new Set([101]));
    assert.equal(server.requests.length, 2, 'one fetch for all of them');
  });

  test('the token waits no longer than handshake_timeout', async (t) => {
    const [first, second] = [await makeKey('first'), await makeKey('second')];
    const server = await keyServer(t, jwkSet(first));
    const gateway = await gate(t, byUrl(server.url()), { handshake_timeout: '500ms' });
    server.answer = () => {};
    const begin = Date.now();
    assert.equal(await gateway.status(await second.token()), 401);
    assert.ok(Date.now() - begin >= 490 && Date.now() - begin < 3_000 * patience);
    assert.equal(await gateway.status(await first.token()), 101, 'the others do not wait');
  });

  test('10 000 keys that do not exist are at most one fetch in each cooldown', async (t) => {
    const key = await makeKey('a');
    const server = await keyServer(t, jwkSet(key));
    const gateway = await gate(t, byUrl(server.url()), { log: { level: 'warn', format: 'json' } });
    const good = await key.token();
    const [, claims, signature] = good.split('.');
    const begin = Date.now();
    let left = 10_000;
    const client = async () => {
      while (left-- > 0) {
        const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: randomUUID() })).toString('base64url');
        assert.equal(await gateway.status(`${header}.${claims}.${signature}`), 401);
      }
    };
    await Promise.all(Array.from({ length: 16 }, client));
    const cooldowns = Math.ceil((Date.now() - begin) / cooldownMs);
    const fetches = server.requests.length - 1;
    assert.ok(fetches >= 1 && fetches <= cooldowns, `${fetches} fetches in ${cooldowns} cooldowns`);
    assert.equal(await gateway.status(good), 101);
  });
});

describe('what an operator sees', () => {
  test('the age and the last error of each set, and how many keys: GET /v1/policy and metrics', async (t) => {
    const key = await makeKey('a');
    const server = await keyServer(t, jwkSet(key));
    const port = await freePort();
    const gateway = await gate(t, byUrl([`${server.url()}?secret=of-the-url`, `http://127.0.0.1:${port}/`]), { loads: false });
    await gateway.logged('the one', ({ event }) => event === 'keys_fetched');
    await gateway.logged('the other', failed('cannot_connect'));
    const { body } = await gateway.admin('/v1/policy');
    const [good, bad] = JSON.parse(body).key_sets;
    assert.ok(good.age >= 0 && good.age < 30);
    assert.deepEqual({ ...good, age: 0 }, {
      authenticator: 'users', source: 'jwks_url', from: server.origin, keys: 1, left_out: 0, age: 0, last_error: null,
    });
    assert.deepEqual(bad, {
      authenticator: 'users', source: 'jwks_url', from: `http://127.0.0.1:${port}`, keys: 0, left_out: 0, age: null,
      last_error: 'cannot_connect',
    });
    const metrics = (await gateway.admin('/metrics')).body;
    const labels = (number, from) => `authenticator="users",set="${number}",from="${from}"`;
    assert.ok(metrics.includes(`gatehouse_key_set_keys{${labels(1, server.origin)}} 1\n`));
    assert.match(metrics, /^gatehouse_key_set_age_seconds\{[^}]*set="1"[^}]*\} [0-9.]+$/m);
    assert.doesNotMatch(metrics, /^gatehouse_key_set_age_seconds\{[^}]*set="2"/m);
    assert.match(metrics, /^gatehouse_key_fetches_total\{[^}]*set="2"[^}]*outcome="failed"\} [1-9]/m);
    for (const text of [gateway.output, metrics]) assert.equal(text.includes('of-the-url'), false);
  });
});

describe('whose keys they are', () => {
  test('two issuers with one kid: each one\'s tokens by its own key alone', async (t) => {
    const [a, b] = [await makeKey('shared'), await makeKey('shared')];
    const [serverA, serverB] = [await keyServer(t, jwkSet(a)), await keyServer(t, jwkSet(b))];
    const backend = await wsBackend(t);
    const of = (name, server) => ({
      ...byUrl(server.url(), { issuer: `https://${name}.example.test/` }), subject_prefix: `${name}:`,
    });
    const gateway = await startGateway(t, {
      backend: backend.port, authenticators: { a: of('a', serverA), b: of('b', serverB) },
      route: { authenticate: ['a', 'b'] },
    });
    await until('the keys to be loaded', () => ready(gateway));
    const status = async (key, name) =>
      (await ask(t, gateway, { token: await key.token({ iss: `https://${name}.example.test/` }) })).status;
    assert.equal(await status(a, 'a'), 101);
    assert.equal(await status(b, 'b'), 101);
    assert.equal(await status(a, 'b'), 401);
    assert.equal(await status(b, 'a'), 401);
  });

  test('no URL in a token is ever asked for anything', async (t) => {
    const key = await makeKey('a');
    const [server, canary] = [await keyServer(t, jwkSet(key)), await keyServer(t, '{}')];
    const evil = await makeKey('evil');
    canary.answer = jwkSet(evil);
    const gateway = await gate(t, byUrl(server.url(), { issuer: 'any' }));
    const at = canary.url();
    for (const header of [{ jku: at }, { x5u: at }, { jku: at, kid: at }, { jwk: evil.jwk }, { x5c: ['AAAA'] }]) {
      assert.equal(await gateway.status(await evil.token({ iss: at }, header)), 401, JSON.stringify(header));
    }
    assert.equal(await gateway.status(await key.token({ iss: at }, { jku: at, x5u: at })), 101);
    assert.equal(canary.connections, 0);
  });

  test('a secret that is served as a key is none, and is counted', async (t) => {
    const key = await makeKey('a');
    const secret = Buffer.from('a secret that everybody can fetch, 32 octets').toString('base64url');
    const server = await keyServer(t, JSON.stringify({ keys: [{ kty: 'oct', kid: 's', k: secret }, key.jwk] }));
    const gateway = await gate(t, byUrl(server.url()));
    const line = await gateway.logged('the keys', ({ event }) => event === 'keys_fetched');
    assert.equal(line.level, 'warn');
    assert.equal(line.left_out, 1);
    assert.match(line.first_left_out, /^keys\[0\]: /);
    assert.equal(await gateway.status(await key.token()), 101);
  });
});

describe('servers of keys that behave badly', () => {
  // What the gateway says of a server whose first answer is this one.
  async function saidOf(t, answer, reason, more = {}) {
    const server = await keyServer(t, answer, more);
    const gateway = await gate(t, byUrl(server.url()), { loads: false, env: more.env });
    await gateway.logged(reason, failed(reason), more.ms);
    assert.equal((await gateway.admin('/readyz')).status, 503);
    return { server, gateway };
  }

  test('a redirect to another host, port or scheme is not followed', async (t) => {
    const canary = await keyServer(t, '{}');
    for (const target of [canary.url(), canary.url().replace('127.0.0.1', 'localhost'), '//127.0.0.2/keys',
      'https://127.0.0.1/keys', 'file:///etc/passwd', `http://user:secret@127.0.0.1:${canary.port}/`]) {
      await saidOf(t, (request, response) => response.writeHead(302, { Location: target }).end(), 'redirected');
    }
    assert.equal(canary.connections, 0);
  });

  test('a redirect on the same server is followed, three times', async (t) => {
    const key = await makeKey('a');
    const hops = (count) => (request, response) => {
      const hop = Number(request.url.slice(1)) || 0;
      if (hop === count) return response.end(jwkSet(key));
      return response.writeHead(307, { Location: `/${hop + 1}` }).end();
    };
    const server = await keyServer(t, hops(3));
    const gateway = await gate(t, byUrl(server.url('/0')));
    assert.equal(await gateway.status(await key.token()), 101);
    const further = await keyServer(t, hops(4));
    const other = await gate(t, byUrl(further.url('/0')), { loads: false });
    await other.logged('too many', failed('redirected'));
  });

  test('a body over 256 KiB, announced or not, and one without end', async (t) => {
    const most = 256 * 1024;
    const key = await makeKey('a');
    const padded = jwkSet(key).padEnd(most);
    const server = await keyServer(t, padded);
    const gateway = await gate(t, byUrl(server.url()));
    assert.equal(await gateway.status(await key.token()), 101);
    await saidOf(t, `${padded} `, 'too_large');
    const { server: endless } = await saidOf(t, (request, response) => {
      const more = () => {
        while (!response.destroyed && response.write(' '.repeat(64 * 1024)));
      };
      response.on('drain', more);
      more();
    }, 'too_large');
    assert.ok(endless.requests.length >= 1);
  });

  test('a head over 32 KiB', async (t) => {
    await saidOf(t, (request, response) => {
      for (let i = 0; i < 4; ++i) response.setHeader(`X-${i}`, 'x'.repeat(9 * 1024));
      response.end('{}');
    }, 'too_large');
  });

  test('other answers: no keys, no JSON, an error, half an answer', async (t) => {
    await saidOf(t, '{"keys":[]}', 'bad_key_set');
    await saidOf(t, '<html>', 'bad_key_set');
    await saidOf(t, (request, response) => response.writeHead(404).end('{}'), 'status_404');
    await saidOf(t, (request, response) => response.writeHead(304).end(), 'status_304');
    await saidOf(t, (request, response) => {
      response.writeHead(200, { 'Content-Length': 1000 });
      response.write('{"keys":[');
      setTimeout(() => response.destroy(), 50);
    }, 'bad_answer');
  });

  test('silence is over after 10 s, and asked again', async (t) => {
    const { gateway } = await saidOf(t, () => {}, 'timed_out', { ms: 12_000 * patience });
    assert.equal((await gateway.admin('/healthz')).status, 200);
  });

  test('an unchanged set is not sent again', async (t) => {
    const key = await makeKey('a');
    const server = await keyServer(t, (request, response) => {
      response.setHeader('ETag', '"v1"');
      response.setHeader('Cache-Control', 'max-age=1');
      if (request.headers['if-none-match'] === '"v1"') return response.writeHead(304).end();
      return response.end(jwkSet(key));
    });
    const gateway = await gate(t, byUrl(server.url(), { stale_max: '0s' }));
    await until('a second fetch', () => server.requests.length >= 2, refreshLeastMs + 2_000 * patience);
    assert.equal(server.requests[0].fields['if-none-match'], undefined);
    assert.equal(server.requests[1].fields['if-none-match'], '"v1"');
    await sleep(2_000);  // beyond what the first was good for
    assert.equal(await gateway.status(await key.token()), 101);
  });

  test('the environment names no proxy', async (t) => {
    const key = await makeKey('a');
    const [server, canary] = [await keyServer(t, jwkSet(key)), await keyServer(t, '{}')];
    const env = { http_proxy: canary.origin, HTTPS_PROXY: canary.origin, ALL_PROXY: canary.origin, all_proxy: canary.origin };
    const gateway = await gate(t, byUrl(server.url()), { env });
    assert.equal(await gateway.status(await key.token()), 101);
    assert.equal(canary.connections, 0);
    assert.equal(server.requests[0].fields.cookie, undefined);
    assert.equal(server.requests[0].fields.authorization, undefined);
  });
});

describe('TLS', () => {
  // An authority of our own, and a certificate of it for this name.
  function certificates(t, name) {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tls-'));
    atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
    const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=An authority', '-days', '2');
    openssl('req', '-x509', ...newKey, '-keyout', 'tls.key', '-out', 'tls.crt', '-subj', '/CN=A server', '-days', '2',
      '-CA', 'ca.crt', '-CAkey', 'ca.key', '-addext', `subjectAltName=${name}`, '-addext', 'basicConstraints=CA:FALSE');
    const read = (file) => readFileSync(join(folder, file));
    return { authority: join(folder, 'ca.crt'), tls: { key: read('tls.key'), cert: read('tls.crt') } };
  }

  async function fetched(t, tls, env, reason) {
    const key = await makeKey('a');
    const server = await keyServer(t, jwkSet(key), { tls });
    const gateway = await gate(t, byUrl(server.url()), { loads: !reason, env });
    if (reason) {
      await gateway.logged(reason, failed(reason));
      assert.equal(server.requests.length, 0);
    } else {
      assert.equal(await gateway.status(await key.token()), 101);
    }
  }

  test('a certificate is verified: by whom it is, and for which name', async (t) => {
    const { authority, tls } = certificates(t, 'IP:127.0.0.1');
    await fetched(t, tls, { SSL_CERT_FILE: authority });
    await fetched(t, tls, {}, 'bad_certificate');
    await fetched(t, tls, { SSL_CERT_FILE: certificates(t, 'IP:127.0.0.1').authority }, 'bad_certificate');
    await fetched(t, tls, { SSL_CERT_FILE: '/nonexistent' }, 'no_certificate_authorities');
    const other = certificates(t, 'DNS:localhost');
    await fetched(t, other.tls, { SSL_CERT_FILE: other.authority }, 'bad_certificate');
  });

  test('a server that speaks no TLS is not spoken to without', async (t) => {
    const server = await keyServer(t, '{}');
    const gateway = await gate(t, byUrl(server.url().replace('http:', 'https:')), { loads: false });
    await gateway.logged('why', failed('tls_failed'));
    assert.equal(server.requests.length, 0);
  });
});

describe('commands', () => {
  const policyFor = (t, server) => writePolicy(t, {
    listen: [{ address: '127.0.0.1:1' }], admin: { address: '127.0.0.1:2' },
    ...policyOf({ backend: 3, authenticators: { users: byUrl(server.url()) } }),
  });

  test('check asks nobody', async (t) => {
    const server = await keyServer(t, '{}');
    const { code, out } = await gatehouse(['check', '--policy', policyFor(t, server)]);
    assert.equal(code, 0, out);
    assert.equal(server.connections, 0);
  });

  test('explain asks once for the keys of the token\'s issuer, and says what came of it', async (t) => {
    const key = await makeKey('a');
    const server = await keyServer(t, jwkSet(key));
    const file = policyFor(t, server);
    const explain = async (token) => gatehouse(
      ['explain', '--policy', file, '--path', '/chat', '--token-file', '-'], { input: token });
    const allowed = await explain(await key.token());
    assert.equal(allowed.code, 0, allowed.out);
    assert.match(allowed.out, new RegExp(`^keys +1 of 'users' from ${server.origin}$`, 'm'));
    assert.equal(server.requests.length, 1);
    await explain(await key.token({ iss: 'https://other.example.test/' }));
    assert.equal(server.requests.length, 1, 'not for another issuer');
    await server.stop();
    const denied = await explain(await key.token());
    assert.equal(denied.code, 3);
    assert.match(denied.out, /^deny 503 keys_missing$/m);
    assert.match(denied.out, new RegExp(`^keys +none of 'users' from ${server.origin}: cannot_connect$`, 'm'));
  });
});
