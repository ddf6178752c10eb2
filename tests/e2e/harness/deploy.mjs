// A command of deploy/ as a child process, as whoever starts it in a terminal has it.
import { execFile, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { atEnd } from './ending.mjs';
import { logFolder, root } from './output.mjs';
import { remember } from './tokens.mjs';
import { until, within } from './wait.mjs';

const buildMs = 15 * 60_000;

export function startCommand(t, command, name) {
  // A terminal's Ctrl-C reaches the whole process group, so it has one of its own.
  const child = spawn(`./deploy/${command}`, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const started = { output: '', child };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (started.output += text));
  started.ended = new Promise((resolve) => child.once('close', (code) => {
    started.code = code;
    resolve(code);
  }));
  started.pressCtrlC = () => process.kill(-child.pid, 'SIGINT');
  atEnd(t, async () => {
    if (started.code === undefined) started.pressCtrlC();
    await within(`${command} to end`, started.ended, 30_000);
    // Its tokens are meant to be read by whoever started it; what the processes say is not.
    const [, said = ''] = started.output.split('Ctrl-C ends everything.');
    createWriteStream(join(logFolder, `${command}-${name}.log`)).end(said);
  });
  return started;
}

// The commands and addresses that it prints, once it is up.
export async function printed(started) {
  await until('the command to print what to do', () => {
    if (started.code !== undefined) throw new Error(`it ended with ${started.code}:\n${started.output}`);
    return started.output.includes('Ctrl-C ends everything');
  }, buildMs);
  const lines = started.output.split('\n').filter((line) => line.startsWith('  ')).map((line) => line.trim());
  for (const line of lines) {
    const [, made] = /^(?:ALICE|BOB)=(.*)$/.exec(line) ?? [];
    if (made) remember(made);
  }
  return lines;
}

// Pasted into another terminal.
export const shell = (script) => new Promise((resolve) => {
  execFile('bash', ['-c', script], { timeout: 20_000 }, (error, out, err) =>
    resolve({ code: error ? error.code : 0, out, err }));
});

export const isSetup = (line) => /^(cd |ALICE=|BOB=)/.test(line);
