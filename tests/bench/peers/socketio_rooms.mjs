// Rooms with Socket.IO and its Redis adapter: HS256 token in ?token=, rooms that everyone may join,
// only members may speak. WebSocket alone, no compression, and no heartbeat within a run.
// Arguments: PORT SECRET REDIS_PORT.
import http from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { verifierOf } from './token.mjs';

const [port, secret, redisPort] = process.argv.slice(2);
const subjectOf = verifierOf(secret);

const publisher = new Redis({ host: '127.0.0.1', port: Number(redisPort) });
const server = http.createServer();
const io = new Server(server, {
  adapter: createAdapter(publisher, publisher.duplicate()),
  transports: ['websocket'], perMessageDeflate: false, serveClient: false, pingInterval: 300_000,
});
io.use((socket, next) => {
  try {
    socket.userId = subjectOf(socket.handshake.query.token ?? '');
    next();
  } catch {
    next(new Error('Invalid token'));
  }
});
io.on('connection', (socket) => {
  socket.on('join', (room) => {
    socket.join(room);
    socket.emit('joined', room);
  });
  socket.on('message', (room, payload) => {
    if (socket.rooms.has(room)) io.to(room).emit('message', room, payload);
  });
});
server.listen({ host: '127.0.0.1', port: Number(port), backlog: 4096 });
