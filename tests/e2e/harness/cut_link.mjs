// A TCP link that can be cut: what is on it is lost, and nobody gets through until it is mended.
import net from 'node:net';
import { atEnd } from './ending.mjs';

// A listener whose connections end at `port`: { port, cut(), mend() }.
export async function startCutLink(t, port) {
  const sockets = new Set();
  let whole = true;
  const pass = (from, to) => {
    sockets.add(from);
    from.on('data', (octets) => to.write(octets));
    from.on('error', () => {});
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
  };
  const server = net.createServer({ noDelay: true }, (near) => {
    if (!whole) return near.destroy();
    const far = net.connect({ port, host: '127.0.0.1', noDelay: true });
    pass(near, far);
    return pass(far, near);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const link = {
    port: server.address().port,
    cut() {
      whole = false;
      for (const socket of sockets) socket.destroy();
    },
    mend() {
      whole = true;
    },
  };
  atEnd(t, () => {
    server.close();
    link.cut();
  });
  return link;
}
