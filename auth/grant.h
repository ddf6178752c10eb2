// What a ticket stands for (CONTRACT section 6): whose connection it opens, and where. As JSON, in
// exactly one form for each grant:
//   {"route":"0123456789abcdef","path":"/chat","authenticator":"users","subject":"alice",
//    "good_until_ms":1790000000000,"key":"0123456789abcdef","claims":"{…}"}
// `key` is Principal::key, `claims` are the JSON text that the token had: who issued it, when, and
// its id are in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/principal.h"

namespace auth {

struct Grant {
  std::string route;    // whatever names it to who made the grant
  std::string path;     // decoded once; UTF-8
  Principal principal;  // of a token, which ends
};

// Over it a grant is none. Of a token's 8 KiB its claims are at most 6, of which each octet is two
// at most here; a path that is asked for has no more than 4.
inline constexpr std::size_t grant_text_octets_max = 32 * 1024;

std::string write_grant(const Grant& grant);

// None: it is not what write_grant() writes, or not of a token.
std::optional<Grant> read_grant(std::string_view text);

}  // namespace auth
