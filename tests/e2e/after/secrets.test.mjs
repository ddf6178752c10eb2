// SECURITY 7: after the whole run, no token that was used is in any output.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { logFolder, secretsFile } from '../harness/output.mjs';
import { secret } from '../harness/tokens.mjs';

// tests/run says whether (nearly) all files ran; after a few of them there is less to be read.
const whole = process.env.GATEHOUSE_WHOLE_RUN === '1';
const least = whole ? { secrets: 100, outputs: 50, octets: 10_000 } : { secrets: 2, outputs: 1, octets: 100 };

test('no output of any gateway or command has a token that was used, whole or its signature', () => {
  const secrets = new Set([secret]);
  for (const line of readFileSync(secretsFile, 'utf8').split('\n')) {
    // Tokens made by hand share trivial segments; from 20 characters on a piece is recognisable.
    for (const piece of [line, line.split('.')[1], line.split('.')[2]]) if (piece?.length >= 20) secrets.add(piece);
  }
  assert.ok(secrets.size >= least.secrets, `the run before this used tokens: ${secrets.size}`);
  const logs = readdirSync(logFolder);
  assert.ok(logs.length >= least.outputs, `the run before this kept its outputs: ${logs.length}`);
  let octets = 0;
  for (const name of logs) {
    const text = readFileSync(join(logFolder, name), 'latin1');
    octets += text.length;
    // Base64url runs are cut out once, so that 10 000 tokens do not mean 10 000 searches.
    const words = new Set(text.match(/[A-Za-z0-9_-]{20,}/g) ?? []);
    for (const word of words) assert.ok(!secrets.has(word), `${name} has a token: ${word.slice(0, 12)}…`);
    for (const word of text.match(/[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g) ?? []) {
      assert.ok(!secrets.has(word), `${name} has a token: ${word.slice(0, 12)}…`);
    }
    assert.equal(text.includes(secret), false, `${name} has the signing secret`);
  }
  assert.ok(octets >= least.octets, `the outputs have something in them: ${octets} octets`);
});
