// Backends that know no authentication and remember what they got.
import http from 'node:http';
import net from 'node:net';
import { WebSocketServer } from 'ws';
import { atEnd } from './ending.mjs';
import { until } from './wait.mjs';
import { Peer, acceptOf } from './wire.mjs';

async function listen(server, port = 0) {
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return server.address().port;
}

// A `ws` server. Remembers every request head, message and close; `behave(socket, request)` may do
// more, and without one messages are echoed.
export async function wsBackend(t, { behave = echo, handleProtocols, port } = {}) {
  const backend = { requests: [], messages: [], closes: [], sockets: [], octets: 0 };
  const server = http.createServer({ maxHeaderSize: 64 * 1024 }, (request, response) => {
    backend.requests.push(headOf(request));
    response.writeHead(426).end();
  });
  server.on('connection', (socket) => {
    socket.on('data', (chunk) => (backend.octets += chunk.length));
    socket.on('error', () => {});
  });
  const websockets = new WebSocketServer({
    server, perMessageDeflate: true, maxPayload: 256 * 1024 * 1024, handleProtocols,
  });
  websockets.on('connection', (socket, request) => {
    backend.requests.push(headOf(request));
    backend.sockets.push(socket);
    socket.on('message', (payload, isBinary) => {
      backend.messages.push(isBinary ? payload : payload.toString());
    });
    socket.on('close', (code, reason) => backend.closes.push({ code, reason: reason.toString() }));
    socket.on('error', () => {});
    behave(socket, request);
  });
  backend.port = await listen(server, port);
  backend.server = server;
  backend.stop = () => {
    for (const socket of websockets.clients) socket.terminate();
    server.closeAllConnections?.();
    server.close();
  };
  atEnd(t, backend.stop);
  backend.opened = (count = 1) => until(`${count} connections at the backend`,
    () => backend.sockets.length >= count && backend.sockets[count - 1]);
  backend.got = (count) => until(`${count} messages at the backend`,
    () => backend.messages.length >= count && backend.messages);
  backend.closed = (count = 1) => until(`${count} closes at the backend`,
    () => backend.closes.length >= count && backend.closes[count - 1]);
  return backend;
}

function echo(socket) {
  socket.on('message', (payload, isBinary) => socket.send(payload, { binary: isBinary }));
}

// { method, url, fields: { name: [values] }, names: as they came }.
function headOf(request) {
  const fields = {};
  const names = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    names.push(request.rawHeaders[i]);
    (fields[request.rawHeaders[i].toLowerCase()] ??= []).push(request.rawHeaders[i + 1]);
  }
  return { method: request.method, url: request.url, fields, names };
}

// A TCP server that remembers every octet; `behave(peer, head)` gets each connection once its first
// head has been read, or at once with `silent`.
export async function rawBackend(t, { behave = acceptUpgrade, silent = false } = {}) {
  const backend = { connections: 0, octets: [], peers: [], heads: [] };
  const server = net.createServer({ allowHalfOpen: true }, async (socket) => {
    backend.connections += 1;
    socket.on('data', (chunk) => backend.octets.push(chunk));
    const peer = new Peer(socket);
    atEnd(t, () => peer.destroy());
    try {
      let head;
      if (!silent) {
        head = await peer.head(60_000);
        backend.heads.push(head);
      }
      await behave(peer, head, backend);
      backend.peers.push(peer);
    } catch {
      peer.destroy();
    }
  });
  backend.port = await listen(server);
  backend.server = server;
  backend.stop = () => {
    for (const peer of backend.peers) peer.destroy();
    server.close();
  };
  atEnd(t, backend.stop);
  backend.text = () => Buffer.concat(backend.octets).toString('latin1');
  backend.opened = (count = 1) => until(`${count} open connections at the raw backend`,
    () => backend.peers.length >= count && backend.peers[count - 1]);
  return backend;
}

// The right answer to an opening request.
export function upgradeAnswer(head, more = '') {
  return 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${acceptOf(head.fields['sec-websocket-key'][0])}\r\n${more}\r\n`;
}

export function acceptUpgrade(peer, head) {
  peer.send(upgradeAnswer(head));
}
