// verify.mjs FOLDER: jose accepts each ALGORITHM.ours that jose_test.cpp wrote, with its own keys.
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { algorithms, audience, issuer, jose, now } from "./exchange.mjs";

const folder = process.argv[2];
const read = (name) => readFileSync(join(folder, name), "utf8");
const keySet = jose.createLocalJWKSet({
  keys: JSON.parse(read("keys.json")).keys.filter((key) => key.kty !== "oct"),
});

for (const alg of algorithms) {
  const token = read(`${alg}.ours`);
  const options = { algorithms: [alg], issuer, audience, typ: "JWT", currentDate: new Date(now * 1000) };
  const hmac = alg.startsWith("HS");
  const text = read(`${alg}.public`);
  const key = hmac ? new TextEncoder().encode(text) : createPublicKey(text);
  const { payload, protectedHeader } = await jose.jwtVerify(token, key, options);
  assert.equal(payload.sub, `alice ${alg}`);
  assert.equal(payload.exp, now + 60);
  assert.deepEqual(payload.teams, ["red", 7, null]);
  assert.equal(protectedHeader.kid, `key of ${alg}`);
  if (!hmac) await jose.jwtVerify(token, keySet, options);

  const forged = token.slice(0, -8) + (token.at(-8) === "A" ? "B" : "A") + token.slice(-7);
  await assert.rejects(jose.jwtVerify(forged, key, options), { code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" });
}
console.log(`jose accepts the tokens of all ${algorithms.length} algorithms`);
