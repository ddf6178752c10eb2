#include "gateway/raw_members.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>

namespace gateway {
namespace {

// A vector of the compiler's own: what is looked for is found 16 octets at a time.
using Lanes [[gnu::vector_size(16)]] = std::uint8_t;
using Hits [[gnu::vector_size(16)]] = std::int8_t;
static_assert(sizeof(Lanes) == RawMembers::padding_octets);

// The index of the first octet that hit; sizeof(Hits): none did.
std::size_t first_of(Hits hits) {
  std::array<std::uint64_t, 2> words;
  static_assert(sizeof words == sizeof hits);
  std::memcpy(words.data(), &hits, sizeof hits);
  const auto octets_before = [](std::uint64_t word) {
    const int bits = std::endian::native == std::endian::little ? std::countr_zero(word)
                                                                : std::countl_zero(word);
    return static_cast<std::size_t>(bits) / 8;
  };
  return words[0] != 0 ? octets_before(words[0]) : 8 + octets_before(words[1]);
}

// The first octet of interest, else `end`.
template <typename Interest>
const char* find(const char* at, const char* end, Interest interest) {
  for (; at < end; at += sizeof(Lanes)) {
    Lanes octets;
    std::memcpy(&octets, at, sizeof octets);
    const std::size_t index = first_of(interest(octets));
    if (index < sizeof octets) return std::min(at + index, end);
  }
  return end;
}

Hits quote_or_backslash(Lanes octets) { return (octets == '"') | (octets == '\\'); }

// '[' and '{' differ in one bit, ']' and '}' in the same; it makes one kind of them and costs
// nothing else: outside of strings, JSON has no control character that would become a quote.
constexpr std::uint8_t brace_bit = '{' ^ '[';

bool is_opening(char c) { return c == '{' || c == '['; }

Hits quote_or_bracket(Lanes octets) {
  const Lanes folded = octets | brace_bit;
  return (octets == '"') | (folded == '{') | (folded == '}');
}

// From behind the opening quote to behind the closing one.
const char* past_string(const char* at, const char* end) {
  while (at < end) {
    at = find(at, end, quote_or_backslash);
    if (at < end && *at == '"') return at + 1;
    at += 2;  // of an escape as long as "\u0022", too, the rest cannot be a quote
  }
  return end;
}

// The same where it is known how long the string is without its escapes, which make it longer.
// Where it would then end, a quote that is not escaped ends it; most strings have no escape.
const char* past_string(const char* at, const char* end, std::size_t octets) {
  if (octets >= static_cast<std::size_t>(end - at)) return past_string(at, end);
  const char* const quote = at + octets;  // before an empty string's, there is the opening one
  return quote[0] == '"' && quote[-1] != '\\' ? quote + 1 : past_string(at, end);
}

struct Container {
  const char* end;    // behind its closing bracket
  std::size_t depth;  // of itself and what is inside: 1, where there is nothing nested
};

// From behind the opening bracket.
Container past_container(const char* at, const char* end) {
  std::size_t depth = 1;
  std::size_t deepest = 1;
  while (depth > 0) {
    at = find(at, end, quote_or_bracket);
    if (at >= end) return {end, deepest};
    const char c = *at++;
    if (c == '"') {
      at = past_string(at, end);
    } else if (is_opening(c)) {
      deepest = std::max(deepest, ++depth);
    } else {
      --depth;
    }
  }
  return {at, deepest};
}

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

const char* past_space(const char* at, const char* end) {
  while (at < end && is_space(*at)) ++at;
  return at;
}

const char* before_space(const char* begin, const char* end) {
  while (end > begin && is_space(end[-1])) --end;
  return end;
}

bool ends_scalar(char c) { return c == ',' || is_space(c); }

}  // namespace

RawMembers::RawMembers(std::string_view object)
    : at_(past_space(object.data(), object.data() + object.size())),
      end_(before_space(at_, object.data() + object.size())) {
  assert(end_ - at_ >= 2 && *at_ == '{' && end_[-1] == '}');
  ++at_;
  --end_;
}

std::string_view RawMembers::next(const Member& member) {
  const char* at = past_space(at_, end_);
  if (at < end_ && *at == ',') at = past_space(at + 1, end_);
  assert(at < end_ && *at == '"');
  at = past_space(past_string(at + 1, end_, member.name_octets), end_);
  assert(at < end_ && *at == ':');
  at = past_space(at + 1, end_);
  assert(at < end_);
  at_ = past_value(at, member);
  return {at, at_};
}

const char* RawMembers::past_value(const char* at, const Member& member) const {
  if (member.last) return before_space(at, end_);
  if (member.string_octets) return past_string(at + 1, end_, *member.string_octets);
  if (is_opening(*at)) return past_container(at + 1, end_).end;
  return std::find_if(at, end_, ends_scalar);
}

std::size_t json_depth(std::string_view text) {
  const char* const end = text.data() + text.size();
  const char* const at = find(text.data(), end, quote_or_bracket);
  return at < end && is_opening(*at) ? past_container(at + 1, end).depth : 0;
}

}  // namespace gateway
