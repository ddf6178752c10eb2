#include "gateway/explain.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "auth/permissions.h"
#include "auth/room_name.h"
#include "gateway/policy_values.h"
#include "gateway/refusal.h"
#include "gateway/token_fault.h"
#include "gateway/utf8_text.h"
#include "proxy/target.h"

namespace gateway {

namespace {

using Place = auth::CredentialPlace;

std::string show(const Place& place) {
  switch (place.kind) {
    case Place::Kind::Header:
      return fmt::format("the field '{}'", place.name);
    case Place::Kind::Subprotocol:
      return fmt::format("the subprotocol '{}…'", place.name);
    case Place::Kind::Cookie:
      return fmt::format("the cookie '{}'", place.name);
    case Place::Kind::Query:
      return fmt::format("the query parameter '{}'", place.name);
    case Place::Kind::Ticket:
      return "a ticket";
    case Place::Kind::FirstMessage:
      return "the first message";
  }
  return "";
}

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (unsigned char c : text) encoded += fmt::format("%{:02X}", c);
  return encoded;
}

// A handshake as a client would send it.
struct Handshake {
  std::vector<std::pair<std::string, std::string>> fields;  // name and value
  std::string query;

  std::vector<auth::Field> views() const {
    std::vector<auth::Field> views;
    for (const auto& [name, value] : fields) views.push_back({name, value});
    return views;
  }

  void carry(const Place& place, const std::string& token) {
    switch (place.kind) {
      case Place::Kind::Header:
        fields.push_back({place.name, "Bearer " + token});
        return;
      case Place::Kind::Subprotocol:
        fields.push_back({"sec-websocket-protocol", place.name + token});
        return;
      case Place::Kind::Cookie:
        fields.push_back({"cookie", place.name + "=" + token});
        return;
      case Place::Kind::Query:
        query += (query.empty() ? "" : "&") + place.name + "=" + percent_encoded(token);
        return;
      case Place::Kind::Ticket:
        return;  // made of a token, and none itself
      case Place::Kind::FirstMessage:
        return;  // comes behind it
    }
  }
};

// As cookie-signature writes it, percent-encoded or not. No token begins so.
bool is_session_cookie(std::string_view text) {
  return text.starts_with("s:") || text.starts_with("s%3A");
}

// Where a client of this route would have put this token.
const Place* place_for(const Route& route, const std::string& token) {
  auto parsed = auth::parse_token(token);
  for (const auto& each : route.authenticate) {
    if (each->session && is_session_cookie(token)) return &each->places.front();
    for (const Place& place : each->places) {
      if (place.kind == Place::Kind::Ticket) continue;
      if (parsed && authenticator_for(route, place, parsed->issuer) == each.get()) return &place;
    }
  }
  const auto other = std::ranges::find_if(
      route.places, [](const Place& place) { return place.kind != Place::Kind::Ticket; });
  return other == route.places.end() ? nullptr : &*other;
}

class Explainer {
 public:
  Explainer(const Policy& policy, const Question& question, const KeysAtHand& keys,
            auth::WallTime now)
      : policy_(policy), question_(question), keys_(keys), now_(now) {}

  Explanation explain() {
    auto target = proxy::parse_target(question_.target);
    if (!target) {
      line("target", "is no path that all parsers read alike, or does not begin with '/'");
      return verdict(Refusal::AmbiguousPath);
    }
    line("target", printable(question_.target));
    const std::string host = question_.host.value_or("localhost");
    if (!normalize_host(host)) {
      line("host", fmt::format("'{}' is no host", printable(host)));
      return verdict(Refusal::Malformed);
    }
    RouteMatch match = find_route(policy_, host, target->path);
    if (!match.route) {
      line("route", fmt::format("none of {} fits host '{}' and path '{}'{}", policy_.routes.size(),
                                printable(host), printable(target->path),
                                question_.host ? "" : " (--host names another host)"));
      return verdict(Refusal::NoRoute);
    }
    line("route", at(match.route->line, fmt::format("path {}", match.route->path.text())));
    explain_address(*match.route);
    return explain_route(match, host, *target);
  }

 private:
  Explanation explain_route(const RouteMatch& match, const std::string& host,
                            const proxy::Target& target) {
    const Route& route = *match.route;
    refuses_by_close_ = route.refuse_with_close;
    Handshake handshake;
    handshake.query = target.raw_query;
    if (question_.origin) handshake.fields.push_back({"origin", *question_.origin});
    const Place* place = nullptr;
    if (question_.token) {
      place = place_for(route, *question_.token);
      if (!place) line("token", "not looked at: no authenticator of the route reads one");
    }
    if (place) handshake.carry(*place, *question_.token);
    const auto fields = handshake.views();
    const HandshakeRequest request{host, target.path, handshake.query, fields};
    FoundCredential credential = find_credential(route, request);
    auto origin = check_origin(route, request, credential);
    explain_origin(route, credential, origin);
    if (!origin) {
      return verdict(origin.error());
    }
    if (!credential && credential.error() == auth::CredentialsError::Missing &&
        route.first_message) {
      refuses_by_close_ = true;
      if (!place) return explain_silence(route);
      credential = in_first_message(route, *question_.token);
    }
    explain_keys(route);
    auto principal = authenticate(route, credential, keys_.known, now_);
    explain_credential(route, credential, principal);
    if (!principal && principal.error().denial == Denial::SessionStoreAway) {
      return refused("session_not_asked");
    }
    if (!principal) {
      return verdict(principal.error());
    }
    auto allowed = check_allow(route, *principal, match.captures);
    explain_allow(route, *principal, match.captures);
    if (!allowed) {
      return verdict(allowed.error());
    }
    return question_.room ? explain_room(match, *principal) : allow();
  }

  Explanation explain_silence(const Route& route) {
    line("credential", fmt::format("none: the client has its 101, and {} for a first message that "
                                   "has one",
                                   show_duration(*route.first_message)));
    return verdict(Refusal::FirstMessageTooSlow);
  }

  Explanation explain_room(const RouteMatch& match, const auth::Principal& principal) {
    const auto& [room, action] = *question_.room;
    if (!match.route->rooms) {
      line("room", "not checked: the messages of this route are opaque, and pass as they are");
      return allow();
    }
    const RoomSettings& settings = *match.route->rooms;
    if (!auth::valid_room_name(room)) {
      line("room", "is no name: 1 to 256 octets of UTF-8 without control characters");
      return refused("bad_message");
    }
    auto may = [&](auth::RoomAction asked) {
      return explain_permission(settings, principal, {room, asked}, match.captures);
    };
    if (!may(action)) {
      return refused("access_denied");
    }
    // Permission is asked before membership; without the one there is never the other.
    if (action == auth::RoomAction::Publish && !may(auth::RoomAction::Join)) {
      return refused("not_a_member");
    }
    return allow();
  }

  bool explain_permission(const RoomSettings& settings, const auth::Principal& principal,
                          const auth::RoomRequest& asked, auth::Captures path) {
    const auto decision = auth::decide(settings.rules, principal, asked, path);
    if (!decision.rule) {
      line("room",
           at(settings.rules_line, fmt::format("none of {} rules matches '{}'",
                                               settings.rules.size(), printable(asked.room))));
      return false;
    }
    if (asked.action == question_.room->action) {
      line("room", at(decision.rule->line, fmt::format("'{}' matches '{}'", printable(asked.room),
                                                       printable(decision.rule->match.text()))));
    }
    explain_condition(asked.action == auth::RoomAction::Join ? "join" : "publish",
                      *decision.condition, decision.allowed, decision.rule->line, principal);
    return decision.allowed;
  }

  // What the running instance counts is not known here.
  void explain_address(const Route& route) {
    if (!question_.address) {
      return;
    }
    const proxy::IpAddress& address = *question_.address;
    bool trusted = std::any_of(policy_.trusted_proxies.begin(), policy_.trusted_proxies.end(),
                               [&address](const auto& block) { return block.contains(address); });
    std::string text = address.to_string();
    if (trusted) text += " is a trusted proxy: limits count who it forwards for";
    const IpLimits& limits = route.ip_limits;
    if (limits.handshakes.limited() || limits.connections_max > 0) {
      text += fmt::format("; the limits of 'ip' are counted by the running instance as {}",
                          address.limit_key().to_string());
    } else {
      text += "; the route has no limits of 'ip'";
    }
    line("address", text);
  }

  void explain_origin(const Route& route, const FoundCredential& credential,
                      const std::expected<void, Denied>& checked) {
    const std::string sent =
        question_.origin ? fmt::format("'{}'", printable(*question_.origin)) : "none sent";
    if (!route.origins) {
      line("origin", fmt::format("{}; not checked, the route has no 'origins'", sent));
    } else if (checked) {
      line("origin",
           at(route.origins_line, question_.origin ? sent + " is one of 'origins'"
                                                   : sent + ", and no cookie is the credential"));
    } else if (checked.error().denial == Denial::OriginMissing) {
      line("origin",
           at(route.origins_line, fmt::format("{}, but the credential is in {} (--origin says one)",
                                              sent, show(route.places[credential->place]))));
    } else {
      line("origin", at(route.origins_line, sent + " is none of 'origins'"));
    }
  }

  void explain_keys(const Route& route) {
    for (const auto& set : keys_.fetched) {
      if (std::ranges::none_of(route.authenticate,
                               [&](const auto& each) { return each->name == set.authenticator; })) {
        continue;
      }
      const std::string from = fmt::format("of '{}' from {}", set.authenticator, set.origin);
      line("keys", set.fetched ? fmt::format("{} {}", set.keys, from)
                               : fmt::format("none {}: {}", from, printable(set.last_error)));
    }
  }

  void explain_credential(const Route& route, const FoundCredential& credential,
                          const std::expected<auth::Principal, Denied>& principal) {
    if (principal && !credential) {
      line("credential", fmt::format("none: a guest of '{}'", principal->authenticator));
    } else if (principal) {
      const Authenticator& authenticator = *policy_.authenticators.at(principal->authenticator);
      std::string text =
          fmt::format("'{}' takes {}: subject '{}'", authenticator.name,
                      show(route.places[credential->place]), printable(principal->subject));
      if (principal->good_until) text += ", good until " + show_time(*principal->good_until);
      if (principal->single_use) text += ", unless it has been used";
      line("credential", at(authenticator.line, text));
    } else {
      line("credential", at(principal.error().line, why_not(route, credential, principal.error())));
    }
  }

  std::string why_not(const Route& route, const FoundCredential& credential, const Denied& denied) {
    switch (denied.denial) {
      case Denial::CredentialMissing: {
        std::string places;
        for (const Place& place : route.places)
          places += (places.empty() ? "" : ", ") + show(place);
        return fmt::format("none in {}", places);
      }
      case Denial::CredentialAmbiguous:
        return "one place holds two";
      case Denial::CredentialMalformed:
        return "the field is not 'Bearer <token>'";
      case Denial::TicketUnknown:
        return "a ticket: whose it is only the instances know that share it";
      case Denial::KeysMissing:
        return fmt::format("'{}' cannot tell: a key that may have signed it was not to be had",
                           denied.authenticator->name);
      case Denial::SessionRefused:
        return fmt::format("'{}' refuses {}: none of its secrets signed it",
                           denied.authenticator->name, show(route.places[credential->place]));
      case Denial::SessionStoreAway:
        return fmt::format(
            "'{}' takes {}, signed by one of its secrets: whose session it is, if "
            "anybody's, its Redis says, which is not asked here",
            denied.authenticator->name, show(route.places[credential->place]));
      default:
        break;
    }
    return fmt::format(
        "{} {}: {}",
        denied.authenticator ? fmt::format("'{}' refuses", denied.authenticator->name)
                             : "nobody takes",
        show(route.places[credential->place]),
        describe_token_fault(*denied.token_error, credential->value, denied.authenticator, now_));
  }

  void explain_allow(const Route& route, const auth::Principal& principal,
                     auth::Captures captures) {
    const auth::Condition* decided = auth::deciding(route.allow, principal, captures);
    explain_condition("allow", *decided, auth::holds(*decided, principal, captures), route.line,
                      principal);
  }

  // `line_otherwise`: where the condition would stand, had it not been left out.
  void explain_condition(std::string_view step, const auth::Condition& decided, bool holds,
                         int line_otherwise, const auth::Principal& principal) {
    using Kind = auth::Condition::Kind;
    std::string text = auth::describe(decided);
    if (decided.kind != Kind::Everyone && decided.kind != Kind::Nobody) {
      text += holds ? " holds" : " does not hold";
    }
    if (!decided.claim.empty()) {
      text += ": " + describe_claim(principal, decided.claim);
    } else if (decided.kind == Kind::Subjects) {
      text += fmt::format(": the subject is '{}'", printable(principal.subject));
    }
    line(step, at(decided.line != 0 ? decided.line : line_otherwise, text));
  }

  Explanation allow() const { return {true, "allow\n" + lines_}; }

  // The code of the error that the client gets (CONTRACT section 4).
  Explanation refused(std::string_view code) const {
    return {false, fmt::format("deny {}\n{}", code, lines_)};
  }

  // The status that the client gets, or the code of its Close, and the reason as the log has it.
  Explanation verdict(Refusal refusal) { return verdict(refusal, row_of(refusal).name); }
  Explanation verdict(const Denied& denied) {
    return verdict(refusal_of(denied.denial), denied.reason());
  }
  Explanation verdict(Refusal refusal, std::string_view reason) {
    const int status = row_of(refusal).http_status;
    const auto code = refuses_by_close_ ? close_code_of(status, refusal) : std::nullopt;
    return {false,
            fmt::format("deny {} {}\n{}", code ? static_cast<int>(*code) : status, reason, lines_)};
  }

  std::string at(int number, std::string_view what) const {
    return number == 0 ? std::string(what) : fmt::format("{}:{}: {}", policy_.file, number, what);
  }

  void line(std::string_view step, std::string_view what) {
    lines_ += fmt::format("{:<11} {}\n", step, what);
  }

  const Policy& policy_;
  const Question& question_;
  const KeysAtHand& keys_;
  auth::WallTime now_;
  std::string lines_;
  bool refuses_by_close_ = false;
};

}  // namespace

Explanation explain(const Policy& policy, const Question& question, const KeysAtHand& keys,
                    auth::WallTime now) {
  return Explainer(policy, question, keys, now).explain();
}

}  // namespace gateway
