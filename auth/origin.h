// The Origin allow-list (RFC 6455 section 10.2, RFC 6454 section 6.2).
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace auth {

// One pattern: "https://app.example.com", "https://*.example.com:8443" (one label), or "*" (any but
// null). Scheme and host in any case, default ports folded.
class OriginPattern {
 public:
  // The error is a sentence for the operator.
  static std::expected<OriginPattern, std::string> parse(std::string_view text);
  bool matches(std::string_view origin) const;

 private:
  bool any_ = false;
  bool one_label_ = false;  // "*." in front of host_
  std::string scheme_;
  std::string host_;
  std::string port_;
};

// `origin` is the field's one value; "null", an empty or a malformed one never matches.
bool origin_allowed(const std::vector<OriginPattern>& patterns, std::string_view origin);

}  // namespace auth
