#include "proxy/tls_certificate.h"

#include <doctest/doctest.h>

#include "tests/fakes/certificates.h"

namespace {

using namespace std::chrono_literals;
using proxy::CertificateError;
using proxy::TlsCertificate;
using tests::Certificate;

std::string error_of(const std::string& chain, const std::string& key) {
  const auto parsed = TlsCertificate::parse(chain, key);
  if (parsed) return "";
  const bool of_key = parsed.error().of == CertificateError::Of::Key;
  return (of_key ? "key: " : "certificate: ") + parsed.error().what;
}

}  // namespace

TEST_CASE("a certificate, its chain and its key are read, and its names are in lower case") {
  const Certificate authority({.names = "", .authority = true});
  const Certificate own({.names = "DNS:Chat.Example, DNS:*.example.com, IP:127.0.0.1"}, &authority);
  const auto parsed = TlsCertificate::parse(own.pem() + authority.pem(), own.key_pem()).value();
  CHECK(parsed.names() == std::vector<std::string>{"chat.example", "*.example.com"});
  CHECK(parsed.chain().size() == 2);
  const auto left = parsed.not_after() - std::chrono::system_clock::now();
  CHECK(left > 23h);
  CHECK(left <= 24h);
}

TEST_CASE("what is no certificate, or not its key, is said to be so") {
  const Certificate own({});
  const Certificate other({});
  CHECK(error_of("", own.key_pem()) == "certificate: no certificate in PEM is in it");
  CHECK(error_of(own.key_pem(), own.key_pem()) == "certificate: no certificate in PEM is in it");
  auto cut = own.pem();
  cut.resize(cut.size() / 2);
  CHECK(error_of(own.pem() + cut, own.key_pem()) ==
        "certificate: certificate 2 of it cannot be read");
  CHECK(error_of(own.pem(), "") == "key: no private key in PEM without a passphrase is in it");
  CHECK(error_of(own.pem(), own.pem()) ==
        "key: no private key in PEM without a passphrase is in it");
  CHECK(error_of(own.pem(), other.key_pem()) == "key: it is not the key of the certificate");
  CHECK(error_of(own.pem(), own.key_pem()) == "");
}

TEST_CASE("a key that is too short is not taken") {
  const Certificate weak({.rsa_bits = 1024});
  CHECK(error_of(weak.pem(), weak.key_pem()) ==
        "key: an RSA key of 1024 bits: it must have at least 2048");
  const Certificate good({.rsa_bits = 2048});
  CHECK(error_of(good.pem(), good.key_pem()) == "");
}

TEST_CASE("a chain has at most 16 certificates") {
  const Certificate own({});
  std::string chain;
  for (std::size_t i = 0; i < TlsCertificate::chain_max; ++i) chain += own.pem();
  CHECK(error_of(chain, own.key_pem()) == "");
  CHECK(error_of(chain + own.pem(), own.key_pem()) == "certificate: more than 16 certificates");
}

TEST_CASE("authorities are all certificates of a file") {
  const Certificate first({.authority = true});
  const Certificate second({.authority = true});
  CHECK(proxy::parse_authorities(first.pem() + second.pem()).value().size() == 2);
  CHECK(!proxy::parse_authorities("nothing"));
}
