// One room as one person sees it: what the policy says, what the gateway answered, and what to say in it.
import { copyOf, say } from './parts.js';

const floodMessages = 20;
let nextId = 1;  // comes back in the answer, on this page only to be seen

export class RoomRow {
  // `room`: { name, rule, hear, speak }, the last two lists of subjects; `send(message)` sends one.
  constructor(room, { subject, name }, send) {
    this.name = room.name;
    this.send = send;
    this.view = copyOf('room-row');
    this.view.name.textContent = room.name;
    this.view.rule.textContent = room.rule;
    this.view.verdict.textContent = `${name} ${verdict(room, subject)}`;
    this.view.message.placeholder = `Message to ${room.name}`;
    this.view.message.setAttribute('aria-label', `${name}: message to ${room.name}`);
    this.view.flood.setAttribute('aria-label', `Send ${floodMessages} quickly to ${room.name}`);
    this.view.join.addEventListener('click', () => this.joinOrLeave());
    this.view.flood.addEventListener('click', () => this.flood());
    this.view.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.publish(this.view.message.value);
      this.view.message.value = '';
    });
    this.setConnected(false);
  }

  joinOrLeave() {
    this.send({ type: this.joined ? 'leave' : 'join', room: this.name, id: nextId++ });
  }

  publish(payload) {
    this.send({ type: 'message', room: this.name, payload });
  }

  flood() {
    for (let i = 1; i <= floodMessages; ++i) this.publish(`${i} of ${floodMessages}`);
  }

  // Memberships end with the connection.
  setConnected(connected) {
    this.view.join.disabled = !connected;
    this.setJoined(false);
  }

  setJoined(joined) {
    this.joined = joined;
    this.view.form.hidden = !joined;
    this.view.join.textContent = joined ? 'Leave' : 'Join';
    this.view.join.setAttribute('aria-label', `${joined ? 'Leave' : 'Join'} ${this.name}`);
    say(this.view.state, joined ? 'joined' : 'not joined', joined ? 'good' : '');
  }

  // Who is in the room stays in it: then it was a message that was denied.
  setDenied() {
    if (!this.joined) say(this.view.state, 'denied', 'bad');
  }
}

function verdict(room, subject) {
  if (!room.hear.includes(subject)) return 'may not join';
  return room.speak.includes(subject) ? 'may hear and speak' : 'may hear, not speak';
}
