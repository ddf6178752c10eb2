#include "gateway/admin_reload.h"

#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "gateway/json_text.h"
#include "gateway/utf8_text.h"

namespace gateway {
namespace {

// Of a policy that is wrong from one end to the other the first are enough.
constexpr std::size_t told_max = 256;

void append_errors(std::string& json, const std::vector<PolicyError>& errors) {
  json += '[';
  for (std::size_t i = 0; i < errors.size() && i < told_max; ++i) {
    if (i > 0) json += ',';
    json += R"({"file":)";
    append_json_string(json, printable(errors[i].file));
    json += fmt::format(R"(,"line":{},"column":{},"message":)", errors[i].line, errors[i].column);
    append_json_string(json, printable(errors[i].what));
    json += '}';
  }
  json += ']';
}

AdminAnswer answer_of(const Reloaded& reloaded) {
  if (!reloaded.faults.empty()) {
    AdminAnswer answer{422, R"({"error":"the policy is wrong, and nothing was changed","faults":)"};
    append_errors(answer.content, reloaded.faults);
    answer.content += '}';
    return answer;
  }
  AdminAnswer answer{200, R"({"reloaded":true,"warnings":)"};
  append_errors(answer.content, reloaded.warnings);
  answer.content += fmt::format(R"(,"connections":{{"asked":{},"closed":{},"rooms_left":{}}}}})",
                                reloaded.connections.asked, reloaded.connections.closed,
                                reloaded.connections.rooms_left);
  return answer;
}

void reload(Audit& audit, const AskForReload& ask, const AdminCall& call, AdminReply reply) {
  // Some clients send an empty object where there is nothing to say.
  if (!call.query.only({}) || !(call.body.empty() || call.body == "{}")) {
    return reply(admin_error(400, "expected neither a parameter nor a body"));
  }
  // Both the one who is asked and the one who says no want it, and only one of them will need it.
  const auto kept = std::make_shared<AdminReply>(std::move(reply));
  const bool asked = ask([&audit, kept, peer = call.peer](const Reloaded& reloaded) {
    auto answer = answer_of(reloaded);
    audit.admin_call({.address = peer, .action = "reload", .status = answer.status});
    (*kept)(std::move(answer));
  });
  if (!asked) (*kept)(admin_error(503, "draining, or too many wait for a reload already"));
}

}  // namespace

void add_reload_row(AdminApi& api, Audit& audit, AskForReload ask) {
  api.add({"POST", "/v1/reload",
           [&audit, ask = std::move(ask)](const AdminCall& call, AdminReply reply) {
             reload(audit, ask, call, std::move(reply));
           }});
}

}  // namespace gateway
