// What a token says of itself. Reading is not verifying: that is the gateway's.

export function claimsOf(token) {
  const octets = atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(octets, (octet) => octet.charCodeAt(0))));
}

// Half a token is what half an address has.
export function readable(token) {
  try {
    return 'sub' in claimsOf(token);
  } catch {
    return false;
  }
}

// The token with another subject, and the signature that it had: what no gateway may take.
export function renamed(token, subject) {
  const [header, , signature] = token.split('.');
  const octets = new TextEncoder().encode(JSON.stringify({ ...claimsOf(token), sub: subject }));
  const payload = btoa(String.fromCharCode(...octets))
    .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  return [header, payload, signature].join('.');
}

export function describe(token) {
  const { sub, teams, exp } = claimsOf(token);
  const until = new Date(exp * 1000).toLocaleTimeString('en-GB', { timeStyle: 'short' });
  return `Token: subject ${sub}, ${teams ? `teams ${teams.join(', ')}` : 'no teams'}, good until ${until}.`;
}
