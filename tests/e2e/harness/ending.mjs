// What a test opened is closed in reverse order: clients, then the gateway, then backends.
import { after } from 'node:test';

const endings = new WeakMap();

async function endAll(context) {
  const errors = [];
  for (const end of endings.get(context).reverse()) {
    try {
      await end();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length) throw errors[0];
}

export function atEnd(context, end) {
  if (!endings.has(context)) {
    endings.set(context, []);
    context.after(() => endAll(context));
  }
  endings.get(context).push(end);
}

// In place of a test's context, for what all tests of a describe() share: called in its body.
export function suiteContext(name) {
  const context = { name, after };
  atEnd(context, () => {});
  return context;
}
