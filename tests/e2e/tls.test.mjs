// TLS towards clients and towards backends, the PROXY protocol and Unix sockets, with clients, servers and
// a load balancer that others wrote.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import tls from 'node:tls';
import { WebSocketServer } from 'ws';
import { rawBackend, wsBackend } from './harness/backends.mjs';
import { atEnd } from './harness/ending.mjs';
import { freePort, gatehouse, policyOf, startGateway, writePolicy } from './harness/gateway.mjs';
import { startHaproxy } from './harness/haproxy.mjs';
import { scrape } from './harness/metrics.mjs';
import {
  ca, certificates, client, echoes, files, handshake, refusal, secureGateway, stranger, urlOf,
} from './harness/secure.mjs';
import { sleep, until, within } from './harness/wait.mjs';
import { connect, upgradeRequest } from './harness/wire.mjs';

describe('a listener with TLS', () => {
  test('is spoken to by a WebSocket client, and the backend hears that it was https', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await secureGateway(t, { backend: backend.port });
    const socket = await client(t, urlOf(gateway));
    await echoes(socket);
    const large = 'x'.repeat(60_000);
    await echoes(socket, large);
    assert.deepEqual(backend.requests[0].fields['x-forwarded-proto'], ['https']);
    socket.close(4000, 'done');
    assert.equal((await backend.closed()).code, 4000);
  });

  test('believes X-Forwarded-Proto from a trusted proxy all the same', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await secureGateway(t, { backend: backend.port, trusted_proxies: ['127.0.0.0/8'] });
    await client(t, urlOf(gateway), { headers: { 'X-Forwarded-Proto': 'http' } });
    await client(t, urlOf(gateway));
    assert.deepEqual(backend.requests.map(({ fields }) => fields['x-forwarded-proto'][0]), ['http', 'https']);
  });

  test('speaks http/1.1 by ALPN or without it, and refuses who speaks only another', async (t) => {
    const gateway = await secureGateway(t, { backend: await freePort() });
    assert.equal((await handshake(t, gateway.port, { ALPNProtocols: ['h2', 'http/1.1'] })).protocol, 'http/1.1');
    assert.equal((await handshake(t, gateway.port)).protocol, false);
    const { message: why } = await handshake(t, gateway.port, { ALPNProtocols: ['h2'] });
    assert.match(why, /no application protocol/);
  });

  test('shows the certificate of the name that is asked for, else the first', async (t) => {
    const gateway = await secureGateway(t, { backend: await freePort() });
    const shown = async (servername) =>
      (await handshake(t, gateway.port, { servername, rejectUnauthorized: false })).socket.getPeerCertificate().subjectaltname;
    const first = 'DNS:chat.test, IP Address:127.0.0.1';
    const second = 'DNS:other.test, DNS:*.apps.test';
    assert.equal(await shown('chat.test'), first);
    assert.equal(await shown('other.test'), second);
    assert.equal(await shown('OTHER.test'), second);
    assert.equal(await shown('a.apps.test'), second);
    for (const name of ['', 'apps.test', 'b.a.apps.test', 'elsewhere.test']) assert.equal(await shown(name), first, name);
  });

  test('resumes sessions on any of its workers', async (t) => {
    const gateway = await secureGateway(t, { backend: await freePort() });
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const options = { minVersion: version, maxVersion: version };
      const { socket, peer } = await handshake(t, gateway.port, options);
      const session = new Promise((resolve) => socket.once('session', resolve));
      peer.send(upgradeRequest({ target: '/nowhere' }));
      const ticket = version === 'TLSv1.3' ? await within('a ticket', session) : socket.getSession();
      for (let i = 0; i < 8; ++i) {
        const again = await handshake(t, gateway.port, { ...options, session: ticket });
        assert.ok(again.socket.isSessionReused(), `${version}, ${i}`);
      }
    }
  });

  test('asks for certificates of clients where the policy says so', async (t) => {
    const backend = await wsBackend(t);
    const good = ca.sign('DNS:client');
    const bad = stranger.sign('DNS:client');
    const expired = ca.sign('DNS:client', { days: -1 });
    const required = await secureGateway(t, { backend: backend.port, more: { client_ca: 'ca.crt', client_auth: 'require' } });
    await echoes(await client(t, urlOf(required), good));
    for (const shown of [{}, bad, expired]) await assert.rejects(client(t, urlOf(required), shown));
    const details = () => required.log.filter((line) => line.reason === 'tls_failed').map((line) => line.detail);
    await until('three refusals', () => details().length === 3);
    assert.deepEqual(details().sort(), ['certificate has expired', 'peer did not return a certificate',
      'unable to get local issuer certificate']);
    const requested = await secureGateway(t, { backend: backend.port, more: { client_ca: 'ca.crt', client_auth: 'request' } });
    await echoes(await client(t, urlOf(requested), good));
    await echoes(await client(t, urlOf(requested)));
    await assert.rejects(client(t, urlOf(requested), bad));
  });

  test('looks at the certificate of a client each time, and resumes nothing', async (t) => {
    const gateway = await secureGateway(t, { backend: await freePort(), more: { client_ca: 'ca.crt', client_auth: 'require' } });
    const options = { ...ca.sign('DNS:client'), minVersion: 'TLSv1.3' };
    const { socket, peer } = await handshake(t, gateway.port, options);
    let tickets = 0;
    socket.on('session', () => { ++tickets; });
    peer.send(upgradeRequest({ target: '/nowhere' }));
    assert.equal((await peer.head()).status, 404);
    assert.equal(tickets, 0);
    const older = { ...ca.sign('DNS:client'), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' };
    const session = (await handshake(t, gateway.port, older)).socket.getSession();
    assert.equal((await handshake(t, gateway.port, { ...older, session })).socket.isSessionReused(), false);
  });

  test('does not resume for a listener that asks for a certificate what was begun at one that does not', async (t) => {
    const open = await freePort();
    const gateway = await startGateway(t, (its) => ({
      listen: [{ address: `127.0.0.1:${open}`, tls: { certificates } },
        { address: `127.0.0.1:${its.port}`, tls: { certificates, client_ca: 'ca.crt' } }],
      admin: { address: `127.0.0.1:${its.adminPort}` },
      ...policyOf({ backend: 1 }),
    }), { files });
    const options = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' };
    const session = (await handshake(t, open, options)).socket.getSession();
    assert.ok((await handshake(t, open, { ...options, session })).socket.isSessionReused());
    assert.ok((await handshake(t, gateway.port, { ...options, session })).error);
  });

  test('says nothing that a client said when a handshake fails', async (t) => {
    const gateway = await secureGateway(t, { backend: await freePort() });
    const peer = await connect(gateway.port);
    peer.send('GET /secret-path HTTP/1.1\r\nHost: a\r\n\r\n');
    await peer.end();
    assert.equal((await refusal(gateway, 'tls_failed')).detail, 'http request');
    assert.doesNotMatch(gateway.output, /secret-path/);
    (await connect(gateway.port)).destroy();  // a check of the port is not worth a line
    await sleep(50);
    assert.equal(gateway.log.filter((line) => line.event === 'connection_refused').length, 1);
  });

  test('holds at most 20 KiB for a connection that is idle, also after a long message', {
    skip: process.env.GATEHOUSE_SANITIZED && 'a sanitizer holds memory of its own',
  }, async (t) => {
    const backend = await wsBackend(t);
    const gateway = await secureGateway(t, { backend: backend.port, workers: 1, route: { max_message: '1MiB' } });
    const open = async (count) => {
      for (let i = 0; i < count; ++i) await echoes(await client(t, urlOf(gateway)), 'x'.repeat(65_536));
    };
    await open(50);
    const before = gateway.residentKib();
    await open(150);
    const each = (gateway.residentKib() - before) / 150;
    assert.ok(each <= 20, `${each} KiB for a client and its backend`);
  });
});

describe('a backend with TLS', () => {
  async function secureBackend(t, { cert, key }, port = 0) {
    const server = https.createServer({ cert, key }, (_, response) => response.writeHead(426).end());
    const seen = { names: [], hellos: 0 };
    server.on('secureConnection', (socket) => seen.names.push(socket.servername));
    server.on('connection', () => { seen.hellos += 1; });
    const websockets = new WebSocketServer({ server });
    websockets.on('connection', (socket) => socket.on('message', (payload, binary) => socket.send(payload, { binary })));
    await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
    atEnd(t, () => {
      for (const socket of websockets.clients) socket.terminate();
      server.closeAllConnections();
      server.close();
    });
    return { port: server.address().port, seen };
  }
  const gatewayTo = (t, port, ours, { host = '127.0.0.1', ...more } = {}) => startGateway(t, {
    servers: [`wss://${host}:${port}`], backendMore: { tls: ours, ...more },
  }, { files });
  const plain = (t, gateway) => client(t, gateway.url());

  test('is believed by its address or its name', async (t) => {
    const backend = await secureBackend(t, ca.sign('IP:127.0.0.1'));
    const socket = await plain(t, await gatewayTo(t, backend.port, { ca: 'ca.crt' }));
    await echoes(socket);
    await echoes(socket, 'x'.repeat(60_000));
    assert.deepEqual(backend.seen.names, [false], 'an address is no name');
    const named = await secureBackend(t, ca.sign('DNS:chat.internal'));
    await echoes(await plain(t, await gatewayTo(t, named.port, { ca: 'ca.crt', server_name: 'chat.internal' })));
    assert.deepEqual(named.seen.names, ['chat.internal']);
    const local = await secureBackend(t, ca.sign('DNS:localhost'));
    await echoes(await plain(t, await gatewayTo(t, local.port, { ca: 'ca.crt' }, { host: 'localhost' })));
    assert.deepEqual(local.seen.names, ['localhost']);
  });

  test('that has a certificate of somebody else, of another name, or one that is over, is 502', async (t) => {
    for (const [certificate, ours, why] of [
      [stranger.sign('IP:127.0.0.1'), { ca: 'ca.crt' }, 'unable to get local issuer certificate'],
      [ca.sign('IP:127.0.0.1'), undefined, 'unable to get local issuer certificate'],
      [ca.sign('IP:127.0.0.1', { days: -1 }), { ca: 'ca.crt' }, 'certificate has expired'],
      [ca.sign('IP:127.0.0.2,DNS:localhost'), { ca: 'ca.crt' }, 'IP address mismatch'],
      [ca.sign('DNS:chat.internal'), { ca: 'ca.crt', server_name: 'other.internal' }, 'hostname mismatch'],
    ]) {
      const backend = await secureBackend(t, certificate);
      const gateway = await gatewayTo(t, backend.port, ours);
      await assert.rejects(plain(t, gateway), { status: 502 }, why);
      assert.equal((await refusal(gateway, 'backend_insecure')).detail, `wss://127.0.0.1:${backend.port}: ${why}`);
    }
  });

  test('that speaks no TLS is 502, and one that says nothing is 504 within connect_timeout', async (t) => {
    const unencrypted = await wsBackend(t);
    const first = await gatewayTo(t, unencrypted.port, { ca: 'ca.crt' });
    await assert.rejects(plain(t, first), { status: 502 });
    await refusal(first, 'backend_insecure');
    const silent = await rawBackend(t, { silent: true, behave: () => {} });
    const second = await gatewayTo(t, silent.port, { ca: 'ca.crt' }, { connect_timeout: '300ms' });
    const began = Date.now();
    await assert.rejects(plain(t, second), { status: 504 });
    assert.ok(Date.now() - began < 2_000);
  });
});

describe('the PROXY protocol', () => {
  // HAProxy in TCP mode in front of the gateway, with `options` on its server line.
  async function haproxy(t, gatewayPort, options) {
    const port = await freePort();
    await startHaproxy(t, `
defaults
  mode tcp
  timeout connect 3s
  timeout client 20s
  timeout server 20s
frontend in
  bind 127.0.0.1:${port}
  default_backend out
backend out
  server gateway 127.0.0.1:${gatewayPort} ${options}
`, port);
    return port;
  }
  const proxied = (t, backend, more = {}) => startGateway(t, (gateway) => ({
    listen: [{ address: `127.0.0.1:${gateway.port}`, proxy_protocol: true, ...more.listener }],
    admin: { address: `127.0.0.1:${gateway.adminPort}` },
    ...policyOf({ backend, trusted_proxies: ['127.0.0.1'], ...more.policy }),
  }), { files });

  for (const [version, options] of [[1, 'send-proxy'], [2, 'send-proxy-v2']]) {
    test(`of version ${version} from HAProxy says who the client is`, async (t) => {
      const backend = await wsBackend(t);
      const gateway = await proxied(t, backend.port);
      const port = await haproxy(t, gateway.port, options);
      await echoes(await client(t, `ws://127.0.0.1:${port}/chat`, { localAddress: '127.0.0.77' }));
      assert.deepEqual(backend.requests[0].fields['x-forwarded-for'], ['127.0.0.77']);
      const opened = await gateway.logged('the connection', (line) => line.event === 'connection_opened');
      assert.equal(opened.address, '127.0.0.77');
    });
  }

  test('comes before TLS, and limits count whom it names', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await proxied(t, backend.port, {
      listener: { tls: { certificates } },
      policy: { route: { limits: { ip: { connections: 1 } } } },
    });
    const port = await haproxy(t, gateway.port, 'send-proxy-v2');
    const url = `wss://127.0.0.1:${port}/chat`;
    await echoes(await client(t, url, { localAddress: '127.0.0.5' }));
    await echoes(await client(t, url, { localAddress: '127.0.0.6' }));
    await assert.rejects(client(t, url, { localAddress: '127.0.0.6' }), { status: 429 });
  });

  test('is believed from trusted proxies and nobody else', async (t) => {
    const gateway = await proxied(t, await freePort());
    const from = async (localAddress, octets) => {
      const peer = await connect(gateway.port, { localAddress });
      atEnd(t, () => peer.destroy());
      peer.send(octets);
      return peer;
    };
    const header = 'PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\n';
    const request = upgradeRequest({ target: '/nowhere' });
    assert.equal((await (await from('127.0.0.1', header + request)).head()).status, 404);
    // One that names nobody: what stands in the fields may be anybody's.
    const nameless = await from('127.0.0.1', `PROXY UNKNOWN\r\n${upgradeRequest({ target: '/nobody', fields: { 'X-Forwarded-For': '203.0.113.9' } })}`);
    assert.equal((await nameless.head()).status, 404);
    const line = await gateway.logged('the refusal', (one) => one.event === 'connection_refused' && one.path === '/nobody');
    assert.equal(line.address, '127.0.0.1');
    await (await from('127.0.0.9', header + request)).end();
    assert.equal((await refusal(gateway, 'untrusted_proxy')).address, '127.0.0.9');
    await (await from('127.0.0.1', request)).end();
    await refusal(gateway, 'bad_proxy_header');
    assert.equal((await scrape(gateway)).value('gatehouse_handshakes_refused_total', { reason: 'untrusted_proxy' }), 1);
  });

  test('has a deadline', async (t) => {
    const gateway = await proxied(t, await freePort(), { policy: { handshake_timeout: '300ms' } });
    const peer = await connect(gateway.port);
    peer.send('PROXY TCP4 ');
    await peer.end();
    await refusal(gateway, 'proxy_header_too_slow');
  });
});

describe('a Unix socket', () => {
  const listening = (t, path, backend, more = {}) => startGateway(t, (gateway) => ({
    listen: [{ address: `unix:${path}`, ...more }],
    admin: { address: `127.0.0.1:${gateway.adminPort}` },
    ...policyOf({ backend }),
  }), { files });
  const pathOf = (t) => join(writePolicy(t, '').replace('/policy.yaml', ''), 'gatehouse.sock');

  test('is listened on by all workers, for its owner and group', async (t) => {
    const backend = await wsBackend(t);
    const path = pathOf(t);
    const gateway = await listening(t, path, backend.port);
    assert.equal(statSync(path).mode & 0o777, 0o660);
    for (let i = 0; i < 20; ++i) await echoes(await client(t, `ws+unix:${path}:/chat`));
    const opened = gateway.log.filter((line) => line.event === 'connection_opened');
    assert.deepEqual([...new Set(opened.map((line) => line.address))], ['127.0.0.1']);
    const curl = await new Promise((resolve) => execFile('curl', ['-s', '-o', '/dev/null', '-w', '%{http_code}',
      '--unix-socket', path, 'http://localhost/nowhere'], (_, out) => resolve(out)));
    assert.equal(curl, '404');
    await gateway.stop();
    assert.throws(() => statSync(path), 'it is gone with the gateway');
  });

  test('with TLS on it is the same', async (t) => {
    const backend = await wsBackend(t);
    const path = pathOf(t);
    await listening(t, path, backend.port, { tls: { certificates } });
    await echoes(await client(t, 'wss://chat.test/chat', { createConnection: () => tls.connect({ path, ca: ca.cert, servername: 'chat.test' }) }));
  });

  test('that a killed gateway left is taken over, and one that is listened on is not', async (t) => {
    const path = pathOf(t);
    const first = await listening(t, path, 1);
    const second = writePolicy(t, {
      listen: [{ address: `unix:${path}` }], admin: { address: `127.0.0.1:${await freePort()}` }, ...policyOf({ backend: 1 }),
    });
    const taken = await gatehouse(['run', '--policy', second]);
    assert.equal(taken.code, 4);
    assert.match(taken.err, /Address already in use/);
    await first.kill();
    assert.ok(statSync(path).isSocket());
    const again = await listening(t, path, 1);
    await until('it to answer', () => new Promise((resolve) => {
      net.connect(path).once('connect', () => resolve(true)).once('error', () => resolve(false));
    }));
    await again.stop();
    writeFileSync(path, 'a file');
    const file = await gatehouse(['run', '--policy', second]);
    assert.equal(file.code, 4);
    assert.ok(statSync(path).isFile(), 'what is no socket is left alone');
  });
});

test('IPv6 is listened on beside IPv4', async (t) => {
  const backend = await wsBackend(t);
  const gateway = await startGateway(t, (its) => ({
    listen: [{ address: `127.0.0.1:${its.port}` }, { address: `[::1]:${its.port}`, tls: { certificates } }],
    admin: { address: `127.0.0.1:${its.adminPort}` },
    ...policyOf({ backend: backend.port }),
  }), { files });
  await echoes(await client(t, gateway.url()));
  await echoes(await client(t, `wss://[::1]:${gateway.port}/chat`));
  assert.deepEqual(backend.requests.map(({ fields }) => fields['x-forwarded-for'][0]), ['127.0.0.1', '::1']);
});
