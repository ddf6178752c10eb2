// What both directions agree on. jose is among the packages of the end-to-end tests.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../e2e/package.json", import.meta.url));

function load() {
  try {
    return require("jose");
  } catch (error) {
    console.error(`jose is not installed; 'npm ci' in tests/e2e does it (${error.code})`);
    process.exit(1);
  }
}

export const jose = load();

export const algorithms = [
  "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
  "ES256", "ES384", "ES512", "EdDSA",
];

export const now = 1_790_000_000;
export const issuer = "https://id.example.com/";
export const audience = "realtime";
