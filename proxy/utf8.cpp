// The one door of this room to simdjson, which validates; what it cannot do is read a text in
// pieces.
#include "proxy/utf8.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <simdjson.h>

namespace proxy {

namespace {

constexpr std::size_t chunk_octets = 2048;  // unmasked on the stack to be validated

// simdjson takes some 20 ns to begin, so up to here we look for ASCII first; behind, it is faster.
constexpr std::size_t short_octets = 1024;

using MaskingKey = std::array<std::uint8_t, 4>;

// A vector of the compiler's own, since gcc 12 leaves plain loops of unknown length alone at -O2.
using Lanes [[gnu::vector_size(16)]] = std::uint64_t;
constexpr std::size_t block_octets = 4 * sizeof(Lanes);  // masked or looked at in one step

constexpr std::uint64_t high_bits = 0x8080808080808080;

// The key as the payload's octets number `offset` to `offset` + 7 meet it.
std::uint64_t key_word(const MaskingKey& key, std::size_t offset) {
  std::uint32_t word;
  static_assert(sizeof word == sizeof key);
  std::memcpy(&word, key.data(), sizeof word);
  const auto turn = static_cast<int>(offset % sizeof word * 8);
  word = std::endian::native == std::endian::little ? std::rotr(word, turn) : std::rotl(word, turn);
  return word * 0x1'0000'0001U;
}

template <typename T>
T load(const char* octets) {
  T value;
  std::memcpy(&value, octets, sizeof value);
  return value;
}

template <typename T>
void store(char* octets, T value) {
  std::memcpy(octets, &value, sizeof value);
}

bool is_ascii(std::string_view octets) { return unmask_is_ascii(octets, MaskingKey{}, 0); }

// How long the character is that begins with this octet (RFC 3629 section 4); 0: none does.
std::size_t character_octets(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// Can these octets, at least one, begin (or be) a character? RFC 3629 section 4: after some leads
// the second octet has less to choose from: no overlong form, no surrogate, nothing over U+10FFFF.
bool may_begin_character(std::string_view octets) {
  const auto lead = static_cast<unsigned char>(octets.front());
  if (octets.size() > character_octets(lead)) return false;
  for (std::size_t i = 1; i < octets.size(); ++i) {
    const auto octet = static_cast<unsigned char>(octets[i]);
    unsigned char lowest = 0x80;
    unsigned char highest = 0xBF;
    if (i == 1 && lead == 0xE0) lowest = 0xA0;
    if (i == 1 && lead == 0xED) highest = 0x9F;
    if (i == 1 && lead == 0xF0) lowest = 0x90;
    if (i == 1 && lead == 0xF4) highest = 0x8F;
    if (octet < lowest || octet > highest) return false;
  }
  return true;
}

// How many octets at the end belong to a character that is not whole yet; 0 to 3.
std::size_t cut_octets(std::string_view octets) {
  const auto within = std::min<std::size_t>(octets.size(), 3);
  for (std::size_t back = 1; back <= within; ++back) {
    const auto octet = static_cast<unsigned char>(octets[octets.size() - back]);
    if ((octet & 0xC0) == 0x80) continue;
    return character_octets(octet) > back ? back : 0;
  }
  return 0;
}

}  // namespace

bool valid_utf8(std::string_view octets) {
  if (octets.size() <= short_octets && is_ascii(octets)) return true;
  return simdjson::validate_utf8(octets.data(), octets.size());
}

bool valid_utf8_masked(std::string_view octets, const MaskingKey& key) {
  if (octets.size() > chunk_octets) {
    Utf8Validator validator;
    return validator.receive_masked(octets, key, 0) && validator.complete();
  }
  if (unmask_is_ascii(octets, key, 0)) return true;
  std::array<char, chunk_octets> unmasked;
  unmask(octets, key, 0, unmasked.data());
  return simdjson::validate_utf8(unmasked.data(), octets.size());
}

void unmask(std::string_view octets, const MaskingKey& key, std::size_t offset, char* out) {
  const auto mask = key_word(key, offset);
  const Lanes masks = {mask, mask};
  while (octets.size() >= block_octets) {
#pragma GCC unroll 4
    for (std::size_t at = 0; at < block_octets; at += sizeof masks) {
      store<Lanes>(out + at, load<Lanes>(octets.data() + at) ^ masks);
    }
    octets.remove_prefix(block_octets);
    out += block_octets;
  }
  while (octets.size() >= sizeof mask) {
    store(out, load<std::uint64_t>(octets.data()) ^ mask);
    octets.remove_prefix(sizeof mask);
    out += sizeof mask;
  }
  const auto last = std::bit_cast<std::array<char, sizeof mask>>(mask);
  for (std::size_t i = 0; i < octets.size(); ++i) out[i] = static_cast<char>(octets[i] ^ last[i]);
}

bool unmask_is_ascii(std::string_view octets, const MaskingKey& key, std::size_t offset) {
  const auto mask = key_word(key, offset);
  const Lanes masks = {mask, mask};
  while (octets.size() >= block_octets) {
    Lanes seen{};
#pragma GCC unroll 4
    for (std::size_t at = 0; at < block_octets; at += sizeof masks) {
      seen |= load<Lanes>(octets.data() + at) ^ masks;
    }
    if ((seen[0] | seen[1]) & high_bits) return false;
    octets.remove_prefix(block_octets);
  }
  std::uint64_t seen = 0;
  while (octets.size() >= sizeof mask) {
    seen |= load<std::uint64_t>(octets.data()) ^ mask;
    octets.remove_prefix(sizeof mask);
  }
  const auto last = std::bit_cast<std::array<char, sizeof mask>>(mask);
  for (std::size_t i = 0; i < octets.size(); ++i) {
    seen |= static_cast<std::uint8_t>(octets[i] ^ last[i]);
  }
  return (seen & high_bits) == 0;
}

bool Utf8Validator::fail() {
  begun_size_ = failed;
  return false;
}

// Completes the character that an earlier piece began, as far as `octets` go.
bool Utf8Validator::finish_begun(std::string_view& octets) {
  const auto wanted = character_octets(static_cast<unsigned char>(begun_[0]));
  std::array<char, 4> character{begun_[0], begun_[1], begun_[2]};
  std::size_t size = begun_size_;
  while (size < wanted && !octets.empty()) {
    character[size++] = octets.front();
    octets.remove_prefix(1);
    if (!may_begin_character({character.data(), size})) return fail();
  }
  if (size == wanted) {
    begun_size_ = 0;
    return true;
  }
  std::copy_n(character.begin(), begun_.size(), begun_.begin());
  begun_size_ = static_cast<std::uint8_t>(size);
  return true;
}

bool Utf8Validator::receive(std::string_view octets) {
  if (begun_size_ == failed) return false;
  if (begun_size_ > 0 && !finish_begun(octets)) return false;
  if (is_ascii(octets)) return true;

  const auto cut = octets.substr(octets.size() - cut_octets(octets));
  octets.remove_suffix(cut.size());
  if (!simdjson::validate_utf8(octets.data(), octets.size())) return fail();
  if (cut.empty()) return true;
  if (!may_begin_character(cut)) return fail();
  std::copy(cut.begin(), cut.end(), begun_.begin());
  begun_size_ = static_cast<std::uint8_t>(cut.size());
  return true;
}

bool Utf8Validator::receive_masked(std::string_view octets, const MaskingKey& key,
                                   std::size_t offset) {
  if (begun_size_ == 0 && unmask_is_ascii(octets, key, offset)) return true;
  std::array<char, chunk_octets> unmasked;
  while (!octets.empty()) {
    const auto chunk = octets.substr(0, unmasked.size());
    unmask(chunk, key, offset, unmasked.data());
    if (!receive({unmasked.data(), chunk.size()})) return false;
    offset += chunk.size();
    octets.remove_prefix(chunk.size());
  }
  return begun_size_ != failed;
}

}  // namespace proxy
