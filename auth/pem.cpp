#include "auth/pem.h"

#include <optional>
#include <string>

#include <openssl/pem.h>

namespace auth {
namespace {

constexpr std::size_t pem_octets_max = 64 * 1024;

std::unexpected<KeyError> fault(std::string what) { return std::unexpected(KeyError{what}); }

struct FreeOctets {
  void operator()(void* octets) const { OPENSSL_free(octets); }
};

struct Block {
  std::string label;  // "PUBLIC KEY"
  std::unique_ptr<unsigned char, FreeOctets> der;
  long octets = 0;
};

std::optional<Block> read_block(BIO* pem) {
  char* label = nullptr;
  char* header = nullptr;
  unsigned char* der = nullptr;
  Block block;
  if (PEM_read_bio(pem, &label, &header, &der, &block.octets) != 1) return std::nullopt;
  const std::unique_ptr<char, FreeOctets> owned_label(label), owned_header(header);
  block.der.reset(der);
  block.label = label;
  return block;
}

// d2i_* move the pointer behind what they read: what is left over is no part of the key.
OwnedKey decode(const Block& block) {
  const unsigned char* at = block.der.get();
  const unsigned char* const end = at + block.octets;
  OwnedKey key;
  if (block.label == PEM_STRING_PUBLIC) {
    key.reset(d2i_PUBKEY(nullptr, &at, block.octets));
  } else if (block.label == PEM_STRING_RSA_PUBLIC) {
    key.reset(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, block.octets));
  } else {
    const OwnedCertificate certificate(d2i_X509(nullptr, &at, block.octets));
    if (certificate) key.reset(X509_get_pubkey(certificate.get()));
  }
  return at == end ? std::move(key) : nullptr;
}

OwnedBio reader(std::string_view text) {
  return OwnedBio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

}  // namespace

std::expected<OwnedKey, KeyError> parse_public_pem(std::string_view pem) {
  const QuietErrors quiet;
  if (pem.size() > pem_octets_max) return fault("too long for one key in PEM");
  const OwnedBio bio = reader(pem);
  const auto block = read_block(bio.get());
  if (!block) return fault("no key in PEM: there is no '-----BEGIN PUBLIC KEY-----'");
  if (block->label.ends_with("PRIVATE KEY") || block->label == PEM_STRING_ECPARAMETERS) {
    return fault(
        "a private key: tokens are verified with the public one, which "
        "'openssl pkey -in FILE -pubout' makes of it");
  }
  if (block->label != PEM_STRING_PUBLIC && block->label != PEM_STRING_RSA_PUBLIC &&
      block->label != PEM_STRING_X509 && block->label != PEM_STRING_X509_OLD) {
    return fault("neither a public key nor a certificate in PEM");
  }
  if (read_block(bio.get()))
    return fault("more than one key or certificate: give each its own file");
  OwnedKey key = decode(*block);
  if (!key) return fault("a key or certificate in PEM that cannot be read");
  return key;
}

std::expected<OwnedKey, KeyError> parse_private_pem(std::string_view pem) {
  const QuietErrors quiet;
  if (pem.size() > pem_octets_max) return fault("too long for one key in PEM");
  const OwnedBio bio = reader(pem);
  // Without a callback OpenSSL would ask the terminal for a passphrase.
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  OwnedKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key) return fault("no private key in PEM that can be read without a passphrase");
  return key;
}

}  // namespace auth
