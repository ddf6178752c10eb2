// Bearer tokens made by an independent implementation (jose). Each one made is written down, so that
// after the run every output can be searched for it.
import { appendFileSync } from 'node:fs';
import { SignJWT } from 'jose';
import { secretsFile } from './output.mjs';

export const issuer = 'https://id.example.test/';
export const audience = 'realtime';
export const secret = 'a secret of the tests well over 32 octets';

export const now = () => Date.now() / 1000;

// Remembers what must never be seen in any output.
export function remember(text) {
  appendFileSync(secretsFile, `${text}\n`);
  return text;
}

// claims: what differs from a good token for alice; a claim of undefined is left out. options: alg,
// key, header.
export async function token(claims = {}, { alg = 'HS256', key, header = {} } = {}) {
  const all = {
    iss: issuer, aud: audience, sub: 'alice', iat: Math.floor(now()), exp: Math.floor(now()) + 600,
    ...claims,
  };
  for (const name of Object.keys(all)) if (all[name] === undefined) delete all[name];
  const signed = await new SignJWT(all)
    .setProtectedHeader({ alg, ...header })
    .sign(key ?? new TextEncoder().encode(secret));
  return remember(signed);
}

// Any three segments, whatever is in them: for tokens that no honest library makes.
export function rawToken(header, claims, signature = 'AAAA') {
  const encode = (part) =>
    Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
  return remember(`${encode(header)}.${encode(claims)}.${signature}`);
}
