// CONTRACT sections 1 and 2: the commands, their exit codes, and a policy that is wrong (SECURITY 16).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { wsBackend } from './harness/backends.mjs';
import { atEnd } from './harness/ending.mjs';
import { ask, freePort, gatehouse, jwt, policyOf, startGateway, users, writePolicy } from './harness/gateway.mjs';
import { binary, root } from './harness/output.mjs';
import { audience, issuer, remember, secret, token } from './harness/tokens.mjs';
import { until } from './harness/wait.mjs';

const good = `version: 1
listen: [ { address: 127.0.0.1:18080 } ]
admin: { address: 127.0.0.1:18081 }
authenticators:
  users:
    jwt:
      issuer: ${issuer}
      audience: [${audience}]
      algorithms: [HS256]
      keys: [ { secret: "${secret}" } ]
    credentials: [ { header: Authorization } ]
backends:
  chat: { servers: ["ws://127.0.0.1:9"] }
routes:
  - path: /chat
    authenticate: [users]
    allow: { claim: plan, in: [pro] }
    backend: chat
`;

const check = async (t, text, options) => gatehouse(['check', '--policy', writePolicy(t, text)], options);

describe('usage', () => {
  test('no command, an unknown one or an unknown option is 2', async () => {
    for (const args of [[], ['serve'], ['run', '--nonsense'], ['check', 'extra'], ['explain'], ['token']]) {
      const { code, err, out } = await gatehouse(args);
      assert.equal(code, 2, args.join(' '));
      assert.match(err + out, /\S/);
    }
  });

  test('every command has --help, and there is a version', async () => {
    for (const command of ['run', 'check', 'explain', 'token', 'healthcheck', 'version']) {
      const { code, out } = await gatehouse([command, '--help']);
      assert.equal(code, 0, command);
      assert.match(out, /\S/);
    }
    const { code, out } = await gatehouse(['--help']);
    assert.equal(code, 0);
    for (const command of ['run', 'check', 'explain', 'token', 'healthcheck', 'version']) assert.ok(out.includes(command));
    const version = await gatehouse(['version']);
    assert.equal(version.code, 0);
    assert.match(version.out, /\d+\.\d+\.\d+/);
  });
});

describe('run', () => {
  test('exits with 4 where the port is taken, also by another gatehouse', async (t) => {
    const server = net.createServer();
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    atEnd(t, () => server.close());
    const admin = await freePort();
    const file = writePolicy(t, policyOf({
      backend: 9, listen: [{ address: `127.0.0.1:${server.address().port}` }], admin: { address: `127.0.0.1:${admin}` },
    }));
    const taken = await gatehouse(['run', '--policy', file]);
    assert.equal(taken.code, 4);
    assert.match(taken.err, new RegExp(`${server.address().port}`));

    const gateway = await startGateway(t, { backend: 9 });
    const second = await gatehouse(['run', '--policy', gateway.file]);
    assert.equal(second.code, 4, 'a second process would take half of the clients');
    const sameAdmin = writePolicy(t, policyOf({
      backend: 9, listen: [{ address: `127.0.0.1:${await freePort()}` }], admin: { address: `127.0.0.1:${gateway.adminPort}` },
    }));
    assert.equal((await gatehouse(['run', '--policy', sameAdmin])).code, 4, 'the admin port');
  });

  test('exits with 1 where the policy is wrong or missing', async (t) => {
    const wrong = await gatehouse(['run', '--policy', writePolicy(t, 'version: 1\n')]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.err + wrong.out, /policy\.yaml/);
    assert.equal((await gatehouse(['run', '--policy', '/nonexistent/policy.yaml'])).code, 1);
  });
});

describe('check', () => {
  test('accepts a good policy', async (t) => {
    const { code, out, err } = await check(t, good);
    assert.equal(code, 0, out + err);
  });

  const wrong = {
    'an unknown key': [good.replace('    backend: chat', '    backnd: chat'), 18, /backnd/],
    'a typo in a rule': [good.replace('allow:', 'alow:'), 17, /alow/],
    'a duplicate key': [`${good}version: 1\n`, 19, /version/],
    'a key twice inside a route': [good.replace('    backend: chat\n', '    backend: chat\n    backend: chat\n'), 19, /backend/],
    'a wrong type': [good.replace('authenticate: [users]', 'authenticate: { a: b }'), 16, /authenticate/],
    'a wrong version': [good.replace('version: 1', 'version: 2'), 1, /version/],
    'an authenticator that is not there': [good.replace('authenticate: [users]', 'authenticate: [usres]'), 16, /usres/],
    'a backend that is not there': [good.replace('backend: chat\n', 'backend: caht\n'), 18, /caht/],
    'a secret that is too short': [good.replace(secret, 'short'), 10, /32/],
    'a variable that is not set': [good.replace(secret, '${NO_SUCH_VARIABLE}'), 10, /NO_SUCH_VARIABLE/],
    'a key without an algorithm that fits': [good.replace('HS256', 'RS256'), 10, /RS256|algorithm|key/],
    'a condition of two kinds': [good.replace('{ claim: plan, in: [pro] }', '{ claim: plan, in: [pro], equals: x }'), 17, /./],
    'no origins where a cookie can authenticate': [good.replace('header: Authorization', 'cookie: access_token'), 15, /origins/],
    'an unsafe duration': [good.replace('    backend: chat', '    stall_timeout: 5 parsecs\n    backend: chat'), 18, /stall_timeout|parsecs/],
    'a path that captures nothing': [good.replace('path: /chat', 'path: "/chat/{}"'), 15, /./],
    'a reserved path': [good.replace('path: /chat', 'path: /_gatehouse/x'), 15, /_gatehouse/],
  };
  for (const [name, [text, line, said]] of Object.entries(wrong)) {
    test(`names the place of ${name}`, async (t) => {
      const { code, out, err } = await check(t, text);
      assert.equal(code, 1);
      const faults = (out + err).split('\n').filter((one) => said.test(one));
      const lines = faults.map((one) => Number(/policy\.yaml:(\d+):\d+: /.exec(one)?.[1]));
      assert.ok(lines.includes(line), out + err);
      assert.equal((out + err).includes(secret), false, 'no secret in an error');
    });
  }

  test('tells all faults at once, one a line', async (t) => {
    const { code, out, err } = await check(t, good.replace('    backend: chat', '    backnd: chat').replace('HS256', 'HS1'));
    assert.equal(code, 1);
    assert.ok((out + err).split('\n').filter((line) => /policy\.yaml:\d+:\d+: /.test(line)).length >= 2, out + err);
  });

  test('says of a key of the contract that is not built yet that it is not built yet', async (t) => {
    const { code, out, err } = await check(t, good.replace('    backend: chat', '    backend: chat\n    http: later'));
    assert.equal(code, 1);
    assert.match(out + err, /'http: later' is not built yet/);
  });

  test('survives what YAML allows: aliases in a bomb, to themselves, depth, many documents, rubbish', async (t) => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]', ...'bcdefghij'.split('').map(
      (name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[i]}`).join(',')}]`)].join('\n');
    for (const text of [`${good}${bomb}\n`, 'a: &a [*a]\n', `version: &v [*v]\n${good}`, `${'['.repeat(20_000)}\n`, `${'a: {'.repeat(3_000)}\n`,
      `${good}---\n${good}`, '\0\0\0', '\ufffe', '- - - -', '', '!!binary x', `${good}? [complex]: key\n`, '%YAML 9.9\n---\n', `version: 1\n${'k: v\n'.repeat(50_000)}`]) {
      const { code } = await check(t, text);
      assert.equal(code, 1, text.slice(0, 30));
    }
  });

  test('replaces variables once, and never in keys', async (t) => {
    const text = good.replace(secret, '${A_SECRET}').replace('ws://127.0.0.1:9', '${SERVER:-ws://127.0.0.1:9}');
    assert.equal((await check(t, text, { env: { A_SECRET: secret } })).code, 0);
    const twice = await check(t, text, { env: { A_SECRET: '${SERVER}' } });
    assert.equal(twice.code, 1, 'what a variable holds is not replaced again: nine octets are too short');
  });
});

describe('the policies that come with it', () => {
  test('are all accepted by check', async () => {
    const folder = join(root, 'deploy', 'policies');
    const examples = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
    assert.ok(examples.length >= 5);
    for (const name of examples) {
      const { code, out, err } = await gatehouse(['check', '--policy', join(folder, name)], { env: { JWT_SECRET: secret, SESSION_SECRET: secret, REDIS_PASSWORD: 'x' } });
      assert.equal(code, 0, `${name}: ${out}${err}`);
    }
  });
});

describe('token', () => {
  test('makes a token that opens, with claims and an end', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, route: { allow: { claim: 'plan', equals: 'pro' } } });
    const make = async (...more) => {
      const { code, out, err } = await gatehouse(
        ['token', '--policy', gateway.file, '--authenticator', 'users', '--subject', 'alice', ...more]);
      assert.equal(code, 0, err);
      return remember(out.trim());
    };
    const made = await make('--claim', 'plan=pro', '--ttl', '10m');
    const [, claims] = made.split('.').map((part) => Buffer.from(part, 'base64url').toString());
    const { iss, sub, exp, iat, plan } = JSON.parse(claims);
    assert.deepEqual([iss, sub, exp - iat, plan], [issuer, 'alice', 600, 'pro']);
    assert.equal((await ask(t, gateway, { token: made })).status, 101);
    assert.equal((await ask(t, gateway, { token: await make() })).status, 403);
  });

  test('says no to an authenticator that is not there', async (t) => {
    const { code, err } = await gatehouse(
      ['token', '--policy', writePolicy(t, good), '--authenticator', 'nobody', '--subject', 'alice']);
    assert.ok([1, 2].includes(code), `${code}`);
    assert.match(err, /nobody/);
  });
});

describe('explain', () => {
  const explain = async (t, policy, args, options) =>
    gatehouse(['explain', '--policy', writePolicy(t, policy), ...args], options);

  test('prints allow with the rule, and exits 0', async (t) => {
    const input = await token({ plan: 'pro' });
    const { code, out } = await explain(t, good, ['--path', '/chat', '--token-file', '-'], { input });
    assert.equal(code, 0, out);
    assert.match(out, /allow/);
    assert.match(out, /policy\.yaml:1[4-8]/);
    assert.equal(out.includes(input), false);
  });

  test('prints deny with what decided, and exits 3', async (t) => {
    const free = await explain(t, good, ['--path', '/chat', '--token-file', '-'], { input: await token({ plan: 'free' }) });
    assert.equal(free.code, 3);
    assert.match(free.out, /deny/);
    assert.match(free.out, /plan/);
    assert.match(free.out, /policy\.yaml:17/);
    const nowhere = await explain(t, good, ['--path', '/nowhere'], {});
    assert.equal(nowhere.code, 3);
    const none = await explain(t, good, ['--path', '/chat'], {});
    assert.equal(none.code, 3);
    const bad = await explain(t, good, ['--path', '/chat', '--token-file', '-'], { input: 'rubbish' });
    assert.equal(bad.code, 3);
  });

  test('asks for host and Origin as the server does', async (t) => {
    const policy = good.replace('path: /chat', 'path: /chat\n    hosts: [chat.example.com]\n    origins: ["https://app.example.com"]');
    const input = await token({ plan: 'pro' });
    const codeOf = async (...args) => (await explain(t, policy, ['--path', '/chat', '--token-file', '-', ...args], { input })).code;
    assert.equal(await codeOf('--host', 'chat.example.com', '--origin', 'https://app.example.com'), 0);
    assert.equal(await codeOf('--host', 'evil.example.com', '--origin', 'https://app.example.com'), 3);
    assert.equal(await codeOf('--host', 'chat.example.com', '--origin', 'https://evil.example'), 3);
  });
});

describe('descriptors', () => {
  test('max_connections is lowered with one warning to what the descriptor limit allows', async (t) => {
    const backend = await wsBackend(t);
    const port = await freePort();
    const file = writePolicy(t, policyOf({
      backend: backend.port, listen: [{ address: `127.0.0.1:${port}` }], admin: { address: `127.0.0.1:${await freePort()}` },
      max_connections: 100_000, workers: 1,
    }));
    const child = spawn('bash', ['-c', 'ulimit -n 300; exec "$0" run --policy "$1"', binary, file]);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    const ended = new Promise((resolve) => child.once('close', resolve));
    atEnd(t, async () => { child.kill('SIGTERM'); assert.equal(await ended, 0); });
    await until('the gateway to listen', async () =>
      (await ask(t, { port }, { token: await token() }).catch(() => ({}))).status === 101);
    const warnings = () => output.split('\n').filter((line) => /max_connections_lowered/.test(line));
    await until('the warning', () => warnings().length > 0);
    const statuses = [];
    for (let i = 0; i < 150; ++i) statuses.push((await ask(t, { port }, { token: await token() })).status);
    assert.ok(statuses.includes(101));
    assert.ok(statuses.every((status) => status === 101 || status === 503), `${new Set(statuses)}`);
    assert.ok(statuses.includes(503));
    assert.equal(warnings().length, 1, output);
  });
});
