// One person: a token, a connection, rooms (CONTRACT 4 is what is spoken).
import { FrameLog } from './frame_log.js';
import { describeClose, openSocket, refusal } from './gateway_socket.js';
import { copyOf, say } from './parts.js';
import { RoomRow } from './room_row.js';
import { describe } from './token.js';

export class Person {
  constructor({ subject, name, token, url, rooms }) {
    this.token = token;
    this.url = url;
    this.socket = null;
    this.view = copyOf('person-card');
    this.element = this.view.element;
    this.view.name.id = `${subject}-name`;
    this.view.name.textContent = name;
    this.element.setAttribute('aria-labelledby', this.view.name.id);
    this.view.token.textContent = describe(token);
    this.view.connect.addEventListener('click', () => this.connectOrDisconnect());
    this.log = new FrameLog(this.view.frames, name);
    this.rooms = new Map(rooms.map((room) =>
      [room.name, new RoomRow(room, { subject, name }, (message) => this.send(message))]));
    for (const room of this.rooms.values()) this.view.rooms.append(room.view.element);
  }

  connectOrDisconnect() {
    if (!this.socket) this.connect();
    else if (this.socket.readyState === WebSocket.OPEN) this.disconnect();
  }

  connect() {
    let opened = false;
    const socket = openSocket(this.url, this.token);
    this.socket = socket;
    say(this.view.state, 'connecting');
    socket.addEventListener('open', () => {
      opened = true;
      this.view.connect.textContent = 'Disconnect';
      say(this.view.state, 'connected', 'good');
      this.note('event', `Connected, subprotocol ${socket.protocol}.`);
      this.setConnected(true);
    });
    socket.addEventListener('message', ({ data }) => this.receive(data));
    socket.addEventListener('close', (event) => this.closed(event, opened));
  }

  disconnect() {
    this.setConnected(false);
    this.socket.close(1000);
  }

  setConnected(connected) {
    for (const room of this.rooms.values()) room.setConnected(connected);
  }

  closed(event, opened) {
    this.socket = null;
    this.view.connect.textContent = 'Connect';
    this.setConnected(false);
    const well = opened && event.code === 1000;
    say(this.view.state, opened ? 'not connected' : 'refused', opened ? '' : 'bad');
    this.note(well ? 'event' : 'refusal', opened ? `The connection ${describeClose(event)}.` : refusal);
  }

  note(kind, sentence) {
    this.log.add(kind, sentence);
    say(this.view.status, sentence, kind === 'refusal' ? 'bad' : '');
  }

  send(message) {
    const text = JSON.stringify(message);
    this.socket.send(text);
    this.log.frame('sent', text, message);
  }

  receive(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      this.log.frame('received', text);
      return;
    }
    this.log.frame(message.type === 'error' ? 'error' : 'received', text, message);
    const room = this.rooms.get(message.room);
    switch (message.type) {
      case 'joined': return this.joined(room, message);
      case 'left': return this.left(room, message);
      case 'message': return this.heard(message);
      case 'error': return this.failed(room, message);
    }
  }

  joined(room, { room: name }) {
    room?.setJoined(true);
    say(this.view.status, `Joined ${name}.`);
  }

  left(room, { room: name, reason }) {
    room?.setJoined(false);
    say(this.view.status, reason ? `Left ${name}: ${reason}.` : `Left ${name}.`);
  }

  heard({ room, from, payload }) {
    const what = typeof payload === 'string' ? payload : JSON.stringify(payload);
    say(this.view.status, `In ${room}, ${from ?? 'the service'} says: ${what}`);
  }

  failed(room, { code, message, room: name, retry_after_ms: retryAfterMs }) {
    if (code === 'access_denied') room?.setDenied();
    const where = name ? `${name}: ` : '';
    const when = retryAfterMs === undefined ? '' : ` Try again in ${retryAfterMs} ms.`;
    say(this.view.status, `${where}${message}.${when}`, 'bad');
  }
}
