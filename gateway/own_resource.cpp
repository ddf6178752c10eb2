#include "gateway/own_resource.h"

#include "gateway/authorization.h"
#include "gateway/ticket_request.h"

namespace gateway {

namespace {

template <typename Resource>
std::unique_ptr<OwnResource> make(OwnResource::Host& host, OwnCall call) {
  return std::make_unique<Resource>(host, std::move(call));
}

struct Row {
  std::string_view path;
  MakeOwnResource make;
};
constexpr Row rows[] = {
    {"/_gatehouse/authorize", make<Authorization>},
    {"/_gatehouse/ticket", make<TicketRequest>},
};

}  // namespace

OwnAnswer refused(Refusal refusal, std::string_view reason, int status,
                  std::chrono::milliseconds retry_after, std::span<const proxy::Field> fields) {
  const auto& row = row_of(refusal);
  if (status == 0) status = row.http_status;
  return {status, write_answer(status, retry_after, fields), reason.empty() ? row.name : reason};
}

std::chrono::milliseconds OwnResource::take_handshake(const Route& route) {
  const auto& limit = route.ip_limits.handshakes;
  if (!limit.limited()) return {};
  const auto wait = host_.ledger().take_handshake(route.id, call_.identity.address, limit,
                                                  host_.timers().now().monotonic);
  if (wait > wait.zero()) record_limit(AuditedLimit::IpHandshakes);
  return wait;
}

void OwnResource::record_limit(AuditedLimit limit) {
  host_.counters().limit_hit(limit, LimitAction::Refuse);
  host_.refusals().limit_hit({call_.identity.audited(), limit, LimitAction::Refuse, 0},
                             host_.timers().now().monotonic);
}

MakeOwnResource find_own_resource(std::string_view path) {
  for (const auto& row : rows) {
    if (row.path == path) return row.make;
  }
  return nullptr;
}

bool own_target(std::string_view target) { return target.starts_with(own_path_prefix); }

}  // namespace gateway
