// README "Recipes": the policies in deploy/policies for Auth0, Keycloak, Cognito and Firebase, as they
// are shipped but for addresses, and tokens of the shapes that these document, right ones and wrong ones.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join as pathOf } from 'node:path';
import { describe, test } from 'node:test';
import { CompactEncrypt } from 'jose';
import WebSocket from 'ws';
import { wsBackend } from './harness/backends.mjs';
import { authority } from './harness/certificates.mjs';
import { atEnd } from './harness/ending.mjs';
import { ask, freePort, gatehouse, policyOf, startGateway, writePolicy } from './harness/gateway.mjs';
import { keyServer, makeKey } from './harness/key_server.mjs';
import { root } from './harness/output.mjs';
import { RoomClient, error, join, joined, message } from './harness/rooms.mjs';
import { now, remember, token } from './harness/tokens.mjs';
import { patience, sleep, until, within } from './harness/wait.mjs';

// Whole seconds, as every provider writes them.
const seconds = (ahead = 0) => Math.floor(now()) + ahead;

const policyText = (name) => readFileSync(pathOf(root, 'deploy', 'policies', `${name}.yaml`), 'utf8');

// The text of the policy with each pair replaced, which has to be there.
function adapted(text, pairs) {
  for (const [from, to] of pairs) {
    assert.ok(text.includes(from), `the policy has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

// Serves these documents, by path, and nothing else.
const serves = (documents) => (request, response) => {
  const document = documents[request.url];
  response.writeHead(document ? 200 : 404, { 'Content-Type': 'application/json' });
  response.end(document ? JSON.stringify(document) : '');
};

// A gateway with the shipped policy, in front of a backend, once it has the provider's keys.
async function start(t, name, pairs) {
  const backend = await wsBackend(t);
  const gateway = await startGateway(t, ({ port, adminPort }) => `${adapted(policyText(name), [
    ['0.0.0.0:8080', `127.0.0.1:${port}`], ['ws://127.0.0.1:9001', `ws://127.0.0.1:${backend.port}`], ...pairs,
  ])}\nadmin: { address: "127.0.0.1:${adminPort}" }\nworkers: 2\n`);
  await until('the keys to be there', async () => (await gateway.admin('/readyz')).status === 200, 5_000 * patience);

  const refusals = () => gateway.log.filter(({ event }) => event === 'connection_refused');

  // Let in to /chat with these claims, as `subject`, all of which the backend gets.
  gateway.letsIn = async (bearer, subject, claims) => {
    const before = backend.requests.length;
    const answer = await ask(t, gateway, { token: bearer });
    assert.equal(answer.status, 101, JSON.stringify(refusals().at(-1)));
    assert.equal(backend.requests.length, before + 1);
    const { fields } = backend.requests.at(-1);
    assert.deepEqual(fields['x-gatehouse-subject'], [subject]);
    assert.deepEqual(JSON.parse(Buffer.from(fields['x-gatehouse-claims'][0], 'base64url')), claims);
    assert.equal(fields.authorization, undefined);
    answer.peer.destroy();
  };

  // Not let in, for the reason that the log has.
  gateway.refuses = async (what, bearer, reason, { status = 401, target } = {}) => {
    const before = refusals().length;
    const answer = await ask(t, gateway, { token: bearer, target });
    assert.equal(answer.status, status, what);
    const line = await until(`why ${what} was refused`, () => refusals()[before]);
    assert.equal(line.reason, reason, what);
  };

  // As a browser brings its token, to the room server at /rooms.
  gateway.client = async (bearer, id) => {
    const socket = new WebSocket(gateway.url('/rooms'), ['chat', `bearer.${bearer}`], { perMessageDeflate: false });
    atEnd(t, () => socket.terminate());
    const client = new RoomClient(socket, id);
    await within(`${id} to be connected`, new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    }));
    assert.equal(socket.protocol, 'chat');
    return client;
  };
  return gateway;
}

// With what a JWK Set of theirs has beside the key itself.
const published = ({ jwk }, more = {}) => ({ ...jwk, ...more });

describe('Auth0', () => {
  const api = 'https://chat.example.com';
  const page = 'Zq0exampleClientOfThePage0000000';

  async function auth0(t) {
    const key = await makeKey('r0exampleKeyIdentifier', 'RS256');
    const server = await keyServer(t, '');
    const issuer = `${server.origin}/`;
    server.answer = serves({
      '/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}.well-known/jwks.json`, token_endpoint: `${issuer}oauth/token` },
      '/.well-known/jwks.json': { keys: [published(key, { x5t: 'r0exampleThumbprint', x5c: ['MIIexample'] })] },
    });
    const gateway = await start(t, 'auth0', [['https://example.eu.auth0.com/', issuer]]);
    const access = (more = {}) => ({
      iss: issuer, sub: 'auth0|507f1f77bcf86cd799439020', aud: [api, `${issuer}userinfo`], azp: page,
      iat: seconds(), exp: seconds(86_400), scope: 'openid profile email', permissions: ['chat:connect', 'chat:read'],
      'https://chat.example.com/teams': ['red'], ...more,
    });
    const sign = (claims, header = { typ: 'JWT' }) => key.token(claims, header);
    return { gateway, issuer, access, sign };
  }

  test('lets access tokens for the API in, of both profiles, for as long as Auth0 makes them by default', async (t) => {
    const { gateway, access, sign } = await auth0(t);
    const claims = access();
    await gateway.letsIn(await sign(claims), 'auth0|507f1f77bcf86cd799439020', claims);
    // Its clock is ahead of ours.
    const early = access({ iat: seconds(10), exp: seconds(86_410) });
    await gateway.letsIn(await sign(early), early.sub, early);
    const rfc9068 = access({ azp: undefined, client_id: page, jti: 'a1b2c3d4e5' });
    await gateway.letsIn(await sign(rfc9068, { typ: 'at+jwt' }), rfc9068.sub, JSON.parse(JSON.stringify(rfc9068)));
    const machine = access({ sub: `${page}@clients`, aud: api, gty: 'client-credentials', scope: 'chat:connect' });
    await gateway.letsIn(await sign(machine), `${page}@clients`, machine);
  });

  test('lets nothing else in', async (t) => {
    const { gateway, issuer, access, sign } = await auth0(t);
    const id = {
      iss: issuer, sub: 'auth0|507f1f77bcf86cd799439020', aud: page, iat: seconds(), exp: seconds(36_000), sid: 'example',
      nonce: 'example', nickname: 'jane', name: 'Jane Doe', picture: 'https://example.com/jane.jpg',
      email: 'jane@example.com', email_verified: true, updated_at: '2026-11-30T09:00:00.000Z',
    };
    await gateway.refuses('the ID token', await sign(id), 'wrong_audience');
    await gateway.refuses('a token for another API',
      await sign(access({ aud: ['https://other.example.com', `${issuer}userinfo`] })), 'wrong_audience');
    await gateway.refuses('a token of another tenant', await sign(access({ iss: 'https://other.eu.auth0.com/' })), 'unknown_issuer');
    await gateway.refuses("an issuer without the '/'", await sign(access({ iss: issuer.slice(0, -1) })), 'unknown_issuer');
    await gateway.refuses('a key of another tenant',
      await (await makeKey('r0exampleKeyIdentifier', 'RS256')).token(access(), { typ: 'JWT' }), 'bad_signature');
    await gateway.refuses('who lacks the permission',
      await sign(access({ permissions: ['chat:read'], scope: 'chat:connect' })), 'not_allowed', { status: 403 });
    await gateway.refuses('who has none, since RBAC is off', await sign(access({ permissions: undefined })), 'not_allowed', { status: 403 });
    // What a page gets that names no audience: encrypted, for Auth0 alone.
    const opaque = await new CompactEncrypt(new TextEncoder().encode(JSON.stringify(access())))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', iss: issuer }).encrypt(new Uint8Array(32));
    await gateway.refuses('an opaque token', remember(opaque), 'malformed');
  });

  test('opens the rooms of the teams that an Action has put into the token', async (t) => {
    const { gateway, access, sign } = await auth0(t);
    const client = await gateway.client(await sign(access()), 'jane');
    await client.join('team:red');
    client.say(join('team:blue'), message('team:red', 1));
    await client.expect(error('access_denied', { room: 'team:blue' }),
      { type: 'message', room: 'team:red', from: 'auth0|507f1f77bcf86cd799439020', payload: 1 });
  });
});

describe('Keycloak', () => {
  const alice = '8befeac4-8963-49da-a9ac-f310e8d922d8';

  async function keycloak(t) {
    const key = await makeKey('FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE', 'RS256');
    const encryption = await makeKey('C8E5nxOd4LprXSUYzKQW6bQ1eKNEL4mYxGQIg6EzVxg', 'RS256');
    const server = await keyServer(t, '');
    const issuer = `${server.origin}/realms/example`;
    server.answer = serves({
      '/realms/example/.well-known/openid-configuration': {
        issuer, jwks_uri: `${issuer}/protocol/openid-connect/certs`, token_endpoint: `${issuer}/protocol/openid-connect/token`,
      },
      '/realms/example/protocol/openid-connect/certs': {
        keys: [
          published(encryption, { use: 'enc', alg: 'RSA-OAEP', x5c: ['MIIexample'], x5t: 'example', 'x5t#S256': 'example' }),
          published(key, { x5c: ['MIIexample'], x5t: 'example', 'x5t#S256': 'example' }),
        ],
      },
    });
    const gateway = await start(t, 'keycloak', [['https://id.example.com/realms/example', issuer]]);
    const access = (more = {}) => ({
      exp: seconds(300), iat: seconds(), auth_time: seconds(-60), jti: 'onrtac:179a04e8-6a41-41bb-ab20-14d55a8518af', iss: issuer,
      aud: ['realtime', 'account'], sub: alice, typ: 'Bearer', azp: 'web', sid: '54db1502-a5dc-4a27-af62-eeef0694a628', acr: '1',
      'allowed-origins': ['https://app.example.com'],
      realm_access: { roles: ['default-roles-example', 'offline_access', 'uma_authorization', 'chat-user'] },
      resource_access: { realtime: { roles: ['reader'] }, account: { roles: ['manage-account', 'view-profile'] } },
      scope: 'openid profile email', email_verified: true, name: 'Alice Doe', preferred_username: 'alice', given_name: 'Alice',
      family_name: 'Doe', email: 'alice@example.com', ...more,
    });
    return { gateway, issuer, access, sign: (claims, header = { typ: 'JWT' }) => key.token(claims, header) };
  }

  test('lets access tokens for the audience in, from the client of the pages', async (t) => {
    const { gateway, access, sign } = await keycloak(t);
    const fetched = await gateway.logged('the keys', ({ event }) => event === 'keys_fetched');
    assert.deepEqual([fetched.keys, fetched.left_out], [1, 1], 'its key for encryption is left out');
    const claims = access();
    await gateway.letsIn(await sign(claims), alice, claims);
    const one = access({ aud: 'realtime' });
    await gateway.letsIn(await sign(one), alice, one);
  });

  test('lets nothing else in', async (t) => {
    const { gateway, issuer, access, sign } = await keycloak(t);
    const id = (more = {}) => ({
      exp: seconds(300), iat: seconds(), auth_time: seconds(-60), jti: '3f7a', iss: issuer, aud: 'web', sub: alice, typ: 'ID', azp: 'web',
      nonce: 'example', sid: '54db1502-a5dc-4a27-af62-eeef0694a628', at_hash: 'example', acr: '1', email_verified: true,
      preferred_username: 'alice', realm_access: { roles: ['chat-user'] }, ...more,
    });
    await gateway.refuses('the ID token', await sign(id()), 'wrong_audience');
    // As it is where page and gateway are one client.
    await gateway.refuses('an ID token with the audience', await sign(id({ aud: 'realtime' })), 'required_claim');
    await gateway.refuses('a token without the audience mapper', await sign(access({ aud: 'account' })), 'wrong_audience');
    await gateway.refuses('a token with no audience at all', await sign(access({ aud: undefined })), 'wrong_audience');
    await gateway.refuses('a token of another client', await sign(access({ azp: 'other' })), 'required_claim');
    await gateway.refuses('a token of another realm',
      await sign(access({ iss: issuer.replace('/example', '/other') })), 'unknown_issuer');
    await gateway.refuses("an issuer with a '/'", await sign(access({ iss: `${issuer}/` })), 'unknown_issuer');
    await gateway.refuses('who lacks the role of the realm',
      await sign(access({ realm_access: { roles: ['offline_access'] } })), 'not_allowed', { status: 403 });
    await gateway.refuses('who has it as a role of a client',
      await sign(access({ realm_access: undefined, resource_access: { realtime: { roles: ['chat-user'] } } })), 'not_allowed', { status: 403 });
    await gateway.refuses('a token without the client scope "basic"', await sign(access({ sub: undefined })), 'bad_subject');
  });

  test('lets who has the role of the client speak, and go on with a new token', async (t) => {
    const { gateway, access, sign } = await keycloak(t);
    const editors = { realtime: { roles: ['reader', 'editor'] } };
    const reader = await (await gateway.client(await sign(access()), 'reader')).join('news');
    reader.say(message('news', 'not I'));
    await reader.expect(error('access_denied', { room: 'news' }));
    // The last minute of its five.
    const ending = access({ iat: seconds(-280), exp: seconds(20), resource_access: editors });
    const editor = await gateway.client(await sign(ending), 'editor');
    const { type, expires_in: left } = await editor.next('the warning');
    assert.equal(type, 'expiring');
    assert.ok(left > 0 && left <= 50, `${left} s: its end and the leeway`);
    const next = await sign(access({ resource_access: editors }));
    editor.say({ type: 'refresh', token: next, id: 1 });
    assert.equal((await editor.next('the new end')).type, 'refreshed');
    await editor.join('news');
    editor.say(message('news', 'hello'));
    await reader.expect({ type: 'message', room: 'news', from: alice, payload: 'hello' });
  });
});

describe('Cognito', () => {
  const pool = 'eu-west-1_EXAMPLE';
  const client = '1example23456789';
  const alice = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee';

  async function cognito(t) {
    const idKey = await makeKey('1234example=', 'RS256');
    const accessKey = await makeKey('5678example=', 'RS256');
    const server = await keyServer(t, '');
    const issuer = `${server.origin}/${pool}`;
    server.answer = serves({
      [`/${pool}/.well-known/openid-configuration`]: { issuer, jwks_uri: `${issuer}/.well-known/jwks.json` },
      [`/${pool}/.well-known/jwks.json`]: { keys: [published(idKey), published(accessKey)] },
    });
    const gateway = await start(t, 'cognito', [[`https://cognito-idp.eu-west-1.amazonaws.com/${pool}`, issuer]]);
    const both = () => ({
      sub: alice, 'cognito:groups': ['chat', 'team-red'], iss: issuer, origin_jti: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeee1',
      event_id: '64f513be-32db-42b0-b78e-b02127b4f463', auth_time: seconds(-60), exp: seconds(3_600), iat: seconds(),
      jti: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeee2',
    });
    const access = (more = {}) => ({
      ...both(), version: 2, client_id: client, token_use: 'access', scope: 'openid profile email', username: 'my-test-user', ...more,
    });
    const identity = (more = {}) => ({
      ...both(), email_verified: true, 'cognito:username': 'my-test-user', 'cognito:roles': ['arn:aws:iam::111122223333:role/my-test-role'],
      aud: client, token_use: 'id', email: 'my-test-user@example.com', ...more,
    });
    // The harness's own audience is left out where there is none.
    const sign = (claims) => (claims.token_use === 'id' ? idKey : accessKey).token({ aud: undefined, ...claims });
    return { gateway, issuer, access, identity, sign };
  }

  test('lets access tokens of the app client in, which have no audience', async (t) => {
    const { gateway, access, sign } = await cognito(t);
    const claims = access();
    await gateway.letsIn(await sign(claims), alice, claims);
    // With a resource in the request for it, there is one.
    const bound = access({ aud: 'https://chat.example.com' });
    await gateway.letsIn(await sign(bound), alice, bound);
  });

  test('lets nothing else in where an access token is wanted', async (t) => {
    const { gateway, issuer, access, identity, sign } = await cognito(t);
    await gateway.refuses('the ID token', await sign(identity()), 'required_claim');
    await gateway.refuses('a token of another app client', await sign(access({ client_id: '2example23456789' })), 'required_claim');
    await gateway.refuses('a token without a use', await sign(access({ token_use: undefined })), 'required_claim');
    await gateway.refuses('a token of another pool', await sign(access({ iss: issuer.replace(pool, 'eu-west-1_OTHER') })), 'unknown_issuer');
    await gateway.refuses('who is not in the group', await sign(access({ 'cognito:groups': ['chatter'] })), 'not_allowed', { status: 403 });
    await gateway.refuses('who is in no group', await sign(access({ 'cognito:groups': undefined })), 'not_allowed', { status: 403 });
  });

  test('lets ID tokens with a verified address in where these are wanted, and nothing else', async (t) => {
    const { gateway, access, identity, sign } = await cognito(t);
    const there = { target: '/rooms' };
    const member = await gateway.client(await sign(identity()), 'member');
    await member.join('team:red');
    member.say(join('team:blue'));
    await member.expect(error('access_denied', { room: 'team:blue' }));
    member.say(message('team:red', 1));
    await member.expect({ type: 'message', room: 'team:red', from: alice, payload: 1 });
    await gateway.refuses('the access token', await sign(access()), 'wrong_audience', there);
    // With all that a Lambda function may have put into it.
    await gateway.refuses('an access token with an audience and an address',
      await sign(access({ aud: client, email: 'my-test-user@example.com', email_verified: true })), 'required_claim', there);
    await gateway.refuses('an ID token for another app client', await sign(identity({ aud: '2example23456789' })), 'wrong_audience', there);
    await gateway.refuses('an address that is not verified', await sign(identity({ email_verified: false })), 'required_claim', there);
    await gateway.refuses('the text "true", which is no true', await sign(identity({ email_verified: 'true' })), 'required_claim', there);
  });
});

describe('Firebase', () => {
  const project = 'example-project';
  const uid = 'oyvaFVD2exampleZPFVnH1X8Xv1';
  const keysPath = '/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com';

  async function firebase(t) {
    const key = await makeKey('f5b18276a48661f4c3d1c3e9434974d1f1db51aa', 'RS256');
    const next = await makeKey('0a1b2c3d4e5f60718293a4b5c6d7e8f901234567', 'RS256');
    const server = await keyServer(t, serves({ [keysPath]: { keys: [published(next), published(key)] } }));
    const gateway = await start(t, 'firebase', [[`https://www.googleapis.com${keysPath}`, server.url(keysPath)]]);
    const claims = (more = {}) => ({
      name: 'Jane Doe', picture: 'https://example.com/jane.jpg', role: 'member', teams: ['red'],
      iss: `https://securetoken.google.com/${project}`, aud: project, auth_time: seconds(-60), user_id: uid, sub: uid,
      iat: seconds(), exp: seconds(3_600), email: 'jane@example.com', email_verified: true,
      firebase: { identities: { 'google.com': ['108658900000000862749'], email: ['jane@example.com'] }, sign_in_provider: 'google.com' },
      ...more,
    });
    return { gateway, claims, sign: (payload) => key.token(payload, { typ: 'JWT' }) };
  }
  const by = (provider) => ({ identities: { email: ['jane@example.com'] }, sign_in_provider: provider });

  test('lets ID tokens of the project in, with a verified address', async (t) => {
    const { gateway, claims, sign } = await firebase(t);
    const member = claims();
    await gateway.letsIn(await sign(member), uid, member);
    const admin = claims({ role: 'admin', firebase: by('password') });
    await gateway.letsIn(await sign(admin), uid, admin);
  });

  test('lets nothing else in', async (t) => {
    const { gateway, claims, sign } = await firebase(t);
    // Of the same keys, as all projects have.
    await gateway.refuses('a token of another project',
      await sign(claims({ iss: 'https://securetoken.google.com/other-project', aud: 'other-project' })), 'unknown_issuer');
    await gateway.refuses('one for another project', await sign(claims({ aud: 'other-project' })), 'wrong_audience');
    await gateway.refuses('a session cookie', await sign(claims({ iss: `https://session.firebase.google.com/${project}` })), 'unknown_issuer');
    await gateway.refuses('an address that is not verified', await sign(claims({ email_verified: false })), 'required_claim');
    await gateway.refuses('who signed in anonymously',
      await sign(claims({ email: undefined, email_verified: undefined, provider_id: 'anonymous', firebase: { identities: {}, sign_in_provider: 'anonymous' } })),
      'required_claim');
    await gateway.refuses('who has another role', await sign(claims({ role: 'visitor' })), 'not_allowed', { status: 403 });
    await gateway.refuses('who has none yet', await sign(claims({ role: undefined })), 'not_allowed', { status: 403 });
    const custom = claims({
      iss: 'sdk@example-project.iam.gserviceaccount.com', uid,
      aud: 'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit',
    });
    await gateway.refuses('a custom token, which is for signing in', await sign(custom), 'unknown_issuer');
  });

  test('opens rooms by custom claims, and by how somebody signed in', async (t) => {
    const { gateway, claims, sign } = await firebase(t);
    const member = await (await gateway.client(await sign(claims()), 'member')).join('team:red');
    member.say(join('team:blue'), join('staff'));
    await member.expect(error('access_denied', { room: 'team:blue' }), error('access_denied', { room: 'staff' }));
    const admin = await gateway.client(await sign(claims({ role: 'admin' })), 'admin');
    await admin.join('staff');
    admin.say(message('staff', 'hello'));
    await admin.expect({ type: 'message', room: 'staff', from: uid, payload: 'hello' });
    const byPassword = await gateway.client(await sign(claims({ role: 'admin', firebase: by('password') })), 'admin with a password');
    byPassword.say(join('staff'));
    await byPassword.expect(error('access_denied', { room: 'staff' }));
    byPassword.say(join('team:red'), message('team:red', 1));
    await byPassword.expect(joined('team:red'));
    await member.expect({ type: 'message', room: 'team:red', from: uid, payload: 1 });
  });
});

describe('what the recipes in the README show', () => {
  const [recipes] = readFileSync(pathOf(root, 'README.md'), 'utf8').split('\n## Recipes\n')[1].split('\n## ');
  const shown = (language) => [...recipes.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, 'g'))].map(([, text]) => text);
  const certificate = (t) => {
    const ours = authority(t);
    const { cert, key } = ours.sign('DNS:gateway.test');
    return { ca: ours.cert, files: { 'tls.crt': cert, 'tls.key': key } };
  };
  const env = { GATEHOUSE_ADMIN_TOKEN: remember('token-of-an-operator-of-the-recipes') };

  test('names a policy for each provider, and is the beginning of one that check takes', async (t) => {
    for (const name of ['auth0', 'keycloak', 'cognito', 'firebase', 'express-sessions']) {
      assert.ok(recipes.includes(`\`deploy/policies/${name}.yaml\``), name);
    }
    const beginnings = shown('yaml');
    assert.equal(beginnings.length, 2);
    const rest = policyText('auth0').slice(policyText('auth0').indexOf('authenticators:'));
    for (const beginning of beginnings) {
      const file = writePolicy(t, `version: 1\n${beginning}${rest}`, certificate(t).files);
      const { code, out, err } = await gatehouse(['check', '--policy', file], { env });
      assert.equal(code, 0, out + err);
      assert.doesNotMatch(out + err, /warning/);
    }
  });

  test('has HAProxy pass TLS on, and look elsewhere while a gateway drains', async (t) => {
    const backend = await wsBackend(t);
    const { ca, files } = certificate(t);
    const { authenticators, backends, routes } = policyOf({ backend: backend.port });
    const [beginning] = shown('yaml');
    const gateways = [];
    for (let i = 0; i < 2; ++i) {
      gateways.push(await startGateway(t, ({ port, adminPort }) => `version: 1\n${adapted(beginning, [
        ['0.0.0.0:8443', `127.0.0.1:${port}`], ['0.0.0.0:8081', `127.0.0.1:${adminPort}`], ['10.0.0.5/32', '127.0.0.1/32'],
      ])}\nauthenticators: ${JSON.stringify(authenticators)}\nbackends: ${JSON.stringify(backends)}\nroutes: ${JSON.stringify(routes)}\n`,
      { files, env }));
    }
    const port = await freePort();
    const [configuration] = shown('haproxy');
    const file = writePolicy(t, adapted(configuration, [
      ['bind :443', `bind 127.0.0.1:${port}`], ['port 8081', ''],
      ['10.0.0.11:8443', `127.0.0.1:${gateways[0].port} port ${gateways[0].adminPort}`],
      ['10.0.0.12:8443', `127.0.0.1:${gateways[1].port} port ${gateways[1].adminPort}`],
    ]));
    const child = spawn('/usr/sbin/haproxy', ['-db', '-f', file], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('close', resolve));
    atEnd(t, async () => {
      child.kill('SIGKILL');
      await within('HAProxy to end', ended);
    });
    const bearer = await token();
    const connected = () => new Promise((resolve) => {
      const socket = new WebSocket(`wss://127.0.0.1:${port}/chat`, {
        ca, servername: 'gateway.test', localAddress: '127.0.0.77', headers: { Authorization: `Bearer ${bearer}` },
      });
      atEnd(t, () => socket.terminate());
      socket.once('open', () => resolve(socket));
      socket.once('error', () => resolve(false));
    });
    const clients = [await until('HAProxy to let a client in', connected)];
    for (let i = 0; i < 8; ++i) clients.push(await connected());
    for (const gateway of gateways) {
      const opened = await gateway.logged('a client', ({ event }) => event === 'connection_opened');
      assert.equal(opened.address, '127.0.0.77');
    }
    const [leaving] = gateways;
    leaving.signal('SIGTERM');
    // Until the second check has failed, which is within drain.delay.
    for (const end = Date.now() + 1_500; Date.now() < end; await sleep(50)) clients.push(await connected());
    const before = leaving.log.filter(({ event }) => event === 'connection_opened').length;
    for (let i = 0; i < 8; ++i) clients.push(await connected());
    assert.ok(clients.every(Boolean));
    assert.equal(leaving.log.filter(({ event }) => event === 'connection_opened').length, before, 'new clients go to the other');
    for (const client of clients) client.close();
    await within('the gateway to end', leaving.ended, 10_000 * patience);
    for (const gateway of gateways) {
      assert.deepEqual(gateway.log.filter(({ event }) => event === 'connection_refused'), [], 'the checks are none of its clients');
    }
  });
});
