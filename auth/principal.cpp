#include "auth/principal.h"

#include <jansson.h>

#include "auth/json.h"
#include "auth/json_pointer.h"

namespace auth {
const json_t* Claims::find(std::string_view name) const {
  if (name.starts_with('/')) return find_by_pointer(object_.get(), name);
  return json_object_getn(object_.get(), name.data(), name.size());
}

std::string Claims::to_json(std::span<const std::string> names) const {
  const OwnedJson some(json_object());
  for (const std::string& name : names) {
    const json_t* value = find(name);
    if (value == nullptr) continue;
    // Only the reference count of the claim changes, and that atomically.
    json_object_setn(some.get(), name.data(), name.size(),
                     const_cast<json_t*>(value));  // NOLINT: jansson's own interface
  }
  return dump_json(some.get());
}

}  // namespace auth
