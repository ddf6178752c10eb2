// What of TLS a listener refuses, as the openssl command sees it: whatever is refused here is granted to the
// very same command by a server that refuses nothing.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { before, describe, test } from 'node:test';
import { atEnd, suiteContext } from './harness/ending.mjs';
import { freePort, writePolicy } from './harness/gateway.mjs';
import { anything, ca, refusal, sClient, secureGateway } from './harness/secure.mjs';
import { until, within } from './harness/wait.mjs';
import { connect } from './harness/wire.mjs';

// A certificate of each kind: what needs RSA would be refused for the lack of one alone.
const [rsa, ecdsa] = ['rsa', 'ec'].map((kind) => ca.sign('DNS:chat.test,IP:127.0.0.1', { kind }));
const files = { 'rsa.crt': rsa.cert, 'rsa.key': rsa.key, 'ecdsa.crt': ecdsa.cert, 'ecdsa.key': ecdsa.key };
const certificates = [{ certificate: 'rsa.crt', key: 'rsa.key' }, { certificate: 'ecdsa.crt', key: 'ecdsa.key' }];

const lowest = 'ALL:COMPLEMENTOFALL:@SECLEVEL=0';
const suitesOf13 = ['AES_256_GCM_SHA384', 'CHACHA20_POLY1305_SHA256', 'AES_128_GCM_SHA256', 'AES_128_CCM_SHA256',
  'AES_128_CCM_8_SHA256'].map((name) => `TLS_${name}`);
const suitesOf12 = execFileSync('openssl', ['ciphers', '-s', '-tls1_2', lowest], { env: anything, encoding: 'utf8' }).trim().split(':');
const strong12 = ['ECDSA', 'RSA'].flatMap((kind) => ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305']
  .map((cipher) => `ECDHE-${kind}-${cipher}`));

// `openssl s_server`.
async function lenientServer(t) {
  const port = await freePort();
  const folder = dirname(writePolicy(t, '', files));
  const child = spawn('openssl', ['s_server', '-accept', `127.0.0.1:${port}`, '-quiet', '-www', '-cipher', lowest,
    '-ciphersuites', suitesOf13.join(':'), '-groups', 'X25519:P-256:P-384:P-521:X448:ffdhe2048', '-client_renegotiation',
    '-cert', 'rsa.crt', '-key', 'rsa.key', '-dcert', 'ecdsa.crt', '-dkey', 'ecdsa.key'], { cwd: folder, env: anything, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('close', resolve));
  atEnd(t, async () => {
    child.kill();
    await within('openssl s_server to end', ended);
  });
  await until('openssl s_server to listen', () => connect(port).then((peer) => peer.destroy() ?? true, () => false));
  return port;
}

// What the two agree on: { version, cipher }, cipher null for nothing, and all that s_client said.
async function agreed(port, args) {
  const { said } = await sClient(port, ['-servername', 'chat.test', ...args]);
  const [, version, cipher] = /^New, (\S+), Cipher is (\S+)$/m.exec(said) ?? [];
  return { cipher: cipher === '(NONE)' ? null : cipher, version, said };
}

// Of `names` those that are agreed on where nothing else is offered; as many at once as a machine has time for.
async function accepted(port, names, argsOf) {
  const found = [];
  const waiting = [...names];
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (let name = waiting.shift(); name; name = waiting.shift()) {
      if ((await agreed(port, argsOf(name))).cipher) found.push(name);
    }
  }));
  return found.sort();
}

describe('a listener with TLS, by openssl s_client', () => {
  const suite = suiteContext('tls-weak');
  let gateway, lenient;

  before(async () => {
    lenient = await lenientServer(suite);
    gateway = await secureGateway(suite, { backend: 1, more: { certificates }, files });
  });

  test('speaks no protocol older than TLS 1.2', async () => {
    for (const version of ['tls1', 'tls1_1']) {
      const args = [`-${version}`, '-cipher', 'ALL:@SECLEVEL=0'];
      const refused = await agreed(gateway.port, args);
      assert.equal(refused.cipher, null);
      assert.match(refused.said, /alert protocol version/);
      assert.ok((await agreed(lenient, args)).cipher, 'who may speaks it');
    }
    for (const [option, version] of [['tls1_2', 'TLSv1.2'], ['tls1_3', 'TLSv1.3']]) {
      assert.equal((await agreed(gateway.port, [`-${option}`])).version, version);
    }
    assert.equal((await refusal(gateway, 'tls_failed')).detail, 'unsupported protocol');
  });

  test('takes six suites of TLS 1.2, with ephemeral keys and authenticated encryption, and no other that there is', async () => {
    const only = (...names) => ['-tls1_2', '-cipher', `${names.join(':')}:@SECLEVEL=0`];
    assert.deepEqual(await accepted(gateway.port, strong12, only), [...strong12].sort());
    const weak = suitesOf12.filter((name) => !strong12.includes(name));
    assert.ok(weak.length > 50, `${weak.length} others are known to openssl`);
    const { said, cipher } = await agreed(gateway.port, only(...weak));
    assert.equal(cipher, null, 'where all others are offered at once');
    assert.match(said, /alert handshake failure/);
    const granted = ['AES128-SHA', 'AES256-GCM-SHA384', 'DHE-RSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-AES128-SHA',
      'ECDHE-ECDSA-AES128-CCM', 'AECDH-AES128-SHA', 'ECDHE-RSA-NULL-SHA'];
    for (const name of granted) assert.ok(weak.includes(name), name);
    assert.deepEqual(await accepted(lenient, granted, only), [...granted].sort());
  });

  test('takes three suites of TLS 1.3', async () => {
    const only = (name) => ['-tls1_3', '-ciphersuites', name];
    assert.deepEqual(await accepted(gateway.port, suitesOf13, only), suitesOf13.slice(0, 3).sort());
    assert.deepEqual(await accepted(lenient, suitesOf13, only), [...suitesOf13].sort());
  });

  test('agrees on keys by X25519, P-256 and P-384, and signs nothing with SHA-1', async () => {
    const groups = ['X25519', 'P-256', 'P-384', 'P-521', 'X448', 'ffdhe2048'];
    const only = (name) => ['-tls1_3', '-groups', name];
    assert.deepEqual(await accepted(gateway.port, groups, only), groups.slice(0, 3).sort());
    assert.deepEqual(await accepted(lenient, groups, only), [...groups].sort());
    const signature = (name) => ['-tls1_2', '-cipher', 'ALL:@SECLEVEL=0', '-sigalgs', name];
    const names = ['RSA+SHA1', 'ECDSA+SHA1', 'RSA+SHA256', 'ECDSA+SHA256'];
    assert.deepEqual(await accepted(gateway.port, names, signature), ['ECDSA+SHA256', 'RSA+SHA256']);
    assert.deepEqual(await accepted(lenient, names, signature), [...names].sort());
  });

  test('refuses to renegotiate, and to compress', async () => {
    const renegotiated = (port) => sClient(port, ['-tls1_2'], 'R\n');
    const refused = await renegotiated(gateway.port);
    assert.match(refused.said, /RENEGOTIATING/);
    assert.match(refused.said, /no renegotiation/i);
    assert.match(refused.said, /Secure Renegotiation IS supported/, 'by RFC 5746: nobody gets between');
    assert.match((await sClient(gateway.port, ['-tls1_2', '-comp'])).said, /Compression: NONE/);
    const granted = await renegotiated(lenient);
    assert.match(granted.said, /RENEGOTIATING/);
    assert.doesNotMatch(granted.said, /no renegotiation/i);
  });
});
