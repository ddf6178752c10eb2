// A TCP link on which everything takes its time, in both directions and in order.
import net from 'node:net';
import { atEnd } from './ending.mjs';

// The port of a listener whose connections end at `port`, `ms` away.
export async function startSlowLink(t, port, ms) {
  const sockets = new Set();
  const pass = (from, to) => {
    sockets.add(from);
    from.on('data', (octets) => setTimeout(() => to.write(octets), ms));
    from.on('error', () => {});
    from.on('close', () => {
      sockets.delete(from);
      setTimeout(() => to.destroy(), ms);
    });
  };
  const server = net.createServer({ noDelay: true }, (near) => {
    const far = net.connect({ port, host: '127.0.0.1', noDelay: true });
    pass(near, far);
    pass(far, near);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(t, () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return server.address().port;
}
