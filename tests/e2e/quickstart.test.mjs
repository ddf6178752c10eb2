// ./deploy/quickstart as somebody new to it would use it: run it, paste what it prints, press Ctrl-C.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import net from 'node:net';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { atEnd } from './harness/ending.mjs';
import { logFolder, root } from './harness/output.mjs';
import { remember } from './harness/tokens.mjs';
import { until, within } from './harness/wait.mjs';

const buildMs = 15 * 60_000;

function start(t, name) {
  // A terminal's Ctrl-C reaches the whole process group, so it has one of its own.
  const child = spawn('./deploy/quickstart', { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const quickstart = { output: '', child };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (quickstart.output += text));
  quickstart.ended = new Promise((resolve) => child.once('close', (code) => {
    quickstart.code = code;
    resolve(code);
  }));
  quickstart.pressCtrlC = () => process.kill(-child.pid, 'SIGINT');
  atEnd(t, async () => {
    if (quickstart.code === undefined) quickstart.pressCtrlC();
    await within('the quickstart to end', quickstart.ended, 30_000);
    // Its tokens are meant to be read by whoever started it; what the processes say is not.
    const [, said = ''] = quickstart.output.split('Ctrl-C ends everything.');
    createWriteStream(join(logFolder, `quickstart-${name}.log`)).end(said);
  });
  return quickstart;
}

async function ready(quickstart) {
  await until('the quickstart to print what to do', () => {
    if (quickstart.code !== undefined) throw new Error(`it ended with ${quickstart.code}:\n${quickstart.output}`);
    return quickstart.output.includes('Ctrl-C ends everything');
  }, buildMs);
  const commands = quickstart.output.split('\n').filter((line) => line.startsWith('  ')).map((line) => line.trim());
  for (const line of commands) {
    const [, made] = /^(?:ALICE|BOB)=(.*)$/.exec(line) ?? [];
    if (made) remember(made);
  }
  return commands;
}

const shell = (script) => new Promise((resolve) => {
  execFile('bash', ['-c', script], { timeout: 20_000 }, (error, out, err) =>
    resolve({ code: error ? error.code : 0, out, err }));
});

test('the commands that the quickstart prints show accepted and refused clients, and Ctrl-C ends it', async (t) => {
  const quickstart = start(t, 'pasted');
  const commands = await ready(quickstart);
  const setup = commands.filter((line) => /^(cd |ALICE=|BOB=)/.test(line));
  assert.equal(setup.length, 3, quickstart.output);
  const clients = commands.filter((line) => line.includes('demo_client.py'));
  const results = [];
  for (const client of clients) results.push(await shell([...setup, client].join('\n')));
  assert.equal(results.length, 6);
  for (const [i, subject] of ['alice', 'bob', 'alice'].entries()) {
    assert.equal(results[i].code, 0, results[i].out + results[i].err);
    assert.match(results[i].out, /^accepted$/m);
    assert.match(results[i].out, new RegExp(`^< hello, ${subject}$`, 'm'));
  }
  for (const [i, status] of [401, 401, 403].entries()) {
    assert.equal(results[i + 3].code, 1);
    assert.match(results[i + 3].out, new RegExp(`^refused: ${status}$`, 'm'));
  }
  const [interactive] = commands.filter((line) => line.includes('-m websockets'));
  const typed = await shell([...setup, `(echo typed; sleep 1) | ${interactive}`].join('\n'));
  assert.match(typed.out, /hello, alice/);
  assert.match(typed.out, /< typed/);
  const seen = quickstart.output.match(/^demo backend: \w+ is here$/gm).map((line) => line.split(' ')[2]);
  assert.deepEqual(seen, ['alice', 'bob', 'alice', 'alice'], 'the backend never hears of those refused');

  quickstart.pressCtrlC();
  assert.equal(await within('the quickstart to end', quickstart.ended, 20_000), 0);
  assert.doesNotMatch(quickstart.output, /Traceback/);
  const [, port] = /listens on 127\.0\.0\.1:(\d+)/.exec(quickstart.output);
  await assert.rejects(new Promise((resolve, reject) =>
    net.connect(Number(port), '127.0.0.1').once('connect', resolve).once('error', reject)), /ECONNREFUSED/);
});

test('two quickstarts at once take other ports', async (t) => {
  const taken = net.createServer();
  await new Promise((resolve) => taken.once('error', resolve).listen(8080, '127.0.0.1', resolve));
  atEnd(t, () => taken.close());
  const quickstart = start(t, 'other-ports');
  const commands = await ready(quickstart);
  const [, port] = /listens on 127\.0\.0\.1:(\d+)/.exec(quickstart.output);
  assert.notEqual(port, '8080');
  const setup = commands.filter((line) => /^(cd |ALICE=|BOB=)/.test(line));
  const { out } = await shell([...setup, commands.find((line) => line.includes('demo_client.py'))].join('\n'));
  assert.match(out, /^accepted$/m);
});
