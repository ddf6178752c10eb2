// An OpenID provider that others wrote: oidc-provider. Its keys are rotated as an operator would,
// by a new configuration; its clients get JWT access tokens by their own credentials.
import Provider from 'oidc-provider';
import { keyServer } from './key_server.mjs';
import { audience, remember } from './tokens.mjs';
import { within } from './wait.mjs';

const client = { id: 'alice', secret: 'the secret of alice with the provider' };

// What it serves with the keys given; the first one signs.
function providerOf(issuer, keys) {
  return new Provider(issuer, {
    jwks: { keys: keys.map((key) => key.privateJwk) },
    clients: [{
      client_id: client.id, client_secret: client.secret, grant_types: ['client_credentials'],
      redirect_uris: [], response_types: [],
    }],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    cookies: { keys: ['for a test'] },
    ttl: { ClientCredentials: 600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'urn:realtime',
        getResourceServerInfo: () => ({
          scope: '', audience, accessTokenTTL: 600, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  }).callback();
}

// { issuer, rotate(keys), token(), stop(), requests }: `fields` are put into the answer with the keys.
export async function oidcProvider(t, keys, { fields = {}, port } = {}) {
  const server = await keyServer(t, null, { port });
  const provider = { issuer: server.origin, stop: server.stop, port: server.port, requests: server.requests };
  provider.rotate = (...newKeys) => {
    const handle = providerOf(provider.issuer, newKeys);
    server.answer = (request, response) => {
      if (request.url === '/jwks') for (const [name, value] of Object.entries(fields)) response.setHeader(name, value);
      handle(request, response);
    };
  };
  provider.fetches = () => server.requests.filter(({ url }) => url === '/jwks').length;
  provider.token = async () => {
    const basic = Buffer.from(`${client.id}:${encodeURIComponent(client.secret)}`).toString('base64');
    const answer = await within('a token of the provider', fetch(`${provider.issuer}/token`, {
      method: 'POST', headers: { Authorization: `Basic ${basic}`, Connection: 'close' },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    }));
    return remember((await answer.json()).access_token);
  };
  provider.rotate(...keys);
  return provider;
}
