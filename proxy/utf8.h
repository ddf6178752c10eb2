// UTF-8 (RFC 3629), as RFC 6455 section 8.1 wants it checked: whole, or as it arrives, masked or
// not; and the masking itself (RFC 6455 section 5.3), which on this path goes with it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace proxy {

bool valid_utf8(std::string_view octets);
bool valid_utf8_masked(std::string_view octets, const std::array<std::uint8_t, 4>& key);

// Masks or unmasks `octets`, of which the first is the payload's octet number `offset`. `out` is
// octets.data() itself or does not overlap with it.
void unmask(std::string_view octets, const std::array<std::uint8_t, 4>& key, std::size_t offset,
            char* out);

// Would these octets be ASCII once unmasked? Writes nothing.
bool unmask_is_ascii(std::string_view octets, const std::array<std::uint8_t, 4>& key,
                     std::size_t offset);

// A text that arrives in pieces, cut anywhere. False at the first octet after which it can no
// longer become valid, not only when a character is complete; from then on, always.
class Utf8Validator {
 public:
  bool receive(std::string_view octets);
  bool receive_masked(std::string_view octets, const std::array<std::uint8_t, 4>& key,
                      std::size_t offset);

  // True where a text may end: valid so far, and not inside a character.
  bool complete() const { return begun_size_ == 0; }

 private:
  static constexpr std::uint8_t failed = 0xFF;

  bool fail();
  bool finish_begun(std::string_view& octets);

  std::array<char, 3> begun_{};  // a character of which the end has not come yet
  std::uint8_t begun_size_ = 0;  // or `failed`
};

}  // namespace proxy
