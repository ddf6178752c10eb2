// What deploy/ has for others' programs is read by these programs, and fits together.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { rawBackend, wsBackend } from './harness/backends.mjs';
import { atEnd } from './harness/ending.mjs';
import { ask, freePort, gatehouse, jwt, open, startGateway, users } from './harness/gateway.mjs';
import { startHaproxy } from './harness/haproxy.mjs';
import { jwkSet, keyServer, makeKey } from './harness/key_server.mjs';
import { scrape } from './harness/metrics.mjs';
import { binary, root } from './harness/output.mjs';
import { promtool } from './harness/promtool.mjs';
import { startRedis } from './harness/redis.mjs';
import { token } from './harness/tokens.mjs';
import { sleep, until, within } from './harness/wait.mjs';
import { connect } from './harness/wire.mjs';

const deploy = (name) => join(root, 'deploy', name);
const textOf = (name) => readFileSync(deploy(name), 'utf8');

const run = (command, args, { env = {}, input } = {}) => new Promise((resolve) => {
  const child = execFile(command, args, { env: { ...process.env, ...env }, timeout: 60_000, maxBuffer: 16 * 1024 * 1024 },
    (error, out, err) => resolve({ code: error ? error.code : 0, out, err }));
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
});

// Every document of a YAML text, by Debian's own parser.
async function yaml(input) {
  const { code, out, err } = await run('/usr/bin/python3',
    ['-c', 'import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin)), default=str))'], { input });
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

function folder(t) {
  const made = mkdtempSync(join(tmpdir(), 'gatehouse-deploy-'));
  atEnd(t, () => rmSync(made, { recursive: true, force: true }));
  return made;
}

const milliseconds = (text) => {
  const [, number, unit] = /^(\d+)(ms|s|m)$/.exec(text);
  return Number(number) * { ms: 1, s: 1_000, m: 60_000 }[unit];
};

const policyIsGood = async (name, env) => {
  const { code, out } = await gatehouse(['check', '--policy', deploy(name)], { env });
  assert.equal(code, 0, out);
};

describe('the systemd unit', () => {
  const unit = async (t) => {
    const file = join(folder(t), 'gatehouse.service');
    writeFileSync(file, textOf('systemd/gatehouse.service').replace('/usr/bin/gatehouse', binary));
    return file;
  };

  test('is one without a mistake', async (t) => {
    const { code, out, err } = await run('systemd-analyze', ['verify', '--man=no', await unit(t)]);
    assert.equal(code, 0, out + err);
    assert.doesNotMatch(out + err, /gatehouse\.service/);
  });

  test('leaves the process next to nothing: an exposure below 2 of 10', async (t) => {
    const { code, out } = await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', await unit(t)]);
    assert.equal(code, 0, out);
  });

  test('waits longer for the end than a drain takes', async () => {
    const [, seconds] = /^TimeoutStopSec=(\d+)s$/m.exec(textOf('systemd/gatehouse.service'));
    assert.ok(Number(seconds) > 30, 'the default of drain.timeout');
  });
});

describe('compose.yaml', () => {
  const env = { GATEHOUSE_SECRET: 's'.repeat(32), GATEHOUSE_ADMIN_TOKEN: 'token', REDIS_PASSWORD: 'change-me-1' };
  const config = (more = {}) => run('docker-compose', ['-f', deploy('compose.yaml'), 'config'], { env: { ...env, ...more } });

  test('is read by Compose, and asks for the secrets that it has none of', async () => {
    const { code, out, err } = await config();
    assert.equal(code, 0, err);
    const [{ services }] = await yaml(out);
    assert.deepEqual(Object.keys(services).sort(), ['backend', 'gateway-1', 'gateway-2', 'haproxy', 'redis']);
    for (const name of ['gateway-1', 'gateway-2']) {
      assert.equal(services[name].read_only, true);
      assert.deepEqual(services[name].cap_drop, ['ALL']);
    }
    assert.deepEqual(Object.keys(services).filter((name) => services[name].ports), ['haproxy']);
    for (const name of ['GATEHOUSE_SECRET', 'GATEHOUSE_ADMIN_TOKEN']) {
      const without = await config({ [name]: '' });
      assert.notEqual(without.code, 0);
      assert.match(without.err, new RegExp(name));
    }
  });

  test('has a policy that is right, which ends before Compose loses its patience', async () => {
    await policyIsGood('compose.d/policy/policy.yaml', env);
    const [{ drain, trusted_proxies: trusted }] = await yaml(textOf('compose.d/policy/policy.yaml'));
    const [{ networks, 'x-gateway': gateway }] = await yaml(textOf('compose.yaml'));
    assert.ok(milliseconds(gateway.stop_grace_period) > milliseconds(drain.timeout));
    assert.deepEqual(trusted, [networks.default.ipam.config[0].subnet]);
  });

  test('has a Redis with the password that its gateways know', async () => {
    const [{ 'x-gateway': gateway }] = await yaml(textOf('compose.yaml'));
    assert.ok(textOf('redis.acl').includes(`user gatehouse on >${gateway.environment.REDIS_PASSWORD} `));
  });

  test('has an HAProxy whose configuration HAProxy takes', async () => {
    const { code, out, err } = await run('haproxy', ['-c', '-f', deploy('compose.d/haproxy.cfg')]);
    assert.equal(code, 0, out + err);
    const warnings = (out + err).match(/\[(WARNING|ALERT)\].*/g) ?? [];
    assert.deepEqual(warnings.filter((line) => !line.includes('could not resolve address')), [], 'but for names that only Compose knows');
  });
});

describe('HAProxy as compose.yaml has it', () => {
  test('loses no new client while a gateway drains: it looks elsewhere within drain.delay', async (t) => {
    const backend = await wsBackend(t);
    const drain = { delay: '2s', spread: '500ms', timeout: '10s' };  // it asks twice, half a second apart
    const gateways = [];
    for (let i = 0; i < 2; ++i) gateways.push(await startGateway(t, { backend: backend.port, drain, trusted_proxies: ['127.0.0.1/32'] }));
    const port = await freePort();
    await startHaproxy(t, textOf('compose.d/haproxy.cfg').replace('bind :8080', `bind 127.0.0.1:${port}`)
      .replace(/server gateway-([12]) \S+/g, (_, number) => {
        const gateway = gateways[number - 1];
        return `server gateway-${number} 127.0.0.1:${gateway.port} port ${gateway.adminPort}`;
      }), port);
    const status = async () => {
      const answer = await ask(t, { port }, { token: await token() }).catch(() => ({ status: 'none' }));
      if (answer.status === 101) answers.push(answer.peer);
      return answer.status;
    };
    const answers = [];
    await until('HAProxy to let clients in', async () => (await status()) === 101);
    // For proxies alone; HAProxy is one of those, its clients are not.
    const question = async (path, server) => (await ask(t, server, {
      request: `GET ${path} HTTP/1.1\r\nHost: gateway.test\r\nX-Original-URI: /chat\r\nConnection: close\r\n\r\n`,
    })).status;
    assert.equal(await question('/_gatehouse/authorize', gateways[1]), 401);
    assert.equal(await question('/_gatehouse/authorize', { port }), 403);
    for (const path of ['/_gatehouse/%61uthorize', '/%5fgatehouse/authorize']) assert.equal(await question(path, { port }), 404, path);
    const [leaving] = gateways;
    for (let i = 0; i < 10; ++i) assert.equal(await status(), 101);
    const opened = () => leaving.log.filter(({ event }) => event === 'connection_opened').length;
    assert.ok(opened() >= 3 && opened() < 11, 'clients are on both');
    leaving.signal('SIGTERM');
    const began = Date.now();
    let late = 0, seen;
    while (!leaving.exited) {
      assert.equal(await status(), 101, `new client ${++late}`);
      for (const peer of answers.splice(0, 1)) peer.destroy();
      await sleep(10);
      if (Date.now() - began > 1_700) seen ??= opened();
    }
    assert.equal(opened(), seen, 'by then HAProxy sends nobody there');
    assert.deepEqual(leaving.exited, { code: 0, signal: null });
    assert.ok(late > 20);
    const refusals = leaving.log.filter(({ event, path }) => event === 'connection_refused' && path !== '/_gatehouse/authorize');
    assert.deepEqual(refusals, []);
  });
});

describe('kubernetes/', () => {
  const objects = async () => {
    const { code, out, err } = await run('kubectl', ['kustomize', deploy('kubernetes')]);
    assert.equal(code, 0, err);
    return Object.fromEntries((await yaml(out)).map((object) => [object.kind, object]));
  };
  const env = { GATEHOUSE_ADMIN_TOKEN: 'token', JWT_SECRET: 's'.repeat(32) };

  test('is put together by kustomize: what is named is there', async () => {
    const { Deployment, Service, PodDisruptionBudget, ConfigMap } = await objects();
    const { spec, metadata } = Deployment.spec.template;
    assert.equal(ConfigMap.data['policy.yaml'], textOf('kubernetes/policy.yaml'));
    assert.equal(spec.volumes[0].configMap.name, ConfigMap.metadata.name);
    const [container] = spec.containers;
    assert.equal(container.volumeMounts[0].name, spec.volumes[0].name);
    assert.equal(container.volumeMounts[0].mountPath, '/etc/gatehouse');
    const ports = container.ports.map(({ name }) => name);
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      assert.ok(ports.includes(container[probe].httpGet.port), probe);
    }
    assert.ok(ports.includes(Service.spec.ports[0].targetPort));
    for (const selector of [Service.spec.selector, PodDisruptionBudget.spec.selector.matchLabels, Deployment.spec.selector.matchLabels]) {
      assert.deepEqual(selector, metadata.labels);
    }
    assert.ok(Deployment.spec.replicas > PodDisruptionBudget.spec.maxUnavailable);
  });

  test('is what the restricted Pod Security Standard lets in', async () => {
    const { spec } = (await objects()).Deployment.spec.template;
    assert.equal(spec.securityContext.runAsNonRoot, true);
    assert.equal(spec.securityContext.seccompProfile.type, 'RuntimeDefault');
    const [{ securityContext }] = spec.containers;
    assert.equal(securityContext.allowPrivilegeEscalation, false);
    assert.equal(securityContext.readOnlyRootFilesystem, true);
    assert.deepEqual(securityContext.capabilities, { drop: ['ALL'] });
  });

  test('has a policy that is right, whose variables are set, and which ends before it is killed', async () => {
    await policyIsGood('kubernetes/policy.yaml', env);
    const { spec } = (await objects()).Deployment.spec.template;
    assert.deepEqual(spec.containers[0].env.map(({ name }) => name).sort(), Object.keys(env).sort());
    const [{ drain, admin, listen }] = await yaml(textOf('kubernetes/policy.yaml'));
    assert.ok(spec.terminationGracePeriodSeconds * 1_000 > milliseconds(drain.timeout));
    const { periodSeconds, failureThreshold } = spec.containers[0].readinessProbe;
    assert.ok(milliseconds(drain.delay) > periodSeconds * failureThreshold * 1_000, 'a probe sees that it is not ready');
    const portOf = ({ address }) => Number(address.split(':').at(-1));
    assert.deepEqual(spec.containers[0].ports.map(({ containerPort }) => containerPort), [portOf(listen[0]), portOf(admin)]);
  });
});

describe('nginx/gatehouse.conf', () => {
  test('hands clients on, their addresses too, and goes on to the next gateway where one is away', async (t) => {
    const backend = await rawBackend(t);
    const gateway = await startGateway(t, { backend: backend.port, trusted_proxies: ['127.0.0.1/32'] });
    const ports = { 18080: await freePort(), 18081: await freePort(), 18082: gateway.port };
    const made = folder(t);
    const conf = textOf('nginx/gatehouse.conf').replace(/\b1808[012]\b/g, (port) => ports[port]);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${made}/${name};`);
    writeFileSync(join(made, 'nginx.conf'), `daemon off; master_process off; pid ${made}/pid; error_log stderr;
events {} http { access_log off; ${temporary.join(' ')}\n${conf} }`);
    const args = ['-p', made, '-c', join(made, 'nginx.conf')];
    const { code, err } = await run('/usr/sbin/nginx', ['-t', ...args]);
    assert.equal(code, 0, err);
    const child = spawn('/usr/sbin/nginx', args, { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('close', resolve));
    atEnd(t, async () => {
      child.kill();
      await within('nginx to end', ended);
    });
    await until('nginx to listen', () => connect(ports[18080]).then((peer) => peer.destroy() ?? true, () => false));
    for (let i = 0; i < 2; ++i) await open(t, gateway, { port: ports[18080], fields: { 'X-Forwarded-For': '192.0.2.9' } });
    for (const { fields } of backend.heads) assert.deepEqual(fields['x-forwarded-for'], ['127.0.0.1']);
    assert.equal(backend.heads.length, 2);
    // For proxies alone; nginx is one of those, its clients are not.
    const question = 'GET /_gatehouse/authorize HTTP/1.1\r\nHost: gateway.test\r\nX-Original-URI: /chat\r\nConnection: close\r\n\r\n';
    assert.equal((await ask(t, gateway, { request: question })).status, 401);
    assert.equal((await ask(t, gateway, { request: question, port: ports[18080] })).status, 404);
  });
});

describe('the dashboard and the alerts', () => {
  test('are rules that promtool takes', async () => {
    const { code, out } = await promtool(['check', 'rules', deploy('prometheus/alerts.yaml')]);
    assert.equal(code, 0, out);
    assert.match(out, /SUCCESS: \d+ rules found/);
  });

  test('ask for metrics that there are, by labels that these have', async (t) => {
    const backend = await wsBackend(t);
    const redis = await startRedis(t);
    const keys = await keyServer(t, jwkSet(await makeKey('a')));
    const gateway = await startGateway(t, {
      backend: backend.port, redis: { url: redis.url() },
      authenticators: { users: users({ jwt: jwt({ algorithms: ['ES256'], keys: [{ jwks_url: `http://127.0.0.1:${keys.port}/keys` }] }) }) },
    });
    await until('it to be ready', async () => (await gateway.admin('/readyz')).status === 200);
    const { families, body } = await scrape(gateway);
    const known = (name) => families.has(name) || families.get(name.replace(/_(bucket|sum|count)$/, ''))?.type === 'HISTOGRAM';
    for (const file of ['grafana/gatehouse.json', 'prometheus/alerts.yaml']) {
      const used = new Set(textOf(file).match(/\bgatehouse_[a-z_]+/g));
      assert.ok(used.size > 10, file);
      for (const name of used) assert.ok(known(name), `${file}: there is no ${name}`);
      for (const [, labels] of textOf(file).matchAll(/by \(([a-z_, ]+)\)/g)) {
        for (const label of labels.split(/, */)) {
          assert.ok(['instance', 'le'].includes(label) || body.includes(`${label}="`), `${file}: no metric has a label ${label}`);
        }
      }
    }
  });

  test('have every alert with a summary, and every panel with an expression', async () => {
    const [{ groups }] = await yaml(textOf('prometheus/alerts.yaml'));
    for (const rule of groups.flatMap(({ rules }) => rules)) {
      assert.match(rule.alert, /^Gatehouse[A-Za-z]+$/);
      assert.ok(rule.expr && rule.annotations.summary, rule.alert);
    }
    const { panels } = JSON.parse(textOf('grafana/gatehouse.json'));
    for (const panel of panels) assert.ok(panel.type === 'row' || panel.targets.every(({ expr }) => expr), panel.title);
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  });
});
