// Who has no token that verifies, and is refused.
import { FrameLog } from './frame_log.js';
import { openSocket, refusal } from './gateway_socket.js';
import { parts, say } from './parts.js';
import { renamed } from './token.js';

export class Nobody {
  constructor(element, { url, bob }) {
    this.view = parts(element);
    this.url = url;
    this.log = new FrameLog(this.view.frames, 'Nobody');
    this.view.forged.addEventListener('click', () =>
      this.attempt('a token that its signature does not fit', renamed(bob, 'alice')));
    this.view.none.addEventListener('click', () => this.attempt('no token'));
  }

  attempt(what, token) {
    const socket = openSocket(this.url, token);
    say(this.view.state, 'connecting');
    this.log.add('event', `Opening handshake with ${what}.`);
    socket.addEventListener('open', () => this.accepted(socket));
    socket.addEventListener('error', () => this.refused());
  }

  refused() {
    say(this.view.state, 'refused', 'bad');
    say(this.view.status, refusal, 'bad');
    this.log.add('refusal', refusal);
  }

  // No gateway does that; a page that could not say it would show nothing by saying 'refused'.
  accepted(socket) {
    socket.close(1000);
    say(this.view.state, 'accepted');
    say(this.view.status, 'Accepted: that must not be.', 'bad');
    this.log.add('refusal', 'Accepted: that must not be.');
  }
}
