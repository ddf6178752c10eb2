// Clients of a room that stay for as long as they may, come back when a Close tells them to, and remember
// all that happened to them.
import WebSocket from 'ws';

export class Visitor {
  // Each time that it was in the room: { process, joinedAt, leftAt, heard: what, in its order }.
  stays = [];
  // Each 1012: { process, at, retryAfterMs }. `process`: who said so.
  sentAway = [];
  opened = [];    // when each 101 came
  failures = [];  // whatever else ended a connection, or a handshake
  joined = false;

  // `processOf(name)`: what is behind the name that the load balancer gives in X-Instance.
  constructor(url, room, bearer, processOf) {
    Object.assign(this, { url, room, bearer, processOf });
  }

  connect() {
    this.socket = new WebSocket(this.url, { headers: { Authorization: `Bearer ${this.bearer}` }, perMessageDeflate: false });
    this.socket.once('upgrade', ({ headers }) => (this.process = this.processOf(headers['x-instance'])));
    this.socket.once('open', () => {
      this.opened.push(performance.now());
      this.say({ type: 'join', room: this.room });
    });
    this.socket.on('message', (text) => this.hear(JSON.parse(text)));
    this.socket.on('error', (error) => this.fail(error.message));
    this.socket.once('close', (code, reason) => this.onClose(code, reason.toString()));
  }

  say(message) {
    this.socket.send(JSON.stringify(message));
  }

  hear({ type, payload, ...more }) {
    if (type === 'message') return this.stays.at(-1).heard.push(payload);
    if (type !== 'joined') return this.fail(JSON.stringify({ type, ...more }));
    this.joined = true;
    this.stays.push({ process: this.process, joinedAt: performance.now(), leftAt: Infinity, heard: [] });
  }

  onClose(code, reason) {
    const at = performance.now();
    if (this.joined) this.stays.at(-1).leftAt = at;
    this.joined = false;
    if (this.over) return;
    const retryAfterMs = /^retry_after_ms=(\d+)$/.exec(reason)?.[1];
    if (code !== 1012 || retryAfterMs === undefined) return this.fail(`${code} ${reason}`);
    this.sentAway.push({ process: this.process, at, retryAfterMs: Number(retryAfterMs) });
    this.waiting = setTimeout(() => this.connect(), Number(retryAfterMs));
  }

  // It does not try again: the first attempt is to succeed.
  fail(what) {
    if (!this.over) this.failures.push(what);
  }

  end() {
    this.over = true;
    clearTimeout(this.waiting);
    this.socket?.terminate();
  }
}

// Says 1, 2, 3 … in its room, each after the one before has come back; what had not when it was sent away
// is said again.
export class Speaker extends Visitor {
  static pauseMs = 300;

  accepted = [];         // { number, saidAt, heardAt }: what came back
  repeated = new Set();  // what was said more than once
  number = 0;

  hear(message) {
    super.hear(message);
    if (message.type === 'joined') return this.speak();
    if (message.type !== 'message' || message.payload !== this.said?.number) return;
    this.accepted.push({ ...this.said, heardAt: performance.now() });
    this.said = null;
    setTimeout(() => this.joined && this.speak(), Speaker.pauseMs);
  }

  speak() {
    if (this.said) {
      this.repeated.add(this.said.number);
    } else if (this.quiet) {
      return;
    } else {
      this.said = { number: ++this.number, saidAt: performance.now() };
    }
    this.say({ type: 'message', room: this.room, payload: this.said.number });
  }
}
