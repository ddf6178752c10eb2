// The quickstart's page: Alice, Bob and Nobody on the route /rooms of deploy/quickstart.yaml.
import { Nobody } from './nobody.js';
import { Person } from './person.js';
import { readable } from './token.js';

// What the policy says, in words. It decides nothing here: what a button does is the gateway's answer.
const rooms = [
  { name: 'lobby', rule: 'Everyone', hear: ['alice', 'bob'], speak: ['alice', 'bob'] },
  { name: 'team-red', rule: 'Whose token has team red', hear: ['alice'], speak: ['alice'] },
  { name: 'ops', rule: 'Alice and Bob hear, Alice speaks', hear: ['alice', 'bob'], speak: ['alice'] },
  { name: 'vault', rule: 'No rule names it', hear: [], speak: [] },
];

const visitKey = 'gatehouse-quickstart';

// The quickstart puts the gateway's port and the tokens into the address's fragment, which is sent
// to no server. Here they move on to where only this tab has them, out of sight, and a reload finds
// them. Of the gateway only the port is taken: a link must not send tokens elsewhere.
function readVisit() {
  if (location.hash.length > 1) {
    sessionStorage.setItem(visitKey, location.hash.slice(1));
    history.replaceState(null, '', location.pathname);
  }
  const kept = new URLSearchParams(sessionStorage.getItem(visitKey) ?? '');
  const port = Number(kept.get('gateway'));
  const [alice, bob] = [kept.get('alice'), kept.get('bob')];
  if (!Number.isInteger(port) || port < 1 || port > 65535 || !readable(alice) || !readable(bob)) return null;
  return { url: `ws://127.0.0.1:${port}/rooms`, alice, bob };
}

function show({ url, alice, bob }) {
  const people = document.getElementById('people');
  people.append(
    new Person({ subject: 'alice', name: 'Alice', token: alice, url, rooms }).element,
    new Person({ subject: 'bob', name: 'Bob', token: bob, url, rooms }).element,
  );
  new Nobody(document.getElementById('nobody'), { url, bob });
  document.getElementById('visit').hidden = false;
}

// The address of a later quickstart, pasted into this tab, may differ in its fragment alone.
addEventListener('hashchange', () => location.reload());

const visit = readVisit();
if (visit) show(visit);
else document.getElementById('no-visit').hidden = false;
