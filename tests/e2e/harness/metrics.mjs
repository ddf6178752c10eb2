// GET /metrics as a Prometheus would, read by a parser that others wrote.
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import parse from 'parse-prometheus-text-format';
import { logFolder } from './output.mjs';
import { until, within } from './wait.mjs';

// Searched for secrets after the run, as the logs are.
const said = join(logFolder, `${process.pid}-metrics.log`);

export function getMetrics(gateway, fields = {}) {
  return within('GET /metrics', new Promise((resolve, reject) => {
    const options = { port: gateway.adminPort, host: '127.0.0.1', path: '/metrics', headers: fields, agent: false };
    http.get(options, (response) => {
      let body = '';
      response.on('data', (text) => (body += text));
      response.on('end', () => {
        appendFileSync(said, body);
        resolve({ status: response.statusCode, type: response.headers['content-type'], body });
      });
    }).on('error', reject);
  }));
}

const sameLabels = (sample, labels) => {
  const names = Object.keys(labels);
  return names.length === Object.keys(sample).length && names.every((name) => sample[name] === labels[name]);
};

// What one scrape says. value('x_total', { side: 'client' }): of the sample with just these labels.
export async function scrape(gateway, fields) {
  const { status, type, body } = await getMetrics(gateway, fields);
  assert.equal(status, 200, body);
  assert.match(type, /^text\/plain; version=0\.0\.4/);
  const families = new Map(parse(body).map((family) => [family.name, family]));
  return {
    body,
    families,
    value(name, labels = {}) {
      const family = families.get(name);
      assert.ok(family, `there is no ${name}`);
      const found = family.metrics.filter((metric) => sameLabels(metric.labels ?? {}, labels));
      assert.equal(found.length, 1, `${name} ${JSON.stringify(labels)} is there ${found.length} times`);
      return Number(found[0].value);
    },
    // Of a histogram without labels: how many it has counted.
    count: (name) => Number(families.get(name).metrics[0].buckets['+Inf']),
  };
}

// Waits until a scrape says so: a client sees its answer before others see what was counted.
export function untilMetric(gateway, wanted, name, labels) {
  return until(`${name} ${JSON.stringify(labels ?? {})} to be ${wanted}`,
    async () => (await scrape(gateway)).value(name, labels) === wanted);
}
