#include "gateway/admin_list.h"

#include "gateway/policy_values.h"

namespace gateway {

std::optional<AdminListPart> read_list_part(const AdminQuery& query) {
  AdminListPart part;
  if (const auto* after = query.find("after")) part.after = *after;
  if (const auto* limit = query.find("limit")) {
    const auto number = parse_number(*limit);
    if (!number || *number < 1 || *number > admin_list_max) return std::nullopt;
    part.limit = *number;
  }
  return part;
}

}  // namespace gateway
