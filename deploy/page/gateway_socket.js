// Opening a WebSocket to the gateway, and its end in words.

const closeMeanings = new Map([
  [1000, 'closed as asked'],
  [1001, 'the gateway stops'],
  [1006, 'the connection was lost'],
  [1008, 'too many errors, or another breach of the policy'],
  [1009, 'the message was too big'],
  [1011, 'a fault of the gateway'],
  [1012, 'the gateway drains'],
  [1013, 'this page reads too slowly'],
  [4401, 'the token is at its end'],
  [4408, 'no pong in time'],
  [4410, 'the token was revoked'],
]);

// A browser sets no Authorization field, but it does offer subprotocols: one carries the token. It
// wants one of those that it offered in the answer, so another goes with it.
export function openSocket(url, token) {
  return new WebSocket(url, token ? ['rooms', `bearer.${token}`] : ['rooms']);
}

export function describeClose({ code, reason }) {
  const said = reason ? ` "${reason}"` : '';
  return `closed with ${code}${said}: ${closeMeanings.get(code) ?? 'see the README'}`;
}

export const refusal =
  'Refused, or no gateway there: a browser tells a page only that there is no connection.';
