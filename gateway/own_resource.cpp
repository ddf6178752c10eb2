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

MakeOwnResource find_own_resource(std::string_view path) {
  for (const auto& row : rows) {
    if (row.path == path) return row.make;
  }
  return nullptr;
}

bool own_target(std::string_view target) { return target.starts_with(own_path_prefix); }

}  // namespace gateway
