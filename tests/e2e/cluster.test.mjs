// ./deploy/cluster as somebody new to it would use it: run it, paste what it prints, press Ctrl-C.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import net from 'node:net';
import { before, describe, test } from 'node:test';
import WebSocket from 'ws';
import { isSetup, printed, shell, startCommand } from './harness/deploy.mjs';
import { atEnd, suiteContext } from './harness/ending.mjs';
import { until, within } from './harness/wait.mjs';

const restartMs = 15_000;

// What is pasted and goes on until its input ends.
class Typist {
  constructor(t, script) {
    this.output = '';
    this.child = spawn('bash', ['-c', script], { stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (text) => (this.output += text));
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
    atEnd(t, async () => {
      this.child.stdin.end();
      await within('the client to end', this.ended);
    });
  }

  type(line) {
    this.child.stdin.write(`${line}\n`);
  }

  sees(line, ms) {
    return until(`"${line}" in\n${this.output}`, () => this.output.split('\n').includes(line), ms);
  }

  get instances() {
    return [...this.output.matchAll(/^in the room lobby, by way of (\w+)$/gm)].map(([, name]) => name);
  }
}

describe('./deploy/cluster', () => {
  const suite = suiteContext('deploy-cluster');
  let cluster, commands, setup;
  const command = (part) => commands.find((line) => line.includes(part));
  const paste = (line) => shell([...setup, line].join('\n'));

  before(async () => {
    cluster = startCommand(suite, 'cluster', 'pasted');
    commands = await printed(cluster);
    setup = commands.filter(isSetup);
    assert.equal(setup.length, 3, cluster.output);
  });

  async function clients(t) {
    const typists = commands.filter((line) => line.includes('room_client.py')).map((line) =>
      new Typist(t, [...setup, `exec ${line}`].join('\n')));
    assert.equal(typists.length, 2);
    await until('both to be in the room', () => typists.every(({ instances }) => instances.length === 1));
    return typists;
  }

  const statuses = async () => {
    const { out } = await paste(command('curl'));
    return Object.fromEntries([...out.matchAll(/^gatehouse,(one|two|three),\d+,(\w+)/gm)].map(([, name, state]) => [name, state]));
  };
  const allUp = () => until('all instances to be up', async () => {
    const all = await statuses();
    return ['one', 'two', 'three'].every((name) => all[name] === 'UP');
  }, restartMs);

  test('two clients are on two instances and hear each other, and any service', async (t) => {
    const [alice, bob] = await clients(t);
    assert.notEqual(alice.instances[0], bob.instances[0]);
    alice.type('good morning');
    bob.type('and to you');
    await paste(command('PUBLISH'));
    for (const one of [alice, bob]) {
      for (const line of ['< alice: good morning', '< bob: and to you', '< cron: it is noon']) await one.sees(line);
    }
  });

  test('the death of an instance is for its own clients to notice, who are on another at once', async (t) => {
    const [alice, bob] = await clients(t);
    const [killed, stays] = alice.instances[0] === 'one' ? [alice, bob] : [bob, alice];
    const victim = killed.instances[0];
    await paste(command('one.pid').replace('one.pid', `${victim}.pid`));
    await until('it to be elsewhere', () => killed.instances.length === 2);
    assert.notEqual(killed.instances[1], victim);
    killed.type('here again');
    for (const one of [killed, stays]) await until('the message', () => one.output.includes(': here again'));
    assert.equal(stays.instances.length, 1);
    await allUp();
  });

  test('without Redis each instance goes on alone, and they are together again when it is back', async (t) => {
    const [alice, bob] = await clients(t);
    const count = (what) => cluster.output.split(what).length;
    const before = count('redis_back');
    await paste(command('redis.pid'));
    await until('it to be missed', () => cluster.output.includes('cluster: redis has ended'));
    alice.type('am I alone?');
    await alice.sees('< alice: am I alone?');
    await until('all to be back', () => count('redis_back') >= before + 3, restartMs);
    alice.type('together');
    for (const one of [alice, bob]) await one.sees('< alice: together');
    assert.ok(!bob.output.includes('am I alone?'));
    assert.deepEqual([alice.instances.length, bob.instances.length], [1, 1]);
  });

  test('the backend is reached by way of every instance', async () => {
    for (let i = 0; i < 3; ++i) {
      const { code, out } = await paste(command('demo_client.py'));
      assert.equal(code, 0, out);
      assert.match(out, /^< good morning$/m);
    }
  });

  test('an instance knows the client by what HAProxy says, and by nothing that the client says', async (t) => {
    const port = Number(/ws:\/\/127\.0\.0\.1:(\d+)/.exec(command('room_client.py'))[1]);
    const [alice] = setup.filter((line) => line.startsWith('ALICE=')).map((line) => line.slice('ALICE='.length));
    const socket = new WebSocket(`ws://127.0.0.1:${port}/rooms`, {
      localAddress: '127.0.0.9', headers: { Authorization: `Bearer ${alice}`, 'X-Forwarded-For': '192.0.2.7' },
    });
    atEnd(t, () => socket.terminate());
    await within('the WebSocket to open', new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)));
    await until('its address in the log', () => /connection_opened .*address="127\.0\.0\.9"/.test(cluster.output));
    assert.ok(!cluster.output.includes('192.0.2.7'));
  });

  test('HAProxy shows the instances', async () => {
    const page = commands.find((line) => line.startsWith('http://'));
    for (const [address, content] of [[page, 'Statistics Report'], [`${page}metrics`, 'haproxy_server_status']]) {
      const response = await fetch(address);
      assert.equal(response.status, 200);
      assert.ok((await response.text()).includes(content));
    }
    await allUp();
  });

  test('Ctrl-C ends all of it', async () => {
    const port = /HAProxy listens on 127\.0\.0\.1:(\d+)/.exec(cluster.output)[1];
    const folder = /cat (.*)\/one\.pid/.exec(command('one.pid'))[1];
    const pids = (await shell(`cat ${folder}/*.pid`)).out.trim().split('\n');
    assert.equal(pids.length, 6);
    cluster.pressCtrlC();
    assert.equal(await within('the cluster to end', cluster.ended, 20_000), 0);
    for (const pid of pids) assert.throws(() => process.kill(Number(pid), 0), { code: 'ESRCH' });
    assert.equal((await shell(`ls ${folder}`)).code, 2, 'its folder is gone');
    await assert.rejects(new Promise((resolve, reject) =>
      net.connect(Number(port), '127.0.0.1').once('connect', resolve).once('error', reject)), /ECONNREFUSED/);
  });
});
