// CONTRACT section 2, "Which credential decides", "Time" and "Principals"; SECURITY "Tokens", 6 and 21:
// who a client is, by tokens that an independent implementation made.
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { exportJWK, exportSPKI, generateKeyPair } from 'jose';
import { wsBackend } from './harness/backends.mjs';
import { ask, jwt, open, refused, startGateway, users } from './harness/gateway.mjs';
import { issuer, now, rawToken, remember, secret, token } from './harness/tokens.mjs';
import { frame, opcodes } from './harness/wire.mjs';

const algorithms = ['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512',
  'ES256', 'ES384', 'ES512', 'EdDSA'];

async function keysOf(alg) {
  if (alg.startsWith('HS')) {
    const key = new TextEncoder().encode(`${alg} `.padEnd(64, 'x'));
    return { sign: key, jwk: { kty: 'oct', k: Buffer.from(key).toString('base64url') } };
  }
  const pair = await generateKeyPair(alg, { crv: 'Ed25519', modulusLength: 2048, extractable: true });
  return { sign: pair.privateKey, jwk: await exportJWK(pair.publicKey), pem: await exportSPKI(pair.publicKey) };
}

// A gateway whose route is '/chat', with a recording backend.
async function gate(t, more = {}, options = {}) {
  const backend = await wsBackend(t);
  const gateway = await startGateway(t, { backend: backend.port, ...more }, options);
  const status = async (request) => (await ask(t, gateway, request)).status;
  return { backend, gateway, status };
}

function hmacToken(header, claims, key = secret) {
  const encode = (part) =>
    Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
  const signed = `${encode(header)}.${encode(claims)}`;
  return remember(`${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`);
}

const good = () => ({
  iss: issuer, aud: 'realtime', sub: 'alice', iat: Math.floor(now()), exp: Math.floor(now()) + 600,
});

describe('tokens', () => {
  test('a token of each of the thirteen algorithms opens, by a key of a JWK Set file', async (t) => {
    const keys = [];
    const signers = {};
    for (const alg of algorithms) {
      const { sign, jwk } = await keysOf(alg);
      keys.push({ ...jwk, alg, use: 'sig', kid: `key-${alg}` });
      signers[alg] = sign;
    }
    const { status } = await gate(t,
      { authenticators: { users: users({ jwt: jwt({ algorithms, keys: [{ jwks_file: 'keys.json' }] }) }) } },
      { files: { 'keys.json': JSON.stringify({ keys }) } });
    for (const alg of algorithms) {
      const made = await token({}, { alg, key: signers[alg], header: { kid: `key-${alg}` } });
      assert.equal(await status({ token: made }), 101, alg);
      assert.equal(await status({ token: await token({}, { alg, key: signers[alg] }) }), 101, `${alg} without kid`);
      const [head, claims, signature] = made.split('.');
      const middle = Math.floor(signature.length / 2);
      const flipped = signature.slice(0, middle) + (signature[middle] === 'A' ? 'B' : 'A') + signature.slice(middle + 1);
      assert.equal(await status({ token: remember(`${head}.${claims}.${flipped}`) }), 401, `${alg}, one character changed`);
    }
  });

  test('a PEM file verifies the algorithms of its key and no other', async (t) => {
    const rsa = await keysOf('RS256');
    const { status } = await gate(t,
      { authenticators: { users: users({ jwt: jwt({ algorithms: ['RS256', 'PS256'], keys: [{ pem_file: 'rsa.pem' }] }) }) } },
      { files: { 'rsa.pem': rsa.pem } });
    assert.equal(await status({ token: await token({}, { alg: 'RS256', key: rsa.sign }) }), 101);
    const confused = hmacToken({ alg: 'HS256', typ: 'JWT' }, good(), rsa.pem);
    assert.equal(await status({ token: confused }), 401, 'the public key as an HMAC secret');
  });

  test('an algorithm that is not listed is refused even with a right signature', async (t) => {
    const { status } = await gate(t);
    const key = new TextEncoder().encode(secret);
    assert.equal(await status({ token: await token({}, { alg: 'HS256', key }) }), 101);
    assert.equal(await status({ token: await token({}, { alg: 'HS384', key }) }), 401);
  });

  test('alg none in any case, and no signature, is 401', async (t) => {
    const { status, backend } = await gate(t);
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null, 0, 'hs256']) {
      for (const signature of ['', 'AAAA']) {
        assert.equal(await status({ token: rawToken({ alg, typ: 'JWT' }, good(), signature) }), 401, `${alg}`);
      }
    }
    assert.equal(backend.requests.length, 0);
  });

  test('claims out of bounds are 401', async (t) => {
    const { status } = await gate(t,
      { authenticators: { users: users({ jwt: jwt({ leeway: '10s', max_lifetime: '1h', require: { email_verified: true } }) }) } });
    const time = Math.floor(now());
    const cases = [
      [101, {}], [101, { exp: time + 3_500 }], [101, { aud: ['other', 'realtime'] }], [101, { exp: time - 5 }],
      [101, { nbf: time + 5 }], [101, { iat: undefined }], [101, { sub: 17 }], [101, { exp: time + 60.5 }],
      [401, { exp: undefined }], [401, { exp: `${time + 60}` }], [401, { exp: time - 30 }], [401, { exp: null }],
      [401, { exp: time + 7_200 }], [401, { exp: time + 7_200, iat: time + 7_000 }], [401, { iat: time + 60 }],
      [401, { nbf: time + 60 }], [401, { nbf: 'soon' }], [401, { iss: undefined }], [401, { iss: `${issuer}x` }],
      [401, { aud: undefined }], [401, { aud: [] }], [401, { aud: 'realtimes' }], [401, { aud: ['real', 'time'] }],
      [401, { sub: undefined }], [401, { sub: '' }], [401, { sub: 'x'.repeat(257) }], [401, { sub: null }],
      [401, { sub: 'a\r\nX-Admin: 1' }], [401, { sub: 'a\u0000' }], [401, { sub: { a: 1 } }], [401, { sub: 1.5 }],
      [401, { email_verified: 'true' }], [401, { email_verified: undefined }], [401, { email_verified: 1 }],
      [101, { sub: 'x'.repeat(256) }],
    ];
    for (const [expected, claims] of cases) {
      const made = hmacToken({ alg: 'HS256' }, JSON.stringify({ ...good(), email_verified: true, ...claims }));
      assert.equal(await status({ token: made }), expected, JSON.stringify(claims).slice(0, 80));
    }
  });

  test('what two readers of a token could read differently is 401', async (t) => {
    const { status } = await gate(t);
    const claims = JSON.stringify(good());
    assert.equal(await status({ token: hmacToken({ alg: 'HS256' }, claims) }), 101);
    const twice = `${claims.slice(0, -1)},"sub":"mallory"}`;
    assert.equal(await status({ token: hmacToken({ alg: 'HS256' }, twice) }), 401, 'a claim twice');
    assert.equal(await status({ token: hmacToken('{"alg":"none","alg":"HS256"}', claims) }), 401, 'alg twice');
    assert.equal(await status({ token: hmacToken({ alg: 'HS256', crit: ['exp'], exp: 1 }, claims) }), 401, 'crit');
    assert.equal(await status({ token: hmacToken({ alg: 'HS256', typ: 'at+jwt' }, claims) }), 101, 'RFC 9068');
    assert.equal(await status({ token: hmacToken({ alg: 'HS256', typ: 'JOSE' }, claims) }), 401, 'typ');
    assert.equal(await status({ token: hmacToken({ alg: 'HS256' }, `${claims} {}`) }), 401, 'junk after the claims');
    assert.equal(await status({ token: hmacToken({ alg: 'HS256' }, `[${claims}]`) }), 401, 'an array');
    const right = hmacToken({ alg: 'HS256' }, claims);
    const [head, body, signature] = right.split('.');
    for (const changed of [`${right}=`, `${right}.`, `${right}.AAAA`, `${right}A`, `${head}.${body}`, `${head}=.${body}.${signature}`,
      `${head}.${body}.`, `.${body}.${signature}`, right.replaceAll('-', '+').replaceAll('_', '/') + '+']) {
      assert.equal(await status({ token: changed }), 401, changed.slice(-20));
    }
  });

  test('a token of more than 8 KiB is 401 and one of nearly that much opens', async (t) => {
    const { status } = await gate(t);
    const sized = async (octets) => {
      const made = await token({ big: 'x'.repeat(octets) });
      return [made.length, await status({ token: made })];
    };
    const [near, opened] = await sized(5_900);
    assert.ok(near <= 8_192 && near > 8_000, `${near}`);
    assert.equal(opened, 101);
    const [over, denied] = await sized(6_100);
    assert.ok(over > 8_192);
    assert.equal(denied, 401);
  });

  test('where keys may come from is not for the token to say', async (t) => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const { status, backend } = await gate(t,
      { authenticators: { users: users({ jwt: jwt({ algorithms: ['HS256', 'RS256'], keys: [{ secret }, { pem_file: 'rsa.pem' }] }) }) } },
      { files: { 'rsa.pem': (await keysOf('RS256')).pem } });
    const canary = `http://127.0.0.1:${backend.port}/keys`;
    const jwk = publicKey.export({ format: 'jwk' });
    for (const header of [{ jku: canary }, { x5u: canary }, { jwk }, { kid: '../../etc/passwd' }, { kid: "' OR 1=1 --" }]) {
      assert.equal(await status({ token: await token({}, { alg: 'RS256', key: privateKey, header }) }), 401);
    }
    assert.equal(await status({ token: await token({ iss: canary }) }), 401);
    assert.equal(backend.requests.length, 0);
  });
});

describe('which credential decides', () => {
  test('a token opens from each place of the handshake', async (t) => {
    const { status, backend } = await gate(t, {
      authenticators: {
        users: users({
          credentials: [{ header: 'Authorization' }, { header: 'X-Api-Token' }, { subprotocol: 'bearer.' },
            { cookie: 'access_token' }, { query: 'token' }],
        }),
      },
      route: { origins: ['https://app.example.com'] },
    });
    const bearer = await token();
    const Origin = 'https://app.example.com';
    assert.equal(await status({ fields: { Authorization: `Bearer ${bearer}` } }), 101);
    assert.equal(await status({ fields: { authorization: `bEARER ${bearer}` } }), 101, 'the scheme in any case');
    assert.equal(await status({ fields: { 'Sec-WebSocket-Protocol': `chat, bearer.${bearer}` } }), 101);
    assert.equal(await status({ fields: { Cookie: `a=b; access_token=${bearer}`, Origin } }), 101);
    assert.equal(await status({ target: `/chat?x=1&token=${bearer}` }), 101);
    assert.equal(await status({ fields: { Authorization: `Basic ${bearer}` } }), 401);
    assert.equal(await status({ fields: { Authorization: bearer } }), 401);
    assert.equal(backend.requests.length, 5);
  });

  test('the first place that holds something decides, good or bad', async (t) => {
    const { status } = await gate(t);
    const bearer = await token();
    const bad = rawToken({ alg: 'HS256' }, good());
    const both = (header, query) => status({ token: header, target: `/chat?token=${query}` });
    assert.equal(await both(bearer, bad), 101);
    assert.equal(await both(bad, bearer), 401);
    assert.equal(await status({
      target: `/chat?token=${bearer}`, fields: { 'Sec-WebSocket-Protocol': `bearer.${bad}` },
    }), 401);
  });

  test('the same place twice is 401', async (t) => {
    const { status, backend } = await gate(t, {
      authenticators: {
        users: users({
          credentials: [{ header: 'Authorization' }, { subprotocol: 'bearer.' }, { cookie: 'access_token' }, { query: 'token' }],
        }),
      },
      route: { origins: ['*'] },
    });
    const bearer = await token();
    const Origin = 'https://app.example.com';
    assert.equal(await status({ fields: { Authorization: [`Bearer ${bearer}`, `Bearer ${bearer}`] } }), 401);
    assert.equal(await status({ fields: { 'Sec-WebSocket-Protocol': `bearer.${bearer}, bearer.${bearer}` } }), 401);
    assert.equal(await status({ fields: { 'Sec-WebSocket-Protocol': [`bearer.${bearer}`, `bearer.${bearer}`] } }), 401);
    assert.equal(await status({ fields: { Origin, Cookie: `access_token=${bearer}; access_token=${bearer}` } }), 401);
    assert.equal(await status({ fields: { Origin, Cookie: [`access_token=${bearer}`, `access_token=${bearer}`] } }), 401);
    assert.equal(await status({ target: `/chat?token=${bearer}&token=${bearer}` }), 401);
    assert.equal(await status({ target: `/chat?token=${bearer}&%74oken=${bearer}` }), 401, 'a name is decoded');
    assert.equal(backend.requests.length, 0);
  });

  test("of two authenticators that look in one place, the token's issuer chooses", async (t) => {
    const partners = 'https://partners.example.test/';
    const other = 'another secret, of the partners, long enough';
    const { gateway, backend, status } = await gate(t, {
      authenticators: {
        users: users(),
        partners: users({ subject_prefix: 'partner:', jwt: jwt({ issuer: partners, keys: [{ secret: other }] }) }),
      },
      route: { authenticate: ['users', 'partners'] },
    });
    const key = new TextEncoder().encode(other);
    await open(t, gateway);
    await open(t, gateway, { token: await token({ iss: partners }, { key }) });
    assert.deepEqual(backend.requests.map(({ fields }) => fields['x-gatehouse-subject'][0]), ['alice', 'partner:alice']);
    assert.equal(await status({ token: await token({ iss: partners }) }), 401, "one's issuer with the other's key");
    assert.equal(await status({ token: await token({}, { key }) }), 401);
  });

  test('an authenticator that the route does not name opens nothing on it', async (t) => {
    const other = 'another secret, of the partners, long enough';
    const { status } = await gate(t, {
      authenticators: {
        users: users(),
        partners: users({ jwt: jwt({ issuer: 'https://partners.example.test/', keys: [{ secret: other }] }) }),
      },
    });
    const made = await token({ iss: 'https://partners.example.test/' }, { key: new TextEncoder().encode(other) });
    assert.equal(await status({ token: made }), 401);
  });

  test('anonymous applies only where no place holds anything', async (t) => {
    const { gateway, status, backend } = await gate(t, {
      authenticators: { users: users(), guests: { anonymous: {} } },
      route: { authenticate: ['users', 'guests'] },
    });
    for (let i = 0; i < 2; ++i) assert.equal(await status({}), 101);
    await open(t, gateway);
    assert.equal(await status({ token: 'rubbish' }), 401, 'a bad credential never becomes a guest');
    assert.equal(await status({ target: '/chat?token=rubbish' }), 401);
    assert.equal(await status({ fields: { Authorization: 'Basic YTpi' } }), 401);
    const subjects = backend.requests.map(({ fields }) => fields['x-gatehouse-subject'][0]);
    assert.match(subjects[0], /^anonymous:[A-Za-z0-9_-]{8,}$/);
    assert.notEqual(subjects[0], subjects[1]);
    assert.equal(subjects[2], 'alice');
  });

  test('a token cannot name a subject that begins with anonymous:', async (t) => {
    const { status } = await gate(t, {
      authenticators: { users: users(), guests: { anonymous: {} } },
      route: { authenticate: ['users', 'guests'] },
    });
    assert.equal(await status({ token: await token({ sub: 'anonymous:1' }) }), 401);
  });
});

describe('identity as the backend sees it', () => {
  test('a subject is percent-encoded but for unreserved characters and @ : |', async (t) => {
    const { gateway, backend } = await gate(t);
    const cases = [['é', '%C3%A9'], ['auth0|17:a@b.c', 'auth0|17:a@b.c'], ['a b/c%', 'a%20b%2Fc%25'],
      ['~-_.', '~-_.'], ['名前', '%E5%90%8D%E5%89%8D'], ['a,b;"', 'a%2Cb%3B%22']];
    for (const [sub] of cases) await open(t, gateway, { token: await token({ sub }) });
    assert.deepEqual(backend.requests.map(({ fields }) => fields['x-gatehouse-subject'][0]), cases.map(([, sent]) => sent));
  });

  test('a subject with line breaks or of 300 octets never reaches the head of the backend', async (t) => {
    const { status, backend } = await gate(t);
    for (const sub of ['a\r\nX-Admin: 1', 'a\nX-Admin: 1', 'x'.repeat(300), 'a\u007f', 'a\u0085b']) {
      assert.equal(await status({ token: await token({ sub }) }), 401, JSON.stringify(sub).slice(0, 30));
    }
    assert.equal(backend.requests.length, 0);
  });

  test('a claim with line breaks stays inside its base64url', async (t) => {
    const { gateway, backend } = await gate(t);
    await open(t, gateway, { token: await token({ role: 'a\r\nX-Admin: 1' }) });
    const [request] = backend.requests;
    assert.equal(request.fields['x-admin'], undefined);
    const claims = JSON.parse(Buffer.from(request.fields['x-gatehouse-claims'][0], 'base64url').toString());
    assert.equal(claims.role, 'a\r\nX-Admin: 1');
  });
});

describe('origins', () => {
  const origins = ['https://app.example.com', 'https://*.example.org', 'http://dev.example.com:3000'];

  test('scheme, host and port are compared exactly, wildcards by one whole label', async (t) => {
    const { status } = await gate(t, { route: { origins } });
    const bearer = await token();
    const of = (Origin) => status({ token: bearer, fields: { Origin } });
    for (const origin of ['https://app.example.com', 'HTTPS://APP.EXAMPLE.COM', 'https://app.example.com:443',
      'https://a.example.org', 'http://dev.example.com:3000']) assert.equal(await of(origin), 101, origin);
    for (const origin of ['https://app.example.com.evil.com', 'https://evilapp.example.com', 'null', '',
      'http://app.example.com', 'https://app.example.com:8443', 'https://example.org', 'https://a.b.example.org',
      'https://evil.com/app.example.com', 'https://app.example.com/', 'https://app.example.com@evil.com',
      'http://dev.example.com', 'https://evilexample.org', 'https://.example.org', 'file://', 'app.example.com']) {
      assert.equal(await of(origin), 403, origin);
    }
    assert.equal(await status({ token: bearer, fields: { Origin: ['https://app.example.com', 'https://evil.com'] } }) < 500, true);
  });

  test('two Origin fields never open', async (t) => {
    const { status, backend } = await gate(t, { route: { origins } });
    const got = await status({ token: await token(), fields: { Origin: ['https://app.example.com', 'https://evil.com'] } });
    assert.ok([400, 403].includes(got), `${got}`);
    assert.equal(backend.requests.length, 0);
  });

  test('"*" is any Origin but null', async (t) => {
    const { status } = await gate(t, { route: { origins: ['*'] } });
    const bearer = await token();
    assert.equal(await status({ token: bearer, fields: { Origin: 'https://anything.example' } }), 101);
    assert.equal(await status({ token: bearer, fields: { Origin: 'null' } }), 403);
  });

  test('a cookie opens from a listed Origin only, and never without one', async (t) => {
    const { status, backend, gateway } = await gate(t, {
      authenticators: { users: users({ credentials: [{ cookie: 'access_token' }, { query: 'token' }] }) },
      route: { origins: ['https://app.example.com'] },
    });
    const bearer = await token();
    const Cookie = `access_token=${bearer}`;
    assert.equal(await status({ fields: { Cookie } }), 403);
    assert.equal(await status({ fields: { Cookie, Origin: 'https://evil.example' } }), 403);
    assert.equal(await status({ fields: { Cookie, Origin: 'null' } }), 403);
    assert.equal(backend.requests.length, 0);
    assert.equal(await status({ target: `/chat?token=${bearer}` }), 101, 'no cookie, no Origin');
    assert.equal(await status({ fields: { Cookie: 'access_token=rubbish' } }), 403, 'Origin comes before the credential');
    const answer = await ask(t, gateway, { fields: { Cookie, Origin: 'https://app.example.com' } });
    assert.equal(answer.status, 101);
    answer.peer.send(frame(opcodes.text, 'by cookie'));
    assert.equal((await answer.peer.message()).payload.toString(), 'by cookie');
  });
});

describe('allow', () => {
  test('conditions compare exactly and typed', async (t) => {
    const conditions = {
      everyone: 'everyone',
      nobody: 'nobody',
      subjects: { subjects: ['alice', 'bob'] },
      equals: { claim: 'level', equals: 3 },
      in: { claim: 'plan', in: ['pro', 'team'] },
      contains: { claim: 'teams', contains: 'red' },
      scope: { claim: 'scope', contains: 'chat' },
      pointer: { claim: '/realm/roles/0', equals: 'admin' },
      url: { claim: 'https://example.com/roles', contains: 'dev' },
      all: { all: [{ claim: 'plan', equals: 'pro' }, { claim: 'teams', contains: 'red' }] },
      any: { any: [{ claim: 'plan', equals: 'pro' }, { claim: 'teams', contains: 'red' }] },
      not: { not: { claim: 'banned', equals: true } },
      capture: { claim: 'teams', contains: '{team}' },
    };
    const { status } = await gate(t, {
      routes: Object.entries(conditions).map(([name, allow]) => ({
        path: name === 'capture' ? '/capture/{team}' : `/${name}`, authenticate: ['users'], backend: 'chat', allow,
      })),
    });
    const cases = {
      '/everyone': [[101, {}]],
      '/nobody': [[403, {}]],
      '/subjects': [[101, {}], [101, { sub: 'bob' }], [403, { sub: 'Alice' }], [403, { sub: 'carol' }]],
      '/equals': [[101, { level: 3 }], [403, { level: '3' }], [403, { level: 4 }], [403, {}], [403, { level: [3] }]],
      '/in': [[101, { plan: 'team' }], [403, { plan: 'teams' }], [403, { plan: ['pro'] }]],
      '/contains': [[101, { teams: ['blue', 'red'] }], [101, { teams: 'blue red' }], [403, { teams: ['reds'] }], [403, { teams: 'redblue' }]],
      '/scope': [[101, { scope: 'read chat' }], [403, { scope: 'read chatter' }]],
      '/pointer': [[101, { realm: { roles: ['admin'] } }], [403, { realm: { roles: ['user', 'admin'] } }]],
      '/url': [[101, { 'https://example.com/roles': ['dev'] }], [403, {}]],
      '/all': [[101, { plan: 'pro', teams: ['red'] }], [403, { plan: 'pro' }]],
      '/any': [[101, { plan: 'pro' }], [101, { teams: ['red'] }], [403, {}]],
      '/not': [[101, {}], [403, { banned: true }], [101, { banned: 'true' }]],
      '/capture/red': [[101, { teams: ['red'] }], [403, { teams: ['blue'] }]],
    };
    for (const [target, expectations] of Object.entries(cases)) {
      for (const [expected, claims] of expectations) {
        assert.equal(await status({ target, token: await token(claims) }), expected, `${target} ${JSON.stringify(claims)}`);
      }
    }
  });
});

describe('time', () => {
  test('an open connection closes with 4401 at exp + leeway, and the backend gets 1001', async (t) => {
    const { gateway, backend } = await gate(t,
      { authenticators: { users: users({ jwt: jwt({ leeway: '500ms' }) }) } });
    const exp = now() + 0.7;
    const peer = await open(t, gateway, { token: await token({ exp }) });
    peer.send(frame(opcodes.text, 'in time'));
    assert.equal((await peer.message()).payload.toString(), 'in time');
    const { code } = await peer.close();
    const late = now() - (exp + 0.5);
    assert.equal(code, 4401);
    assert.ok(late > -0.05 && late < 1, `closed ${late} s after exp + leeway`);
    assert.equal((await backend.closed()).code, 1001);
  });

  test('nothing is forwarded after the end, though the client never answers the Close', async (t) => {
    const { gateway, backend } = await gate(t,
      { authenticators: { users: users({ jwt: jwt({ leeway: '0s' }) }) } });
    const peer = await open(t, gateway, { token: await token({ exp: now() + 0.5 }) });
    assert.equal((await peer.close()).code, 4401);
    peer.send(frame(opcodes.text, 'too late'));
    await backend.closed();
    assert.deepEqual(backend.messages, []);
  });

  test('a token that ended before leeway ran out still opens, for what is left', async (t) => {
    const { gateway } = await gate(t, { authenticators: { users: users({ jwt: jwt({ leeway: '1s' }) }) } });
    const exp = now() - 0.3;
    const peer = await open(t, gateway, { token: await token({ exp, iat: Math.floor(exp) - 5 }) });
    assert.equal((await peer.close()).code, 4401);
    assert.ok(Math.abs(now() - (exp + 1)) < 0.8);
  });
});
