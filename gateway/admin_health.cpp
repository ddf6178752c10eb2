#include "gateway/admin_health.h"

#include <utility>

namespace gateway {

bool health_target(std::string_view target) { return target == "/healthz" || target == "/readyz"; }

void add_health_rows(AdminApi& api, std::function<std::string_view()> unready) {
  constexpr bool needs_token = false;
  api.add({"GET", "/healthz",
           answer_with("application/json", [] { return R"({"status":"alive"})"; }), needs_token});
  api.add({"GET", "/readyz",
           [unready = std::move(unready)](const AdminCall&, AdminReply reply) {
             const auto reason = unready();
             reply(reason.empty() ? AdminAnswer{200, R"({"status":"ready"})"}
                                  : admin_error(503, reason));
           },
           needs_token});
}

}  // namespace gateway
