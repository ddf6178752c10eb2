// Certificates are exchanged by a reload, under traffic: whoever is there stays, and whoever comes sees the
// old one or the new one.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { wsBackend } from './harness/backends.mjs';
import { authority } from './harness/certificates.mjs';
import { atEnd, suiteContext } from './harness/ending.mjs';
import { startGateway } from './harness/gateway.mjs';
import { ca, client, echoes, files, handshake, secureGateway, urlOf } from './harness/secure.mjs';
import { patience, sleep, until, within } from './harness/wait.mjs';
import { upgradeRequest } from './harness/wire.mjs';

const suite = suiteContext('tls-exchange');
const nextAuthority = authority(suite, 'next');

const write = (gateway, name, text) => writeFileSync(join(dirname(gateway.file), name), text);

function exchange(gateway, stem, { cert, key }) {
  write(gateway, `${stem}.crt`, cert);
  write(gateway, `${stem}.key`, key);
}

async function reload(gateway) {
  const { status, body } = await gateway.admin('/v1/reload', { method: 'POST' });
  return { status, ...JSON.parse(body) };
}

async function reloaded(gateway) {
  const answer = await reload(gateway);
  assert.equal(answer.status, 200, JSON.stringify(answer));
  assert.equal(answer.reloaded, true);
}

// The serial number of what is shown, which is verified by `its`; with the options of a handshake.
async function shown(t, gateway, { ca: its = ca.cert, ...options } = {}) {
  const { error, socket } = await handshake(t, gateway.port, { ca: its, ...options });
  assert.equal(error, undefined);
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

// Says 1, 2, 3 … each after the one before has come back, until stop(): how many did.
function talk(socket) {
  let stopped = false;
  const over = (async () => {
    let number = 0;
    for (; !stopped; await sleep(5)) await echoes(socket, `${++number}`);
    return number;
  })();
  over.catch(() => {});  // who stops it is told
  return () => {
    stopped = true;
    return over;
  };
}

describe('certificates that are exchanged', () => {
  for (const how of ['POST', 'SIGHUP']) {
    test(`by ${how}, under traffic: nobody is dropped, and whoever comes sees the old or the new, which counts from the answer on`, async (t) => {
      const backend = await wsBackend(t);
      const gateway = await secureGateway(t, { backend: backend.port });
      const sockets = [];
      for (let i = 0; i < 60; ++i) sockets.push(await client(t, urlOf(gateway)));
      const talks = sockets.map(talk);
      const seen = [];  // { servername, serial }, by those who come all the time
      let coming = true;
      const comers = ['chat.test', 'other.test'].map(async (servername) => {
        for (; coming; await sleep(2)) seen.push({ servername, serial: await shown(t, gateway, { servername }) });
      });
      const known = { 'chat.test': [await shown(t, gateway)], 'other.test': [await shown(t, gateway, { servername: 'other.test' })] };
      for (let turn = 0; turn < 5; ++turn) {
        exchange(gateway, 'own', ca.sign('DNS:chat.test,IP:127.0.0.1'));
        exchange(gateway, 'other', ca.sign('DNS:other.test'));
        if (how === 'POST') {
          await reloaded(gateway);
        } else {
          process.kill(gateway.pid, 'SIGHUP');
          await until('the reload', () => gateway.log.filter(({ event }) => event === 'policy_reloaded').length === turn + 1);
        }
        for (const servername of ['chat.test', 'other.test']) {
          const serial = await shown(t, gateway, { servername });
          assert.ok(!known[servername].includes(serial), 'a new one');
          // On every worker.
          for (let i = 0; i < 12; ++i) assert.equal(await shown(t, gateway, { servername }), serial);
          known[servername].push(serial);
        }
        await echoes(await client(t, urlOf(gateway)));
      }
      coming = false;
      await within('the last who come', Promise.all(comers));
      for (const { servername, serial } of seen) assert.ok(known[servername].includes(serial), 'of those that there were');
      assert.ok(new Set(seen.map(({ serial }) => serial)).size >= 6, 'they came all the time');
      const numbers = await within('the last echoes', Promise.all(talks.map((stop) => stop())), 10_000 * patience);
      assert.ok(numbers.every((number) => number > 5), `${numbers}`);
      assert.ok(sockets.every(({ readyState, OPEN }) => readyState === OPEN));
      t.diagnostic(`${seen.length} handshakes came through 5 exchanges, and ${numbers.reduce((sum, one) => sum + one)} echoes`);
    });
  }

  test('by those of another authority are verified by it, and sessions go on being resumed', async (t) => {
    const gateway = await secureGateway(t, { backend: 1 });
    const { socket, peer } = await handshake(t, gateway.port, { minVersion: 'TLSv1.3' });
    const ticket = new Promise((resolve) => socket.once('session', resolve));
    peer.send(upgradeRequest({ target: '/nowhere' }));
    const session = await within('a ticket', ticket);
    exchange(gateway, 'own', nextAuthority.sign('DNS:chat.test'));
    await reloaded(gateway);
    assert.equal((await handshake(t, gateway.port)).error, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    await shown(t, gateway, { ca: nextAuthority.cert });
    assert.ok((await handshake(t, gateway.port, { session })).socket.isSessionReused());
  });

  test('for such as do not fit are not: the reload is refused by line, and the old ones are shown', async (t) => {
    const gateway = await secureGateway(t, { backend: 1 });
    const before = await shown(t, gateway);
    for (const [name, text, why] of [
      ['own.key', ca.sign('DNS:chat.test').key, /not the key of the certificate/],
      ['own.crt', 'no certificate', /no certificate in PEM/],
      ['own.crt', '', /no certificate in PEM/],
    ]) {
      write(gateway, name, text);
      const { status, faults } = await reload(gateway);
      assert.equal(status, 422);
      const line = readFileSync(gateway.file, 'utf8').split('\n').findIndex((one) => one.includes(name)) + 1;
      assert.equal(faults[0].line, line);
      assert.match(faults[0].message, why);
      assert.equal(await shown(t, gateway), before);
      write(gateway, name, files[name]);
    }
    await reloaded(gateway);
    assert.equal(await shown(t, gateway), before);
  });

  test('as the authority of clients: of the new one they are let in, of the old one no more, and who is in stays', async (t) => {
    const backend = await wsBackend(t);
    const gateway = await secureGateway(t, { backend: backend.port, more: { client_ca: 'ca.crt', client_auth: 'require' } });
    const [old, next] = [ca.sign('DNS:client'), nextAuthority.sign('DNS:client')];
    const settled = await client(t, urlOf(gateway), old);
    await assert.rejects(client(t, urlOf(gateway), next));
    write(gateway, 'ca.crt', nextAuthority.cert);
    await reloaded(gateway);
    await echoes(await client(t, urlOf(gateway), next));
    await assert.rejects(client(t, urlOf(gateway), old));
    await echoes(settled);
  });

  test('as the authority of a backend: the next connection to it is verified by the new one', async (t) => {
    const server = https.createServer(nextAuthority.sign('IP:127.0.0.1'));
    const websockets = new WebSocketServer({ server });
    websockets.on('connection', (socket) => socket.on('message', (text) => socket.send(text.toString())));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    atEnd(t, () => {
      for (const socket of websockets.clients) socket.terminate();
      server.close();
    });
    const gateway = await startGateway(t, {
      servers: [`wss://127.0.0.1:${server.address().port}`], backendMore: { tls: { ca: 'ca.crt' } },
    }, { files });
    await assert.rejects(client(t, gateway.url()), { status: 502 });
    write(gateway, 'ca.crt', nextAuthority.cert);
    await reloaded(gateway);
    // A server that failed is passed by for 5 s, where there is another.
    const settled = await client(t, gateway.url());
    await echoes(settled);
    write(gateway, 'ca.crt', ca.cert);
    await reloaded(gateway);
    await assert.rejects(client(t, gateway.url()), { status: 502 });
    await echoes(settled);
  });
});
