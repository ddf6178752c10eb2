// A server of JWK Sets that does as the test says, and keys for it.
import http from 'node:http';
import https from 'node:https';
import { exportJWK, generateKeyPair } from 'jose';
import { atEnd } from './ending.mjs';
import { token } from './tokens.mjs';

// A key with its public and private JWK; token(claims) signs one with it.
export async function makeKey(kid, alg = 'ES256') {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const named = { kid, alg, use: 'sig' };
  return {
    jwk: { ...(await exportJWK(publicKey)), ...named },
    privateJwk: { ...(await exportJWK(privateKey)), ...named },
    token: (claims, header = {}) => token(claims, { alg, key: privateKey, header: { kid, ...header } }),
  };
}

export const jwkSet = (...keys) => JSON.stringify({ keys: keys.map((key) => key.jwk) });

// `answer(request, response)` may be replaced at any time; a string is the body of a 200. `tls`: the
// options of an https server. Counts connections and remembers requests.
export async function keyServer(t, answer, { tls, port = 0 } = {}) {
  const server = { answer, requests: [], connections: 0 };
  const handle = (request, response) => {
    server.requests.push({ url: request.url, fields: request.headers });
    if (typeof server.answer === 'function') return server.answer(request, response);
    response.writeHead(200, { 'Content-Type': 'application/json', ...server.fields }).end(server.answer);
  };
  const listener = tls ? https.createServer(tls, handle) : http.createServer(handle);
  listener.on('connection', (socket) => {
    ++server.connections;
    socket.on('error', () => {});
  });
  listener.on('tlsClientError', () => {});
  await new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, '127.0.0.1', resolve);
  });
  server.port = listener.address().port;
  server.origin = `${tls ? 'https' : 'http'}://127.0.0.1:${server.port}`;
  server.url = (path = '/keys') => `${server.origin}${path}`;
  server.stop = () => new Promise((resolve) => {
    listener.closeAllConnections();
    listener.close(resolve);
  });
  atEnd(t, server.stop);
  return server;
}
