// Where what the gateways say is kept for the whole run.
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));
export const binary = process.env.GATEHOUSE ?? join(root, 'build/gateway/gatehouse');
export const outputFolder = process.env.GATEHOUSE_OUTPUT ?? join(tmpdir(), `gatehouse-e2e-${process.pid}`);
export const logFolder = join(outputFolder, 'logs');
export const secretsFile = join(outputFolder, 'secrets');
mkdirSync(logFolder, { recursive: true });
