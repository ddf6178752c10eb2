#include "auth/principal.h"

#include <algorithm>

#include <jansson.h>

#include "auth/json.h"
#include "auth/json_pointer.h"

namespace auth {

const json_t* Claims::find(std::string_view name) const {
  if (name.starts_with('/')) return find_by_pointer(object_.get(), name);
  return json_object_getn(object_.get(), name.data(), name.size());
}

// Written piece by piece: putting the claims into an object of their own would count references to
// values that other threads read, which jansson does not do entirely with atomics.
std::string Claims::to_json(std::span<const std::string> names) const {
  std::string text = "{";
  for (auto name = names.begin(); name != names.end(); ++name) {
    const json_t* value = find(*name);
    const bool repeated = std::find(names.begin(), name, *name) != name;
    const OwnedJson key(json_stringn(name->data(), name->size()));
    if (value == nullptr || repeated || !key) continue;
    if (text.size() > 1) text += ',';
    text += dump_json(key.get()) + ':' + dump_json(value);
  }
  return text + '}';
}

Claims read_claims(std::string_view text) {
  auto object = parse_json_object(text);
  if (!object) return {};
  return {std::shared_ptr<const json_t>(*std::move(object)), std::string(text)};
}

}  // namespace auth
