#include "gateway/admin_connections.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "gateway/admin_list.h"
#include "gateway/connection_id.h"
#include "gateway/connection_walk.h"

namespace gateway {
namespace {

void append_connection(std::string& json, std::string_view id, const ConnectionRow& row) {
  json += fmt::format(R"({{"id":"{}","subject":)", id);
  append_json_string(json, row.subject);
  json += fmt::format(R"(,"address":"{}","route":)", row.address.to_string());
  append_json_string(json, row.route);
  json += fmt::format(R"(,"since":{},"expires_at":)", row.since.time_since_epoch().count());
  json += row.expires_at ? fmt::to_string(row.expires_at->time_since_epoch().count()) : "null";
  json += fmt::format(R"(,"rooms":{}}})", row.rooms);
}

void list_connections(Census& census, const AdminCall& call, AdminReply reply) {
  if (!call.query.only({"subject", "after", "limit"})) {
    return reply(admin_error(400, "expected no parameter but subject, after and limit"));
  }
  const auto part = read_list_part(call.query);
  if (!part) return reply(admin_error(400, bad_list_part));
  ConnectionWalk walk{{part->after, part->limit}};
  if (const auto* subject = call.query.find("subject")) walk.subject = *subject;
  census.ask<ConnectionWalk>(walk, [reply = std::move(reply)](auto walks) mutable {
    if (walks.empty()) return reply(admin_error(503, census_failed));
    auto& all = merged(walks);
    std::string json = "{";
    append_list(json, "connections", all.page, append_connection);
    reply({200, json += '}'});
  });
}

// Closes the one that has this id.
struct ClosingWalk {
  static constexpr bool finds_nothing = true;

  std::string id;
  bool found = false;
  SessionCursor cursor = {};

  bool step(const Surveyed& surveyed) {
    for (const auto& session : cursor.next_slice(surveyed)) {
      if (session->identity().id_text() != id || !session->open()) continue;
      session->close(Goodbye::Revoked);
      found = true;
    }
    return !found && cursor.more();
  }
};

AdminAnswer closed_answer(Elsewhere elsewhere) {
  switch (elsewhere) {
    case Elsewhere::Nobody:
      return admin_error(404, "there is no such connection");
    case Elsewhere::Told:
      return {202, R"({"here":false})"};
    case Elsewhere::Unreachable:
      return admin_error(503, "it is not here, and other instances cannot be asked");
  }
  std::unreachable();
}

class Closing {
 public:
  Closing(Census& census, Audit& audit, CloseElsewhere elsewhere)
      : census_(census), audit_(audit), elsewhere_(std::move(elsewhere)) {}

  void close(const AdminCall& call, AdminReply reply) const {
    if (!call.query.only({})) return reply(admin_error(400, "expected no parameters"));
    const auto& id = call.captured[0];
    if (!parse_connection_id(id)) return reply(closed_answer(Elsewhere::Nobody));
    AdminReply audited = [&audit = audit_, peer = call.peer, id,
                          reply = std::move(reply)](AdminAnswer answer) mutable {
      audit.admin_call(
          {.address = peer, .action = "close", .connection = id, .status = answer.status});
      reply(std::move(answer));
    };
    census_.ask<ClosingWalk>({id}, [this, id, audited = std::move(audited)](auto walks) mutable {
      if (walks.empty()) return audited(admin_error(503, census_failed));
      if (std::ranges::any_of(walks, &ClosingWalk::found)) {
        return audited({202, R"({"here":true})"});
      }
      close_elsewhere(std::move(id), std::move(audited));
    });
  }

 private:
  void close_elsewhere(std::string id, AdminReply reply) const {
    if (!elsewhere_) return reply(closed_answer(Elsewhere::Nobody));
    elsewhere_(std::move(id), [reply = std::move(reply)](Elsewhere elsewhere) mutable {
      reply(closed_answer(elsewhere));
    });
  }

  Census& census_;
  Audit& audit_;
  CloseElsewhere elsewhere_;
};

}  // namespace

void add_connection_rows(AdminApi& api, Census& census, Audit& audit,
                         CloseElsewhere close_elsewhere) {
  api.add({"GET", "/v1/connections", [&census](const AdminCall& call, AdminReply reply) {
             list_connections(census, call, std::move(reply));
           }});
  api.add(
      {"DELETE", "/v1/connections/{id}",
       [closing = std::make_shared<Closing>(census, audit, std::move(close_elsewhere))](
           const AdminCall& call, AdminReply reply) { closing->close(call, std::move(reply)); }});
}

}  // namespace gateway
