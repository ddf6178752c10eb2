#include "auth/condition.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <string_view>

#include <jansson.h>

#include "auth/ascii.h"
#include "auth/json.h"
#include "auth/room_pattern.h"

namespace auth {
namespace {

// The words of `scope` (RFC 6749 section 3.3) are separated by one space each; what is between two
// spaces in a row is no word.
bool has_word(std::string_view text, std::string_view word) {
  if (word.empty()) return false;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    if (text.substr(0, space) == word) return true;
    if (space == std::string_view::npos) break;
    text.remove_prefix(space + 1);
  }
  return false;
}

bool has_element(const json_t* array, const Scalar& scalar) {
  for (std::size_t index = 0; index < json_array_size(array); ++index) {
    if (equal(json_array_get(array, index), scalar)) return true;
  }
  return false;
}

constexpr std::string_view subject_claim = "sub";

// What a claim test looks at: a claim, or the subject, which is no claim of its token (it has the
// authenticator's prefix). Strings are in `text` alone.
struct Operand {
  std::optional<std::string_view> text;
  const json_t* value = nullptr;
};

Operand operand_of(std::string_view claim, const Principal& principal) {
  if (claim == subject_claim) return {principal.subject, nullptr};
  const json_t* value = principal.claims.find(claim);
  if (json_is_string(value)) return {string_of(value), nullptr};
  return {std::nullopt, value};
}

bool equals(const Operand& operand, const Scalar& scalar) {
  if (operand.text) {
    const auto* text = std::get_if<std::string>(&scalar);
    return text != nullptr && *text == *operand.text;
  }
  return operand.value != nullptr && equal(operand.value, scalar);
}

bool contains(const Operand& operand, const Scalar& scalar) {
  if (operand.text) {
    const auto* word = std::get_if<std::string>(&scalar);
    return word != nullptr && has_word(*operand.text, *word);
  }
  return json_is_array(operand.value) && has_element(operand.value, scalar);
}

using ClaimTest = bool (*)(const Operand&, const Scalar&);

bool claim_passes(ClaimTest test, const Operand& operand, const Scalar& value, Captures captures) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || !text->contains('{')) return test(operand, value);
  const auto whole = substitute(*text, captures);
  return whole && test(operand, Scalar(*whole));
}

bool claim_holds(const Condition& condition, const Principal& principal, Captures captures) {
  const Operand operand = operand_of(condition.claim, principal);
  const ClaimTest test = condition.kind == Condition::Kind::Contains ? contains : equals;
  return std::ranges::any_of(condition.values, [&](const Scalar& value) {
    return claim_passes(test, operand, value, captures);
  });
}

bool subject_listed(const Condition& condition, const Principal& principal, Captures captures) {
  return std::ranges::any_of(condition.subjects, [&](const std::string& listed) {
    return listed.contains('{') ? substitute(listed, captures) == principal.subject
                                : listed == principal.subject;
  });
}

bool names_action(const json_t* allow, RoomAction action) {
  const std::string_view name = action == RoomAction::Join ? "join" : "publish";
  const std::size_t actions = std::min(json_array_size(allow), capability_actions_max);
  for (std::size_t index = 0; index < actions; ++index) {
    const json_t* word = json_array_get(allow, index);
    if (json_is_string(word) && string_of(word) == name) return true;
  }
  return false;
}

bool grants(const json_t* entry, const RoomRequest& request) {
  const json_t* pattern = entry;
  if (json_is_object(entry)) {
    pattern = json_object_get(entry, "room");
    const json_t* allow = json_object_get(entry, "allow");
    if (json_object_size(entry) != 2 || !names_action(allow, request.action)) return false;
  }
  return json_is_string(pattern) && capability_pattern_fits(string_of(pattern), request.room);
}

bool capability_holds(const Condition& condition, const Principal& principal,
                      const RoomRequest* room) {
  if (room == nullptr) return false;
  const json_t* entries = operand_of(condition.claim, principal).value;  // no array: of size 0
  const std::size_t count = std::min(json_array_size(entries), capability_entries_max);
  for (std::size_t index = 0; index < count; ++index) {
    if (grants(json_array_get(entries, index), *room)) return true;
  }
  return false;
}

// YAML reads these words, in any case, as something else than a string (1.1 or 1.2).
constexpr std::array<std::string_view, 9> reserved_words = {"null", "true", "false", "yes", "no",
                                                            "on",   "off",  "y",     "n"};

// Needs no quotes in YAML's flow style.
bool plain(std::string_view text) {
  const auto harmless = [](char c) {
    return is_letter(c) || is_digit(c) || std::string_view("_-./@:").contains(c);
  };
  return !text.empty() && (is_letter(text.front()) || text.front() == '_') && text.back() != ':' &&
         std::ranges::all_of(text, harmless) &&
         std::ranges::none_of(reserved_words, [&](std::string_view word) {
           return equals_ignoring_case(word, text);
         });
}

std::string in_quotes(std::string_view text) {
  if (plain(text)) return std::string(text);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string whole = "\"";
  for (char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      whole += {'\\', c};
    } else if (octet < 0x20 || octet == 0x7f) {
      whole += {'\\', 'x', digits[octet >> 4], digits[octet & 0xf]};
    } else {
      whole += c;
    }
  }
  return whole + '"';
}

std::string real_text(double real) {
  std::array<char, 32> text;  // the longest double takes 24
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), real);
  return error == std::errc{} ? std::string(text.data(), end) : std::string();
}

std::string describe(const Scalar& scalar) {
  if (const auto* text = std::get_if<std::string>(&scalar)) return in_quotes(*text);
  if (const auto* boolean = std::get_if<bool>(&scalar)) return *boolean ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&scalar)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&scalar)) return real_text(*real);
  return "null";
}

template <class Element, class Text>
std::string list(const std::vector<Element>& elements, Text text) {
  std::string whole = "[";
  for (const Element& element : elements) {
    if (whole.size() > 1) whole += ", ";
    whole += text(element);
  }
  return whole + "]";
}

std::string claim_test(const Condition& condition, std::string_view test,
                       const std::string& operand) {
  return "{claim: " + in_quotes(condition.claim) + ", " + std::string(test) + ": " + operand + "}";
}

std::string condition_list(const std::vector<Condition>& conditions) {
  return list(conditions, [](const Condition& condition) { return describe(condition); });
}

}  // namespace

bool holds(const Condition& condition, const Principal& principal, Captures captures,
           const RoomRequest* room) {
  const auto child_holds = [&](const Condition& child) {
    return holds(child, principal, captures, room);
  };
  switch (condition.kind) {
    case Condition::Kind::Everyone:
      return true;
    case Condition::Kind::Nobody:
      return false;
    case Condition::Kind::Subjects:
      return subject_listed(condition, principal, captures);
    case Condition::Kind::Equals:
    case Condition::Kind::In:
    case Condition::Kind::Contains:
      return claim_holds(condition, principal, captures);
    case Condition::Kind::Capability:
      return capability_holds(condition, principal, room);
    case Condition::Kind::All:
      // Of nothing is not everyone.
      return !condition.children.empty() && std::ranges::all_of(condition.children, child_holds);
    case Condition::Kind::Any:
      return std::ranges::any_of(condition.children, child_holds);
    case Condition::Kind::Not:
      assert(condition.children.size() == 1);
      return !child_holds(condition.children.front());
  }
  return false;
}

LooksAt looks_at(const Condition& condition) {
  switch (condition.kind) {
    case Condition::Kind::Everyone:
    case Condition::Kind::Nobody:
      return LooksAt::Nothing;
    case Condition::Kind::Subjects:
      return LooksAt::Subject;
    case Condition::Kind::Equals:
    case Condition::Kind::In:
    case Condition::Kind::Contains:
    case Condition::Kind::Capability:
      return condition.claim == subject_claim ? LooksAt::Subject : LooksAt::Claims;
    case Condition::Kind::All:
    case Condition::Kind::Any:
    case Condition::Kind::Not:
      break;
  }
  LooksAt most = LooksAt::Nothing;
  for (const Condition& child : condition.children) most = std::max(most, looks_at(child));
  return most;
}

const Condition* deciding(const Condition& condition, const Principal& principal, Captures captures,
                          const RoomRequest* room) {
  const bool all = condition.kind == Condition::Kind::All;
  const bool any = condition.kind == Condition::Kind::Any;
  if (!all && !any) return &condition;
  for (const Condition& child : condition.children) {
    if (holds(child, principal, captures, room) == any) {
      return deciding(child, principal, captures, room);
    }
  }
  return &condition;  // all of them did
}

std::string describe(const Condition& condition) {
  switch (condition.kind) {
    case Condition::Kind::Everyone:
      return "everyone";
    case Condition::Kind::Nobody:
      return "nobody";
    case Condition::Kind::Subjects:
      return "{subjects: " + list(condition.subjects, in_quotes) + "}";
    case Condition::Kind::Equals:
      return claim_test(condition, "equals", describe(condition.values.front()));
    case Condition::Kind::In:
      return claim_test(condition, "in", list(condition.values, [](const Scalar& value) {
                          return describe(value);
                        }));
    case Condition::Kind::Contains:
      return claim_test(condition, "contains", describe(condition.values.front()));
    case Condition::Kind::Capability:
      return "{capability: " + in_quotes(condition.claim) + "}";
    case Condition::Kind::All:
      return "{all: " + condition_list(condition.children) + "}";
    case Condition::Kind::Any:
      return "{any: " + condition_list(condition.children) + "}";
    case Condition::Kind::Not:
      return "{not: " + describe(condition.children.front()) + "}";
  }
  return {};
}

}  // namespace auth
