// Waiting for events with deadlines, never for time.
import { setTimeout as sleep } from 'node:timers/promises';

// Sanitizers make the gateway several times slower.
export const patience = process.env.GATEHOUSE_SANITIZED ? 4 : 1;
export const deadlineMs = 5_000 * patience;

// The promise's value, or an error that says what was waited for.
export async function within(what, promise, ms = deadlineMs) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// Asks until `condition` returns something true, which it returns.
export async function until(what, condition, ms = deadlineMs) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(5);
  }
}

export { sleep };
