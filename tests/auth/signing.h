// Keys and signatures for tests, made with OpenSSL alone: nothing here goes through what is tested
// but base64url.
#pragma once

#include <string>
#include <string_view>

#include "auth/algorithm.h"
#include "auth/openssl.h"

namespace tests {

class SigningKey {
 public:
  static SigningKey rsa(int bits, unsigned exponent = 65537);
  static SigningKey rsa_pss(int bits);
  static SigningKey of_type(const char* type);  // ED25519, ED448, X25519
  static SigningKey ec(const char* curve, bool named = true);

  std::string private_pem() const;
  // SubjectPublicKeyInfo; with octets behind it that do not belong there.
  std::string public_pem(std::string_view junk = {}) const;
  std::string pkcs1_pem() const;        // BEGIN RSA PUBLIC KEY
  std::string certificate_pem() const;  // signed by itself, long expired

  // A JWK of the public key; `more` is put behind its members: R"(,"kid":"1")".
  std::string jwk(std::string_view more = {}) const;

  std::string sign(auth::Algorithm algorithm, std::string_view input) const;

  EVP_PKEY* get() const { return key_.get(); }

 private:
  explicit SigningKey(EVP_PKEY* key);

  auth::OwnedKey key_;
};

// Made once, as making them takes long.
const SigningKey& rsa_key();
const SigningKey& other_rsa_key();
const SigningKey& ec_key(auth::Algorithm algorithm);  // on the curve of ES256, ES384 or ES512
const SigningKey& ed25519_key();

// The key among these that signs it; not for HMAC.
const SigningKey& key_for(auth::Algorithm algorithm);

std::string hmac(auth::Algorithm algorithm, std::string_view secret, std::string_view input);

// 32 octets and more, for the HMAC algorithms.
inline constexpr std::string_view secret = "correct horse battery staple, and then some";

// By key_for(algorithm), or `secret`.
std::string sign(auth::Algorithm algorithm, std::string_view input);

// BASE64URL(header).BASE64URL(claims)
std::string signing_input(std::string_view header_json, std::string_view claims_json);

// A whole token whose JOSE header is {"alg":"<algorithm>"}.
std::string token(auth::Algorithm algorithm, std::string_view claims_json);

// A whole token with any header, signed as `algorithm`.
std::string token(auth::Algorithm algorithm, std::string_view header_json,
                  std::string_view claims_json);

// {"keys":[...]}
std::string jwk_set(std::string_view jwks);

}  // namespace tests
