// JSON Pointer (RFC 6901).
#pragma once

#include <string_view>

struct json_t;

namespace auth {

// What `pointer` ("/realm/roles/0") points at in `document`; null: nothing, or no pointer.
const json_t* find_by_pointer(const json_t* document, std::string_view pointer);

}  // namespace auth
