// What it takes to verify a token: the whole of it, from the text of a token that was never seen
// before to the principal, beside OpenSSL's own verification of the same signatures. In processor
// time of this thread. Rounds alternate, and what is shown are medians.
//
// A raw ECDSA signature (RFC 7518 section 3.4) is what a token has, and DER what OpenSSL takes: its
// own time is measured with that, and turning one into the other is ours.
#include <algorithm>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include "auth/base64url.h"
#include "auth/token.h"
#include "tests/auth/signing.h"

namespace {

using auth::Algorithm;

constexpr auth::WallTime now{std::chrono::seconds(1'800'000'000)};
constexpr std::size_t tokens_count = 2'000;
constexpr int rounds = 9;

struct Signed {
  std::string token;
  std::string input;      // what is signed
  std::string signature;  // as OpenSSL takes it
};

std::string der_of(const std::string& raw) {
  const auto* octets = reinterpret_cast<const unsigned char*>(raw.data());
  const auto half = raw.size() / 2;
  const std::unique_ptr<ECDSA_SIG, void (*)(ECDSA_SIG*)> pair(ECDSA_SIG_new(), ECDSA_SIG_free);
  ECDSA_SIG_set0(pair.get(), BN_bin2bn(octets, static_cast<int>(half), nullptr),
                 BN_bin2bn(octets + half, static_cast<int>(half), nullptr));
  std::string der(static_cast<std::size_t>(i2d_ECDSA_SIG(pair.get(), nullptr)), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(pair.get(), &out);
  return der;
}

std::vector<Signed> make_tokens(Algorithm algorithm) {
  std::vector<Signed> made;
  for (std::size_t i = 0; i < tokens_count; ++i) {
    Signed next;
    next.input = tests::signing_input(
        fmt::format(R"({{"alg":"{}","typ":"JWT"}})", auth::name_of(algorithm)),
        fmt::format(R"({{"iss":"https://id.example/","sub":"user-{}","aud":"realtime",)"
                    R"("iat":1799999990,"exp":1800000600,"jti":"{:032x}",)"
                    R"("teams":["red","green"],"role":"editor"}})",
                    i, i));
    const auto raw = tests::sign(algorithm, next.input);
    next.token = next.input + '.' + auth::base64url_encode(raw);
    next.signature = algorithm == Algorithm::ES256 ? der_of(raw) : raw;
    made.push_back(std::move(next));
  }
  return made;
}

auth::TokenVerifier make_verifier(Algorithm algorithm) {
  auth::TokenRules rules;
  rules.authenticator = "users";
  rules.issuer = "https://id.example/";
  rules.audience = {"realtime"};
  rules.algorithms = {algorithm};
  auth::KeySet keys;
  const bool good =
      algorithm == Algorithm::HS256
          ? keys.add_secret(tests::secret, {algorithm}, {}).has_value()
          : keys.add_pem(tests::key_for(algorithm).public_pem(), {algorithm}, {}).has_value();
  if (!good) std::abort();
  return {std::move(rules), std::make_shared<const auth::KeySet>(std::move(keys))};
}

double microseconds_of_each(auto&& work) {
  const auto read = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
  };
  const auto begin = read();
  work();
  return (read() - begin) / tokens_count;
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

void measure(Algorithm algorithm) {
  const auto tokens = make_tokens(algorithm);
  const auto verifier = make_verifier(algorithm);
  const auto whole = [&] {
    for (const auto& each : tokens) {
      const auto parsed = auth::parse_token(each.token);
      if (!parsed || !verifier.verify(*parsed, now)) std::abort();
    }
  };
  const auto bare = [&] {
    EVP_PKEY* key = tests::key_for(algorithm).get();
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                     EVP_MD_CTX_free);
    for (const auto& [token, input, signature] : tokens) {
      EVP_MD_CTX_reset(context.get());
      const bool good =
          EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
          EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                           signature.size(), reinterpret_cast<const unsigned char*>(input.data()),
                           input.size()) == 1;
      if (!good) std::abort();
    }
  };
  whole();  // warms up
  std::vector<double> ours;
  std::vector<double> theirs;
  std::vector<double> ratios;
  for (int i = 0; i < rounds; ++i) {
    ours.push_back(microseconds_of_each(whole));
    if (algorithm == Algorithm::HS256) continue;
    theirs.push_back(microseconds_of_each(bare));
    ratios.push_back(ours.back() / theirs.back());
  }
  fmt::print("{:6} {:7.2f} us", auth::name_of(algorithm), median(ours));
  if (!ratios.empty()) {
    fmt::print("  OpenSSL alone {:7.2f} us  ratio {:.2f}", median(theirs), median(ratios));
  }
  fmt::print("\n");
}

}  // namespace

int main() {
  doctest::Context context;  // whoever signs asserts that it worked
  context.setAsDefaultForAssertsOutOfTestCases();
  context.setAssertHandler([](const doctest::AssertData& data) {
    if (data.m_failed) std::abort();
  });
  for (const auto algorithm : {Algorithm::HS256, Algorithm::RS256, Algorithm::ES256}) {
    measure(algorithm);
  }
}
