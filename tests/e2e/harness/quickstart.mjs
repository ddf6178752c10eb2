// ./deploy/quickstart as a child process, as whoever starts it in a terminal has it.
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { atEnd } from './ending.mjs';
import { logFolder, root } from './output.mjs';
import { remember } from './tokens.mjs';
import { until, within } from './wait.mjs';

const buildMs = 15 * 60_000;

export function startQuickstart(t, name) {
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

// The commands and addresses that it prints, once it is up.
export async function printed(quickstart) {
  await until('the quickstart to print what to do', () => {
    if (quickstart.code !== undefined) throw new Error(`it ended with ${quickstart.code}:\n${quickstart.output}`);
    return quickstart.output.includes('Ctrl-C ends everything');
  }, buildMs);
  const lines = quickstart.output.split('\n').filter((line) => line.startsWith('  ')).map((line) => line.trim());
  for (const line of lines) {
    const [, made] = /^(?:ALICE|BOB)=(.*)$/.exec(line) ?? [];
    if (made) remember(made);
  }
  return lines;
}
