// RFC 6455 and HTTP/1.1 by hand, for clients and backends that no honest library would be: every
// octet is the test's own.
import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';
import { deadlineMs, within } from './wait.mjs';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

// One frame. `length` announces another length than the payload has; `wide` forces the 16- or
// 64-bit form.
export function frame(
  opcode, payload = '',
  { fin = true, rsv = 0, masked = true, length, wide, key = randomBytes(4) } = {},
) {
  const body = Buffer.from(payload);
  const size = BigInt(length ?? body.length);
  const width = wide ?? (size < 126n ? 7 : size < 65_536n ? 16 : 64);
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  let extended = Buffer.alloc(0);
  if (width === 7) head.push(mask | Number(size));
  if (width === 16) {
    head.push(mask | 126);
    extended = Buffer.alloc(2);
    extended.writeUInt16BE(Number(size));
  }
  if (width === 64) {
    head.push(mask | 127);
    extended = Buffer.alloc(8);
    extended.writeBigUInt64BE(size);
  }
  const parts = [Buffer.from(head), extended];
  if (masked) {
    parts.push(key);
    for (let i = 0; i < body.length; ++i) body[i] ^= key[i & 3];
  }
  parts.push(body);
  return Buffer.concat(parts);
}

export function closePayload(code, reason = '') {
  if (code === undefined) return Buffer.alloc(0);
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}

export function acceptOf(key) {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

// A WebSocket opening request as text. `fields` replaces (a string), repeats (an array) or removes
// (null) a field of the default ones, or adds one; `target` and `start` are written as they are.
export function upgradeRequest({ target = '/chat', start, fields = {}, host = 'gateway.test' } = {}) {
  const all = new Map(Object.entries({
    Host: host, Upgrade: 'websocket', Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13',
  }));
  for (const [name, value] of Object.entries(fields)) {
    if (value === null) all.delete(name);
    else all.set(name, value);
  }
  const lines = [start ?? `GET ${target} HTTP/1.1`];
  for (const [name, value] of all) {
    for (const one of Array.isArray(value) ? value : [value]) lines.push(`${name}: ${one}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

// One end of a TCP connection: reads heads and frames in order, writes any octets.
export class Peer {
  constructor(socket) {
    this.socket = socket;
    this.received = Buffer.alloc(0);  // and not yet taken
    this.octets = 0;                  // received in all
    this.waiting = null;
    this.over = false;                // the other end has finished, or the connection was reset
    this.reset = false;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.octets += chunk.length;
      this.received = this.received.length ? Buffer.concat([this.received, chunk]) : chunk;
      this.wake();
    });
    socket.on('end', () => { this.over = true; this.wake(); });
    socket.on('close', () => { this.over = true; this.wake(); });
    socket.on('error', (error) => { this.reset = error.code === 'ECONNRESET'; });
  }

  wake() {
    const waiting = this.waiting;
    this.waiting = null;
    waiting?.();
  }

  send(...parts) {
    for (const part of parts) this.socket.write(part);
    return this;
  }

  // Waits until `take` returns something other than undefined.
  async take(what, take, ms = deadlineMs) {
    const end = Date.now() + ms;
    for (;;) {
      const value = take();
      if (value !== undefined) return value;
      if (this.over) throw new Error(`the connection ended while waiting for ${what}`);
      await within(what, new Promise((resolve) => { this.waiting = resolve; }),
        Math.max(1, end - Date.now()));
    }
  }

  // An HTTP head: { start, status, fields (names in lower case, values in arrays), raw }.
  head(ms) {
    return this.take('an HTTP head', () => {
      const end = this.received.indexOf('\r\n\r\n');
      if (end < 0) return undefined;
      const raw = this.received.subarray(0, end).toString('latin1');
      this.received = this.received.subarray(end + 4);
      const [start, ...lines] = raw.split('\r\n');
      const fields = {};
      for (const line of lines) {
        const colon = line.indexOf(':');
        (fields[line.slice(0, colon).toLowerCase()] ??= []).push(line.slice(colon + 1).trim());
      }
      return { start, status: Number(start.split(' ')[1]), fields, raw };
    }, ms);
  }

  // One frame, as it came: { fin, rsv, opcode, masked, payload }.
  frame(ms) {
    return this.take('a frame', () => this.takeFrame(), ms);
  }

  takeFrame() {
    const octets = this.received;
    if (octets.length < 2) return undefined;
    const masked = (octets[1] & 0x80) !== 0;
    let length = octets[1] & 0x7f;
    let at = 2;
    if (length === 126) {
      if (octets.length < 4) return undefined;
      length = octets.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (octets.length < 10) return undefined;
      length = Number(octets.readBigUInt64BE(2));
      at = 10;
    }
    const key = masked ? octets.subarray(at, at + 4) : null;
    if (masked) at += 4;
    if (octets.length < at + length) return undefined;
    const payload = Buffer.from(octets.subarray(at, at + length));
    if (key) for (let i = 0; i < length; ++i) payload[i] ^= key[i & 3];
    this.received = octets.subarray(at + length);
    return {
      fin: (octets[0] & 0x80) !== 0, rsv: (octets[0] >> 4) & 7, opcode: octets[0] & 15, masked, payload,
    };
  }

  // The next frame that is no ping or pong.
  async dataFrame(ms) {
    for (;;) {
      const next = await this.frame(ms);
      if (next.opcode !== opcodes.ping && next.opcode !== opcodes.pong) return next;
    }
  }

  // A whole message, put together: { opcode, payload, frames }.
  async message(ms) {
    const first = await this.dataFrame(ms);
    if (first.opcode === opcodes.close) throw new Error(`closed: ${describeClose(first)}`);
    const pieces = [first.payload];
    let last = first;
    while (!last.fin) {
      last = await this.dataFrame(ms);
      if (last.opcode === opcodes.close) throw new Error(`closed: ${describeClose(last)}`);
      pieces.push(last.payload);
    }
    return { opcode: first.opcode, payload: Buffer.concat(pieces), frames: pieces.length };
  }

  // The Close frame, whatever comes before it: { code (undefined: none), reason }.
  async close(ms) {
    for (;;) {
      const next = await this.frame(ms);
      if (next.opcode === opcodes.close) return closeOf(next);
    }
  }

  // Until the other end finished: what came and was not taken.
  async end(ms = deadlineMs) {
    const end = Date.now() + ms;
    while (!this.over) {
      await within('the end of the connection', new Promise((resolve) => { this.waiting = resolve; }),
        Math.max(1, end - Date.now()));
    }
    return this.received;
  }

  destroy() {
    this.socket.destroy();
  }
}

export function closeOf(close) {
  return close.payload.length < 2
    ? { code: undefined, reason: '' }
    : { code: close.payload.readUInt16BE(0), reason: close.payload.subarray(2).toString() };
}

function describeClose(close) {
  const { code, reason } = closeOf(close);
  return `${code} ${reason}`;
}

export async function connect(port, { localAddress, host = '127.0.0.1' } = {}) {
  const socket = net.connect({ port, host, localAddress, allowHalfOpen: true });
  const peer = new Peer(socket);
  await within('a TCP connection', new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  }));
  return peer;
}
