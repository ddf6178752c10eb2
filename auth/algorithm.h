// The signature algorithms of tokens (RFC 7518 section 3.1, RFC 8037 section 3.1), and sets of
// them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

namespace auth {

enum class Algorithm : std::uint8_t {
  HS256,
  HS384,
  HS512,
  RS256,
  RS384,
  RS512,
  PS256,
  PS384,
  PS512,
  ES256,
  ES384,
  ES512,
  EdDSA,
};
inline constexpr std::size_t algorithms_count = 13;

// Case-sensitive (RFC 7515 section 4.1.1). There is no "none".
std::optional<Algorithm> parse_algorithm(std::string_view name);
std::string_view name_of(Algorithm algorithm);

class AlgorithmSet {
 public:
  constexpr AlgorithmSet() = default;
  constexpr AlgorithmSet(std::initializer_list<Algorithm> algorithms) {
    for (Algorithm algorithm : algorithms) add(algorithm);
  }
  constexpr explicit AlgorithmSet(std::span<const Algorithm> algorithms) {
    for (Algorithm algorithm : algorithms) add(algorithm);
  }

  constexpr void add(Algorithm algorithm) { bits_ = bits_ | bit(algorithm); }
  constexpr bool contains(Algorithm algorithm) const { return (bits_ & bit(algorithm)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }

  friend constexpr AlgorithmSet operator&(AlgorithmSet a, AlgorithmSet b) {
    AlgorithmSet both;
    both.bits_ = a.bits_ & b.bits_;
    return both;
  }
  friend constexpr bool operator==(AlgorithmSet, AlgorithmSet) = default;

 private:
  static constexpr std::uint32_t bit(Algorithm algorithm) {
    return std::uint32_t{1} << static_cast<unsigned>(algorithm);
  }

  std::uint32_t bits_ = 0;
};

inline constexpr AlgorithmSet hmac_algorithms{Algorithm::HS256, Algorithm::HS384, Algorithm::HS512};
inline constexpr AlgorithmSet rsa_pss_algorithms{Algorithm::PS256, Algorithm::PS384,
                                                 Algorithm::PS512};
inline constexpr AlgorithmSet rsa_algorithms{Algorithm::RS256, Algorithm::RS384, Algorithm::RS512,
                                             Algorithm::PS256, Algorithm::PS384, Algorithm::PS512};

}  // namespace auth
