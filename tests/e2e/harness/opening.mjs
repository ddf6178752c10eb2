// Many WebSockets of `ws` at once, and how each opening handshake ended.
import WebSocket from 'ws';
import { atEnd } from './ending.mjs';
import { within } from './wait.mjs';

// The socket, or the response that is no 101.
function open(t, url, headers) {
  const socket = new WebSocket(url, { headers });
  atEnd(t, () => socket.terminate());
  return within('an opening handshake to end', new Promise((resolve, reject) => {
    socket.once('open', () => {
      socket.on('error', () => {});
      resolve({ socket });
    });
    socket.once('unexpected-response', (request, response) => {
      request.destroy();
      resolve({ response });
    });
    socket.once('error', reject);
  }));
}

export async function opened(t, urls, headers = {}) {
  const all = await Promise.all(urls.map((url) => open(t, url, headers)));
  return all.map(({ socket, response }) => {
    if (!socket) throw new Error(`the handshake was answered ${response.statusCode}`);
    return socket;
  });
}

// 101, or what `read` makes of the response.
export async function statuses(t, urls, headers = {}, read = ({ statusCode }) => statusCode) {
  const all = await Promise.all(urls.map((url) => open(t, url, headers)));
  return all.map(({ socket, response }) => (socket ? 101 : read(response)));
}
