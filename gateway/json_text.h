// JSON as it is written: strings, where the rest of a text is known when it is compiled.
#pragma once

#include <string>
#include <string_view>

namespace gateway {

// `string`, which is UTF-8, in its quotes and escaped (RFC 8259 section 7).
void append_json_string(std::string& text, std::string_view string);

}  // namespace gateway
