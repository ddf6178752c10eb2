// Rooms as the guide's readers know them: HS256 tokens in ?token= with the user in `id`, without issuer
// or audience, and clients that say "join", "leave" and "message".
import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { atEnd } from './ending.mjs';
import { startGateway } from './gateway.mjs';
import { secret, token } from './tokens.mjs';
import { until, within } from './wait.mjs';
import { connect, frame, opcodes, upgradeRequest } from './wire.mjs';

export const guideUsers = {
  jwt: { issuer: 'any', audience: 'any', algorithms: ['HS256'], keys: [{ secret }], subject_claim: 'id' },
  credentials: [{ query: 'token' }],
};

export const guideToken = (id, claims = {}) =>
  token({ iss: undefined, aud: undefined, sub: undefined, id, ...claims });

export const open = (match) => ({ match, join: 'everyone', publish: 'everyone' });

// Four workers and one route, for every path; without a backend the gateway itself keeps the rooms.
export function startRooms(t, { rooms = [open('lobby')], backend, route = {}, routes, ...top } = {}) {
  const ownRoute = { path: '/*', authenticate: ['users'], rooms, ...(backend && { backend: 'chat', messages: 'rooms' }), ...route };
  return startGateway(t, {
    authenticators: { users: guideUsers },
    ...(backend ? { backend } : { backends: {} }),
    routes: routes ?? [ownRoute],
    ...top,
  });
}

// A client on node `ws` that keeps what it gets until it is asked for it.
export class RoomClient {
  constructor(socket, id) {
    this.socket = socket;
    this.id = id;
    this.inbox = [];  // what came and was not taken: objects, or text that is no JSON
    this.asked = 0;
    socket.on('message', (payload, isBinary) => this.inbox.push(isBinary ? payload : read(payload.toString())));
    this.ended = new Promise((resolve) => socket.once('close', (code, reason) => {
      this.close = { code, reason: reason.toString() };
      resolve(this.close);
    }));
  }

  // Text as it is, anything else as JSON.
  say(...messages) {
    for (const message of messages) this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    return this;
  }

  // What came first and was not taken.
  async next(what = 'a message') {
    await until(`${what} for ${this.id}`, () => {
      if (this.inbox.length) return true;
      if (this.close) throw new Error(`${this.id} was closed with ${this.close.code} while waiting for ${what}`);
      return false;
    });
    return this.inbox.shift();
  }

  async expect(...messages) {
    for (const message of messages) assert.deepEqual(await this.next(JSON.stringify(message)), message);
  }

  async join(...rooms) {
    for (const room of rooms) {
      this.say({ type: 'join', room });
      await this.expect({ type: 'joined', room });
    }
    return this;
  }

  // Everything that came before the answer to a question asked now. On routes that answer leaves.
  async before() {
    const id = `asked-${++this.asked}`;
    this.say({ type: 'leave', room: 'a room of nobody', id });
    const got = [];
    for (;;) {
      const message = await this.next('the answer to a leave');
      if (message.id === id) return got;
      got.push(message);
    }
  }

  closed() {
    return within(`${this.id} to be closed`, this.ended);
  }

  leaveFor(code = 1000) {
    this.socket.close(code);
    return this.closed();
  }
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export async function roomClient(t, gateway, id = 'alice', { target = '/', claims, bearer, protocols = [], ...options } = {}) {
  const its = bearer ?? (await guideToken(id, claims));
  const socket = new WebSocket(`${gateway.url(target)}?token=${its}`, protocols, { perMessageDeflate: false, ...options });
  atEnd(t, () => socket.terminate());
  const client = new RoomClient(socket, id);
  await within(`${id} to be connected`, new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  }));
  return client;
}

// Several at once, each in `rooms`: so many that every worker has some.
export function roomClients(t, gateway, count, rooms, name = 'user') {
  return Promise.all(Array.from({ length: count }, async (_, i) =>
    (await roomClient(t, gateway, `${name}-${i}`)).join(...rooms)));
}

// A client octet by octet: a Peer with an open WebSocket, and what it says as text.
export async function roomPeer(t, gateway, id = 'alice') {
  const peer = await connect(gateway.port);
  atEnd(t, () => peer.destroy());
  peer.send(upgradeRequest({ target: `/?token=${await guideToken(id)}` }));
  assert.equal((await peer.head()).status, 101);
  peer.say = (...messages) => peer.send(...messages.map((message) => frame(opcodes.text, JSON.stringify(message))));
  peer.hear = async () => JSON.parse((await peer.message()).payload.toString());
  return peer;
}

export const join = (room, more = {}) => ({ type: 'join', room, ...more });
export const leave = (room, more = {}) => ({ type: 'leave', room, ...more });
export const message = (room, payload, more = {}) => ({ type: 'message', room, payload, ...more });
export const joined = (room, more = {}) => ({ type: 'joined', room, ...more });
export const error = (code, more = {}) => ({ type: 'error', code, message: sentences[code], ...more });

const sentences = {
  access_denied: 'Access denied',
  rate_limited: 'Rate limit exceeded',
  not_a_member: 'Not a member of the room',
  bad_message: 'Bad message',
  too_many_rooms: 'Too many rooms',
  invalid_token: 'Invalid token',
};
