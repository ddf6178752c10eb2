// Certificates from the openssl command, in a folder that is gone after the test.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from './ending.mjs';

const newKey = { ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], rsa: ['-newkey', 'rsa:2048'] };

// An authority. `sign(names, { days, kind })` gives { cert, key } in PEM of a certificate with these
// subjectAltNames; a `days` of -1 has ended yesterday. `kind`: of its key.
export function authority(t, name = 'authority') {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-e2e-ca-'));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  openssl('req', '-x509', ...newKey.ec, '-nodes', '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', `/CN=${name}`, '-days', '2');
  let made = 0;
  return {
    cert: readFileSync(join(folder, 'ca.crt'), 'utf8'),
    sign(names, { days = 2, kind = 'ec' } = {}) {
      const stem = `${++made}`;
      openssl('req', ...newKey[kind], '-nodes', '-keyout', `${stem}.key`, '-out', `${stem}.csr`, '-subj', `/CN=${name} ${stem}`,
        '-addext', `subjectAltName=${names}`);
      openssl('x509', '-req', '-in', `${stem}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-days', `${days}`,
        '-copy_extensions', 'copy', '-out', `${stem}.crt`);
      return { cert: readFileSync(join(folder, `${stem}.crt`), 'utf8'), key: readFileSync(join(folder, `${stem}.key`), 'utf8') };
    },
  };
}
