// What a guide leaves to its reader: whether a token of HS256 is one, with a key that is made once.
import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';

function jsonOf(part) {
  return JSON.parse(Buffer.from(part, 'base64url').toString());
}

// A function of a token that returns its subject, or throws.
export function verifierOf(secret) {
  const key = createSecretKey(Buffer.from(secret));
  return (token) => {
    const [header, claims, signature, ...more] = token.split('.');
    if (signature === undefined || more.length > 0 || jsonOf(header).alg !== 'HS256') {
      throw new Error('not a token of HS256');
    }
    const expected = createHmac('sha256', key).update(`${header}.${claims}`).digest();
    const given = Buffer.from(signature, 'base64url');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new Error('wrong signature');
    }
    const { sub, exp } = jsonOf(claims);
    if (!(exp > Date.now() / 1000)) throw new Error('expired');
    return sub;
  };
}
