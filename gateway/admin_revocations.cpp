#include "gateway/admin_revocations.h"

#include <chrono>
#include <memory>
#include <utility>

#include "gateway/wall_time.h"

namespace gateway {
namespace {

AdminAnswer answer_of(Control::Outcome outcome) {
  switch (outcome) {
    case Control::Outcome::Stored:
      return {202, R"({"stored":true})"};
    case Control::Outcome::Unstored:
      return {202, R"({"stored":false})"};
    case Control::Outcome::TooMany:
      return admin_error(503, "too many are revoked already");
  }
  std::unreachable();
}

class Revoking {
 public:
  Revoking(const proxy::Timers& timers, Audit& audit, Revoke revoke)
      : timers_(timers), audit_(audit), revoke_(std::move(revoke)) {}

  void revoke(const AdminCall& call, AdminReply reply) const {
    if (!call.query.only({})) return reply(admin_error(400, "expected no parameter"));
    auto request = read_revocation_request(call.body, wall_time(timers_.now()));
    if (!request) return reply(admin_error(400, request.error()));
    auto audited = [&audit = audit_, peer = call.peer,
                    subject = request->of_subject ? request->name : std::string(),
                    reply = std::move(reply)](Control::Outcome outcome) mutable {
      auto answer = answer_of(outcome);
      audit.admin_call(
          {.address = peer, .action = "revoke", .subject = subject, .status = answer.status});
      reply(std::move(answer));
    };
    revoke_(std::move(*request), call.peer, std::move(audited));
  }

 private:
  const proxy::Timers& timers_;
  Audit& audit_;
  Revoke revoke_;
};

}  // namespace

void add_revocation_rows(AdminApi& api, const proxy::Timers& timers, Audit& audit, Revoke revoke) {
  api.add(
      {"POST", "/v1/revocations",
       [revoking = std::make_shared<Revoking>(timers, audit, std::move(revoke))](
           const AdminCall& call, AdminReply reply) { revoking->revoke(call, std::move(reply)); }});
}

}  // namespace gateway
