// ./deploy/quickstart as somebody new to it would use it: run it, paste what it prints, press Ctrl-C.
import assert from 'node:assert/strict';
import net from 'node:net';
import { before, describe, test } from 'node:test';
import { browserMs, contrasts, openPage, startBrowser, takeScreenshot } from './harness/browser.mjs';
import { isSetup, printed, shell, startCommand } from './harness/deploy.mjs';
import { atEnd, suiteContext } from './harness/ending.mjs';
import { until, within } from './harness/wait.mjs';

test('the commands that the quickstart prints show accepted and refused clients, and Ctrl-C ends it', async (t) => {
  const quickstart = startCommand(t, 'quickstart', 'pasted');
  const commands = await printed(quickstart);
  const setup = commands.filter(isSetup);
  assert.equal(setup.length, 3, quickstart.output);
  const clients = commands.filter((line) => line.includes('demo_client.py'));
  const results = [];
  for (const client of clients) results.push(await shell([...setup, client].join('\n')));
  assert.equal(results.length, 6);
  for (const [i, subject] of ['alice', 'bob', 'alice'].entries()) {
    assert.equal(results[i].code, 0, results[i].out + results[i].err);
    assert.match(results[i].out, /^accepted$/m);
    assert.match(results[i].out, new RegExp(`^< hello, ${subject}$`, 'm'));
  }
  for (const [i, status] of [401, 401, 403].entries()) {
    assert.equal(results[i + 3].code, 1);
    assert.match(results[i + 3].out, new RegExp(`^refused: ${status}$`, 'm'));
  }
  const [interactive] = commands.filter((line) => line.includes('-m websockets'));
  const typed = await shell([...setup, `(echo typed; sleep 1) | ${interactive}`].join('\n'));
  assert.match(typed.out, /hello, alice/);
  assert.match(typed.out, /< typed/);
  const seen = () => [...quickstart.output.matchAll(/demo backend: (\w+) is here/g)].map(([, who]) => who);
  // Its lines come through a pipe of their own pace.
  await until('the backend to have told of all', () => seen().length >= 4, 10_000);
  assert.deepEqual(seen(), ['alice', 'bob', 'alice', 'alice'], 'the backend never hears of those refused');

  quickstart.pressCtrlC();
  assert.equal(await within('the quickstart to end', quickstart.ended, 20_000), 0);
  assert.doesNotMatch(quickstart.output, /Traceback/);
  const [, port] = /listens on 127\.0\.0\.1:(\d+)/.exec(quickstart.output);
  const { port: pagePort } = new URL(commands.find((line) => line.startsWith('http://')));
  for (const ended of [port, pagePort]) {
    await assert.rejects(new Promise((resolve, reject) =>
      net.connect(Number(ended), '127.0.0.1').once('connect', resolve).once('error', reject)), /ECONNREFUSED/);
  }
});

test('two quickstarts at once take other ports', async (t) => {
  const taken = net.createServer();
  await new Promise((resolve) => taken.once('error', resolve).listen(8080, '127.0.0.1', resolve));
  atEnd(t, () => taken.close());
  const quickstart = startCommand(t, 'quickstart', 'other-ports');
  const commands = await printed(quickstart);
  const [, port] = /listens on 127\.0\.0\.1:(\d+)/.exec(quickstart.output);
  assert.notEqual(port, '8080');
  const setup = commands.filter(isSetup);
  const { out } = await shell([...setup, commands.find((line) => line.includes('demo_client.py'))].join('\n'));
  assert.match(out, /^accepted$/m);
});

// The page, as whoever looks at it has it: by what is written on it.

const shows = (what, condition) => until(what, condition, browserMs);

const personOf = (page, name) => {
  const card = page.getByRole('region', { name });
  return {
    name, card,
    state: () => card.locator('.state').first().textContent(),
    status: () => card.getByRole('status').textContent(),
    press: (button) => card.getByRole('button', { name: button, exact: true }).click(),
    room: (room) => card.locator('.room', { has: page.getByRole('heading', { name: room }) }),
    // { kind, frame } of each; what is no frame has { kind, text }.
    entries: () => card.locator('.log li').evaluateAll((list) => list.map((entry) => {
      const [kind] = entry.classList;
      const text = entry.querySelector('code').textContent;
      return ['sent', 'received', 'error'].includes(kind) ? { kind, frame: JSON.parse(text) } : { kind, text };
    })),
  };
};

const is = (person, state) =>
  shows(`${person.name} to be ${state}`, async () => (await person.state()) === state);

const saw = (person, kind, matches) => shows(`${kind} in the log of ${person.name}`, async () =>
  (await person.entries()).find((entry) => entry.kind === kind && matches(entry.frame))?.frame);

const said = (person, from, room, payload) => saw(person, 'received', (frame) =>
  frame.type === 'message' && frame.from === from && frame.room === room && frame.payload === payload);

async function connect(...people) {
  for (const person of people) await person.press('Connect');
  for (const person of people) await is(person, 'connected');
}

async function ask(person, what, room) {
  await person.press(`${what} ${room}`);
  const { id } = (await person.entries()).findLast(({ kind, frame }) => kind === 'sent' && frame.room === room).frame;
  return shows(`an answer to ${person.name}`, async () =>
    (await person.entries()).find(({ kind, frame }) => kind !== 'sent' && frame?.id === id)?.frame);
}

async function speak(person, room, text) {
  await person.room(room).getByRole('textbox').fill(text);
  await person.room(room).getByRole('button', { name: 'Send', exact: true }).click();
}

describe('the page of the quickstart', () => {
  const suite = suiteContext('the page of the quickstart');
  let quickstart, browser, address;

  before(async () => {
    quickstart = startCommand(suite, 'quickstart', 'page');
    [address] = (await printed(quickstart)).filter((line) => line.startsWith('http://'));
    browser = await startBrowser(suite);
  });

  async function visit(t, options) {
    const page = await openPage(t, browser, address, options);
    return { page, alice: personOf(page, 'Alice'), bob: personOf(page, 'Bob'), nobody: personOf(page, 'Nobody') };
  }

  const allowed = {
    Alice: { lobby: 'may hear and speak', 'team-red': 'may hear and speak', ops: 'may hear and speak', vault: 'may not join' },
    Bob: { lobby: 'may hear and speak', 'team-red': 'may not join', ops: 'may hear, not speak', vault: 'may not join' },
  };

  for (const [name, rooms] of Object.entries(allowed)) {
    test(`${name} may join and speak where the page says so, and the gateway denies the rest`, async (t) => {
      const { page } = await visit(t);
      const person = personOf(page, name);
      await connect(person);
      for (const [room, verdict] of Object.entries(rooms)) {
        assert.equal(await person.room(room).locator('.verdict').textContent(), `${name} ${verdict}`);
        const answer = await ask(person, 'Join', room);
        const state = await person.room(room).locator('.state').textContent();
        if (verdict === 'may not join') {
          assert.deepEqual({ ...answer, id: 0 },
            { type: 'error', code: 'access_denied', message: 'Access denied', room, id: 0 });
          assert.equal(state, 'denied');
          assert.equal(await person.status(), `${room}: Access denied.`);
          assert.equal(await person.room(room).getByRole('textbox').count(), 0, 'there is nothing to speak with');
          continue;
        }
        assert.equal(answer.type, 'joined');
        assert.equal(state, 'joined');
        await speak(person, room, `hello ${room}`);
        if (verdict === 'may hear and speak') {
          await said(person, name.toLowerCase(), room, `hello ${room}`);
        } else {
          await saw(person, 'error', (frame) => frame.code === 'access_denied' && frame.room === room);
          assert.equal(await person.room(room).locator('.state').textContent(), 'joined', 'it may still hear');
        }
      }
      assert.deepEqual(page.complaints, []);
    });
  }

  test('what Alice says in a room Bob reads as she wrote it, until he leaves', async (t) => {
    const { page, alice, bob } = await visit(t);
    await connect(alice, bob);
    await ask(alice, 'Join', 'lobby');
    await ask(bob, 'Join', 'lobby');
    const text = '<b>hello</b> & "good morning" \u{1F305}';
    await speak(alice, 'lobby', text);
    await said(alice, 'alice', 'lobby', text);
    await said(bob, 'alice', 'lobby', text);
    assert.equal(await bob.status(), `In lobby, alice says: ${text}`);
    assert.equal(await page.locator('.log b').count(), 0, 'it is text, whatever it looks like');

    assert.equal((await ask(bob, 'Leave', 'lobby')).type, 'left');
    await speak(alice, 'lobby', 'is Bob gone?');
    await said(alice, 'alice', 'lobby', 'is Bob gone?');
    // Whatever was on its way to Bob is there before this answer.
    await ask(bob, 'Join', 'lobby');
    const heard = (await bob.entries()).filter(({ frame }) => frame?.type === 'message');
    assert.deepEqual(heard.map(({ frame }) => frame.payload), [text]);
    assert.deepEqual(page.complaints, []);
  });

  test('twenty messages at once hit the limit, and Bob is not disturbed', async (t) => {
    const { page, alice, bob } = await visit(t);
    await connect(alice, bob);
    await ask(alice, 'Join', 'lobby');
    await ask(bob, 'Join', 'lobby');
    await alice.press('Send 20 quickly to lobby');
    const answers = await shows('an answer to each of the twenty', async () => {
      const got = (await alice.entries()).filter(({ kind, frame }) =>
        kind === 'error' || (kind === 'received' && frame.type === 'message'));
      return got.length === 20 && got;
    });
    const refused = answers.filter(({ kind }) => kind === 'error').map(({ frame }) => frame);
    const delivered = answers.filter(({ kind }) => kind === 'received').map(({ frame }) => frame.payload);
    assert.ok(delivered.length >= 9, `a burst of ten, one of which was the join: ${delivered.length}`);
    assert.ok(refused.length >= 1);
    for (const error of refused) {
      assert.equal(error.code, 'rate_limited');
      assert.equal(error.message, 'Rate limit exceeded');
      assert.ok(Number.isInteger(error.retry_after_ms) && error.retry_after_ms > 0 && error.retry_after_ms <= 1_000,
        JSON.stringify(error));
    }
    assert.equal(await alice.card.locator('.log li.bad').count(), refused.length, 'errors look different');

    await speak(bob, 'lobby', 'I can still speak');
    await said(bob, 'bob', 'lobby', 'I can still speak');
    const heard = (await bob.entries()).filter(({ kind, frame }) => kind === 'received' && frame.type === 'message');
    assert.deepEqual(heard.map(({ frame }) => frame.payload), [...delivered, 'I can still speak']);
    assert.deepEqual(page.complaints, []);
  });

  test('Nobody is refused, with a forged token and without one, and the terminal has the reason', async (t) => {
    const { page, nobody } = await visit(t);
    for (const [button, reason] of [
      ["Connect with Bob's token, renamed to alice", 'bad_signature'], ['Connect without a token', 'credential_missing'],
    ]) {
      const before = quickstart.output.length;
      await nobody.press('Clear the frames of Nobody');
      await nobody.press(button);
      await shows('the refusal in the log', async () =>
        (await nobody.entries()).some(({ kind, text }) => kind === 'refusal' && text.startsWith('Refused')));
      assert.equal(await nobody.state(), 'refused');
      assert.match(await nobody.status(), /^Refused/);
      const line = await shows('the refusal in the terminal', () =>
        quickstart.output.slice(before).split('\n').find((text) => text.includes('connection_refused')));
      assert.match(line, new RegExp(`\\b401\\b.*\\b${reason}\\b|\\b${reason}\\b.*\\b401\\b`));
    }
    // The browser itself reports a handshake that failed; a page cannot prevent it.
    assert.equal(page.complaints.length, 2, page.complaints.join('\n'));
    for (const complaint of page.complaints) assert.match(complaint, /^WebSocket connection to .* failed: /);
  });

  test('a connection that ends takes its memberships with it', async (t) => {
    const { page, alice } = await visit(t);
    await connect(alice);
    await ask(alice, 'Join', 'lobby');
    await alice.press('Disconnect');
    await is(alice, 'not connected');
    assert.equal(await alice.room('lobby').locator('.state').textContent(), 'not joined');
    assert.equal(await alice.room('lobby').getByRole('button', { name: 'Join lobby' }).isDisabled(), true);
    await connect(alice);
    assert.equal((await ask(alice, 'Join', 'lobby')).type, 'joined');
    assert.deepEqual(page.complaints, []);
  });

  test('the keyboard is enough, and shows where it is', async (t) => {
    const { page, alice } = await visit(t);
    // Tab after Tab until what has the focus is called that.
    const goTo = async (name) => {
      for (let i = 0; i < 40; ++i) {
        await page.keyboard.press('Tab');
        const focused = await page.evaluate(() => {
          const element = document.activeElement;
          return {
            name: element.getAttribute('aria-label') ?? element.textContent,
            outline: getComputedStyle(element).outlineStyle,
          };
        });
        assert.notEqual(focused.outline, 'none', `${focused.name} shows that it has the focus`);
        if (focused.name === name) return;
      }
      assert.fail(`no Tab leads to ${name}`);
    };
    await goTo('Connect');
    await page.keyboard.press('Enter');
    await is(alice, 'connected');
    await goTo('Join lobby');
    await page.keyboard.press('Enter');
    await saw(alice, 'received', (frame) => frame.type === 'joined');
    await goTo('Alice: message to lobby');
    await page.keyboard.type('typed');
    await page.keyboard.press('Enter');
    await said(alice, 'alice', 'lobby', 'typed');
    await goTo('Frames of Alice');
  });

  test('the tokens go to the gateway alone, and out of sight', async (t) => {
    const { page, alice } = await visit(t);
    const { origin, hash } = new URL(address);
    assert.equal(page.url(), `${origin}/`);
    await page.reload();
    await connect(alice);
    const gateway = `ws://127.0.0.1:${new URLSearchParams(hash.slice(1)).get('gateway')}/rooms`;
    for (const url of page.requests) assert.ok(url.startsWith(`${origin}/`) || url === gateway, url);
    assert.ok(page.requests.includes(gateway));
    assert.deepEqual(page.complaints, []);
  });

  test('an address without whole tokens, or with a gateway elsewhere, gets a sentence and nothing else', async (t) => {
    for (const [what, wrong] of [
      ['no fragment', (whole) => whole.split('#')[0]],
      ['half of it', (whole) => whole.slice(0, whole.indexOf('&bob=') + 20)],
      ['another host', (whole) => whole.replace(/gateway=(\d+)/, 'gateway=evil.example:$1')],
    ]) {
      const page = await openPage(t, browser, wrong(address));
      await page.getByRole('alert').filter({ hasText: 'There are no tokens here' }).waitFor();
      assert.equal(await page.getByRole('button').count(), 0, what);
      assert.deepEqual(page.complaints, [], what);
    }
  });

  const desktop = { viewport: { width: 1280, height: 900 } };
  const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
  for (const [device, options] of Object.entries({ desktop, phone })) {
    for (const colorScheme of ['light', 'dark']) {
      test(`readable on a ${device} in ${colorScheme} colours, whatever has happened`, async (t) => {
        const { page, alice, bob, nobody } = await visit(t, { ...options, colorScheme });
        await connect(alice, bob);
        await ask(alice, 'Join', 'lobby');
        await ask(bob, 'Join', 'lobby');
        await ask(alice, 'Join', 'team-red');
        await ask(bob, 'Join', 'team-red');
        await speak(bob, 'lobby', 'good morning');
        await said(alice, 'bob', 'lobby', 'good morning');
        await alice.press('Send 20 quickly to lobby');
        await saw(alice, 'error', (frame) => frame.code === 'rate_limited');
        const long = `g${'o'.repeat(60)}d morning`;
        await speak(bob, 'lobby', long);
        await said(bob, 'bob', 'lobby', long);
        await nobody.press('Connect without a token');
        await is(nobody, 'refused');
        const look = async (name) => {
          for (const { card } of [alice, bob, nobody]) {
            const [log, newest] = await card.locator('.log').evaluate((element) =>
              [element, element.querySelector('li:last-child')].map((part) => part.getBoundingClientRect().bottom));
            assert.ok(newest <= log, `the newest entry is in sight: it ends at ${newest}, the log at ${log}`);
          }
          const texts = await contrasts(page);
          assert.ok(texts.length > 50, `${texts.length} texts`);
          assert.deepEqual(texts.filter(({ ratio }) => ratio < 4.5), []);
          const { content, width } = await page.evaluate(() =>
            ({ content: document.documentElement.scrollWidth, width: innerWidth }));
          assert.ok(content <= width && width === options.viewport.width, `${content} in ${width}`);
          await takeScreenshot(page, `quickstart-${device}-${colorScheme}${name}`);
        };
        await look('');
        await alice.press('Disconnect');
        await is(alice, 'not connected');
        await look('-disconnected');
      });
    }
  }
});
