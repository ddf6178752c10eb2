// The frames of one connection, newest last.
import { copyOf } from './parts.js';
import { jsonView } from './json_view.js';

const entriesMax = 200;
const charactersMax = 4_000;  // of one entry

const kinds = {
  sent: { arrow: '→', direction: 'sent' },
  received: { arrow: '←', direction: 'received' },
  error: { arrow: '←', direction: 'received: an error' },
  event: { arrow: '·', direction: 'connection' },
  refusal: { arrow: '×', direction: 'connection' },
};

function timeOfDay() {
  const now = new Date();
  const milliseconds = String(now.getMilliseconds()).padStart(3, '0');
  return `${now.toLocaleTimeString('en-GB')}.${milliseconds}`;
}

export class FrameLog {
  constructor(place, owner) {
    const { element, log, entries, tally, clear } = copyOf('frame-log');
    place.append(element);
    this.entries = entries;
    this.tally = tally;
    log.setAttribute('aria-label', `Frames of ${owner}`);
    clear.setAttribute('aria-label', `Clear the frames of ${owner}`);
    clear.addEventListener('click', () => this.clear());
    this.clear();
  }

  clear() {
    this.counts = { sent: 0, received: 0, error: 0 };
    this.entries.replaceChildren();
    this.showTally();
  }

  // A frame's text, which may be no JSON. `value`: what was read from it, if it is.
  frame(kind, text, value) {
    this.counts[kind] += 1;
    const readable = value !== undefined && text.length <= charactersMax;
    this.add(kind, readable ? jsonView(value) : text.slice(0, charactersMax));
    this.showTally();
  }

  // `kind`: one of `kinds`; 'event' and 'refusal' say in words what happened to the connection.
  add(kind, content) {
    const entry = copyOf('log-entry');
    entry.element.className = kind;
    entry.element.classList.toggle('bad', kind === 'error' || kind === 'refusal');
    entry.time.textContent = timeOfDay();
    entry.arrow.textContent = kinds[kind].arrow;
    entry.direction.textContent = kinds[kind].direction;
    entry.content.append(content);
    this.entries.append(entry.element);
    if (this.entries.childElementCount > entriesMax) this.entries.firstElementChild.remove();
  }

  showTally() {
    const { sent, received, error } = this.counts;
    this.tally.textContent = `${sent} sent, ${received + error} received, ${error} ${error === 1 ? 'error' : 'errors'}`;
  }
}
