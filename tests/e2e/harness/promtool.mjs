// Prometheus's own word on what it would be given.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { join } from 'node:path';
import { root } from './output.mjs';

// `input`: its standard input. { code, out }: 0 if it has nothing to say against it.
export async function promtool(args, input = '') {
  const { stdout } = await promisify(execFile)(join(root, 'tests/promtool'), { timeout: 120_000 });
  return new Promise((resolve) => {
    const child = execFile(stdout.trim(), args, { timeout: 20_000 },
      (error, out, err) => resolve({ code: error ? error.code : 0, out: out + err }));
    child.stdin.end(input);
  });
}
