// UTF-8 (RFC 3629) of names: what a log line, a header field or a channel may be made of.
#pragma once

#include <string_view>

namespace auth {

// UTF-8, and no C0, DEL or C1 (U+0080 to U+009F); no overlong form, surrogate, or code point over
// U+10FFFF (RFC 3629 section 3). The empty text is.
bool utf8_without_controls(std::string_view text);

}  // namespace auth
