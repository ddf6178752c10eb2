// An application with logins as most have them: express, express-session, and connect-redis over the
// redis client of npm. It knows nothing of the gateway.
import { createServer } from 'node:http';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';
import { atEnd } from './ending.mjs';
import { remember } from './tokens.mjs';

export const sessionSecret = 'what the application signs its cookies with';

// `cookie`, `more`: of express-session.
export async function startApp(t, redis, { secret = sessionSecret, cookie = {}, ...more } = {}) {
  const client = createClient({ url: redis.url() });
  client.on('error', () => {});
  await client.connect();
  atEnd(t, () => client.disconnect());

  const app = express();
  app.use(express.json());
  app.use(session({
    store: new RedisStore({ client }), secret, cookie, resave: false, saveUninitialized: false, ...more,
  }));
  app.post('/login', (request, response) => request.session.regenerate(() => {
    request.session.passport = request.body;
    response.end();
  }));
  app.post('/become', (request, response) => {
    request.session.passport = request.body;
    response.end();
  });
  app.post('/visit', (request, response) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.end();
  });
  app.get('/', (request, response) => response.end());
  app.post('/logout', (request, response) => request.session.destroy(() => response.end()));
  const server = createServer(app);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(t, () => {
    server.closeAllConnections?.();
    server.close();
  });
  return new App(server.address().port);
}

class App {
  constructor(port) {
    this.port = port;
  }

  // Returns the cookie that the browser has after it, as it sends it.
  async ask(method, path, { cookie, body } = {}) {
    const answer = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method, headers: { ...(cookie && { cookie }), 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const set = answer.headers.get('set-cookie')?.split(';')[0];
    if (set) remember(set.slice(set.indexOf('=') + 1));
    return set ?? cookie;
  }

  login(body = { user: 'alice' }) {
    return this.ask('POST', '/login', { body });
  }
}
