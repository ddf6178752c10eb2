// The room server of "WebSocket Authentication and Security Patterns" on node `ws`: HS256 token in
// ?token=, rooms that are open unless somebody lists who may join, a token bucket per user. The
// structure is the guide's; what it leaves to the reader (verifyToken) is in token.mjs. The bucket counts,
// but is so large that it never refuses.
// Arguments: PORT SECRET.
import { createRequire } from 'node:module';
import { verifierOf } from './token.mjs';

// One `ws` for all that is written with node here, its version pinned there.
const require = createRequire(new URL('../../e2e/package.json', import.meta.url));
const { WebSocketServer, WebSocket } = require('ws');

const [port, secret] = process.argv.slice(2);
const subjectOf = verifierOf(secret);

class RateLimiter {
  constructor(capacity, refillRate) {
    this.capacity = capacity;
    this.refillRate = refillRate;
    this.buckets = new Map();
  }

  canSend(userId) {
    const now = Date.now();
    let bucket = this.buckets.get(userId);
    if (!bucket) {
      bucket = { tokens: this.capacity, lastRefill: now };
      this.buckets.set(userId, bucket);
    }
    const elapsed = (now - bucket.lastRefill) / 1000;
    bucket.tokens = Math.min(this.capacity, bucket.tokens + elapsed * this.refillRate);
    bucket.lastRefill = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}

const limiter = new RateLimiter(10_000_000, 10_000_000);
const rooms = new Map(); // name -> the sockets in it
const roomPermissions = new Map(); // name -> ids of those who may join; not in it: everyone

function canJoin(userId, room) {
  const allowed = roomPermissions.get(room);
  return !allowed || allowed.includes(userId);
}

function join(socket, room) {
  if (!rooms.has(room)) rooms.set(room, new Set());
  rooms.get(room).add(socket);
  socket.rooms.add(room);
}

function leave(socket, room) {
  const members = rooms.get(room);
  members?.delete(socket);
  if (members?.size === 0) rooms.delete(room);
  socket.rooms.delete(room);
}

function broadcast(room, message) {
  const text = JSON.stringify(message);
  for (const member of rooms.get(room) ?? []) {
    if (member.readyState === WebSocket.OPEN) member.send(text);
  }
}

function onMessage(socket, data) {
  if (!limiter.canSend(socket.userId)) {
    socket.send(JSON.stringify({ type: 'error', message: 'Rate limit exceeded' }));
    return;
  }
  const { type, room, payload } = JSON.parse(data.toString());
  if (type === 'join' && canJoin(socket.userId, room)) {
    join(socket, room);
    socket.send(JSON.stringify({ type: 'joined', room }));
  } else if (type === 'join') {
    socket.send(JSON.stringify({ type: 'error', message: 'Access denied' }));
  } else if (type === 'message' && socket.rooms.has(room)) {
    broadcast(room, { type: 'message', room, payload });
  } else if (type === 'leave') {
    leave(socket, room);
  }
}

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(port), backlog: 4096 });
server.on('connection', (socket, request) => {
  socket.rooms = new Set();
  socket.on('error', () => {});
  try {
    const url = new URL(request.url, `http://${request.headers.host}`);
    socket.userId = subjectOf(url.searchParams.get('token') ?? '');
  } catch {
    socket.close(1008, 'Invalid token');
    return;
  }
  socket.on('message', (data) => onMessage(socket, data));
  socket.on('close', () => { for (const room of socket.rooms) leave(socket, room); });
});
