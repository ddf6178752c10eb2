// sign.mjs FOLDER: keys and one valid token for each of the thirteen algorithms.
//   keys.json            a JWK Set of all public keys and secrets, each with its kid and alg
//   ALGORITHM.public     SubjectPublicKeyInfo in PEM, or the secret
//   ALGORITHM.private    PKCS #8 in PEM, or the secret
//   ALGORITHM.token      names its key; ALGORITHM.plain: does not
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { algorithms, audience, issuer, jose, now } from "./exchange.mjs";

const folder = process.argv[2];
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });

function makeKeys(algorithm) {
  switch (algorithm) {
    case "ES256": return generateKeyPairSync("ec", { namedCurve: "P-256" });
    case "ES384": return generateKeyPairSync("ec", { namedCurve: "P-384" });
    case "ES512": return generateKeyPairSync("ec", { namedCurve: "P-521" });
    case "EdDSA": return generateKeyPairSync("ed25519");
    default: return rsa;
  }
}

function write(name, text) {
  writeFileSync(join(folder, name), text);
}

const keys = [];
for (const alg of algorithms) {
  const kid = `key of ${alg}`;
  let signingKey;
  let jwk;
  if (alg.startsWith("HS")) {
    // Text, so that it is the same octets in a file.
    const secret = randomBytes(64).toString("base64url");
    signingKey = new TextEncoder().encode(secret);
    jwk = { kty: "oct", k: Buffer.from(secret).toString("base64url") };
    write(`${alg}.public`, secret);
    write(`${alg}.private`, secret);
  } else {
    const { publicKey, privateKey } = makeKeys(alg);
    signingKey = privateKey;
    jwk = await jose.exportJWK(publicKey);
    write(`${alg}.public`, publicKey.export({ type: "spki", format: "pem" }));
    write(`${alg}.private`, privateKey.export({ type: "pkcs8", format: "pem" }));
  }
  keys.push({ ...jwk, kid, alg, use: "sig", key_ops: ["verify"] });

  const claims = {
    iss: issuer, sub: `jörg ${alg}`, aud: ["other", audience], jti: alg,
    iat: now - 10, nbf: now - 10.5, exp: now + 3600.25,
    teams: ["red", 7, null, { deep: [true] }],
  };
  const sign = (header) => new jose.SignJWT(claims).setProtectedHeader(header).sign(signingKey);
  write(`${alg}.token`, await sign({ alg, kid, typ: "at+jwt" }));
  write(`${alg}.plain`, await sign({ alg }));
}
write("keys.json", JSON.stringify({ keys }));
