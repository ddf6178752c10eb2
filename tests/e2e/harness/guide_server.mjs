// The room server of the guide, as its readers run it: a backend that asks nobody, keeps its rooms, and
// answers joins itself. Who its users are it hears from the gateway. What it got is remembered, octet
// for octet.
import { wsBackend } from './backends.mjs';

export async function guideServer(t) {
  const rooms = new Map();
  const got = [];  // { user, text }

  const broadcast = (room, message) => {
    const data = JSON.stringify(message);
    for (const member of rooms.get(room) ?? []) if (member.readyState === member.OPEN) member.send(data);
  };
  const handlers = {
    join(socket, { room }) {
      if (!rooms.has(room)) rooms.set(room, new Set());
      rooms.get(room).add(socket);
      socket.rooms.add(room);
      socket.send(JSON.stringify({ type: 'joined', room }));
    },
    leave(socket, { room }) {
      rooms.get(room)?.delete(socket);
      socket.rooms.delete(room);
    },
    message(socket, { room, payload }) {
      if (socket.rooms.has(room)) broadcast(room, { type: 'message', room, payload });
    },
  };

  const backend = await wsBackend(t, {
    behave(socket, request) {
      const user = decodeURIComponent(request.headers['x-gatehouse-subject']);
      socket.rooms = new Set();
      socket.on('message', (data) => {
        got.push({ user, text: data.toString() });
        const message = JSON.parse(data.toString());
        handlers[message.type]?.(socket, message);
      });
      socket.on('close', () => {
        for (const room of socket.rooms) rooms.get(room).delete(socket);
      });
    },
  });
  return Object.assign(backend, {
    got,
    members: (room) => rooms.get(room)?.size ?? 0,
    gotFrom: (user) => got.filter((one) => one.user === user).map(({ text }) => text),
  });
}
