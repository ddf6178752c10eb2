// A policy file, whatever it says: it is taken or refused, never anything else. What is refused has
// a fault with a place that a terminal can bear; what is taken keeps the bounds that the server
// relies on, and can be explained.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/explain.h"
#include "gateway/policy_file.h"
#include "gateway/utf8_text.h"

namespace {

constexpr const char* file = GATEHOUSE_TEST_POLICIES "/good/fuzzed.yaml";
constexpr std::string_view secret = "hunter2, in more than thirty-two octets";

void require(bool holds) {
  if (!holds) std::abort();
}

std::optional<std::string> environment(const std::string& name) {
  if (name == "PORT") return "8080";
  if (name == "EMPTY") return "";
  if (name == "SECRET") return std::string(secret);
  return std::nullopt;
}

void check_error(const gateway::PolicyError& error, std::string_view text) {
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  require(error.line >= 0 && error.line <= lines + 1);
  require(error.line == 0 || error.column >= 1);
  require(!error.what.empty() && error.what.size() < 2000);
  require(gateway::valid_utf8_prefix(error.what) == error.what.size());
  require(!gateway::has_control_characters(error.what));
  require(!error.what.contains("hunter2") || text.contains("hunter2"));
}

void check_rooms(const gateway::Route& route) {
  const gateway::RoomSettings& rooms = *route.rooms;
  require(route.backend || (!rooms.json && rooms.deliver == gateway::Deliver::Room));
  require(route.backend ||
          !(rooms.backend_acknowledges || rooms.backend_broadcast || rooms.other_passes));
  require(!rooms.json || !rooms.json->join.empty());
  require(rooms.rules.size() <= 1000 && rooms.space.size() <= 64);
  require(rooms.rooms_per_connection_max >= 1);
  require(!rooms.room_messages.limited() || rooms.room_messages.permits_max >= 1);
  require(route.message_octets_max <= 1024 * 1024);
}

void check_route(const gateway::Route& route) {
  require(route.backend ? !route.backend->servers.empty() : route.rooms.has_value());
  if (route.rooms) check_rooms(route);
  require(!route.authenticate.empty());
  require(route.message_octets_max >= 1 && route.send_queue_octets_max >= 4096);
  const auto& limits = route.connection_limits;
  require(!limits.messages.limited() || limits.messages.permits_max >= 1);
  require(!limits.octets.limited() ||
          limits.octets.permits_max >= static_cast<double>(route.message_octets_max));
  require(limits.on_exceed != gateway::OnExceed::Error || (route.rooms && !route.rooms->json));
  bool cookie = std::any_of(route.places.begin(), route.places.end(), [](const auto& place) {
    return place.kind == auth::CredentialPlace::Kind::Cookie;
  });
  require(!cookie || route.origins);
}

void check_policy(const gateway::Policy& policy) {
  require(!policy.listen.empty() && !policy.routes.empty());
  require(!policy.admin_token.empty() || policy.admin.ip.loopback());
  for (const gateway::Route& route : policy.routes) check_route(route);
  for (const char* target : {"/", "/chat", "/app/x?token=a.b.c", "/teams/a/members/b"}) {
    gateway::Question question;
    question.target = target;
    question.host = "chat.example.com";
    question.token = "e30.e30.AAAA";
    question.room = gateway::RoomQuestion{"team:a", auth::RoomAction::Publish};
    require(!gateway::explain(policy, question, {}, auth::WallTime()).text.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
  const std::string_view text(reinterpret_cast<const char*>(octets), count);
  auto loaded = gateway::parse_policy(file, text, environment);
  if (loaded) {
    for (const auto& warning : loaded->warnings) check_error(warning, text);
    check_policy(*loaded->policy);
  } else {
    require(!loaded.error().empty());
    for (const auto& error : loaded.error()) check_error(error, text);
  }
  return 0;
}
