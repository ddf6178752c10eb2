// Heads and targets, whatever comes: what HeadParser says does not depend on how the octets were
// cut, and what it accepts is as strict as it promises. The first octet chooses the kind of head.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/handshake.h"
#include "proxy/http.h"
#include "proxy/target.h"
#include "proxy/utf8.h"

namespace {

using proxy::HeadParser;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  HeadParser::State state = HeadParser::State::NeedsMore;
  std::optional<proxy::HttpError> error;
  proxy::RequestHead request;
  proxy::ResponseHead response;
  std::size_t taken = 0;
};

Outcome read(HeadParser::Kind kind, std::string_view octets, std::size_t piece_octets) {
  HeadParser parser(kind);
  Outcome outcome;
  while (!octets.empty() && outcome.state == HeadParser::State::NeedsMore) {
    auto piece = octets.substr(0, piece_octets);
    const auto size = piece.size();
    outcome.state = parser.receive(piece);
    require(outcome.state != HeadParser::State::NeedsMore || piece.empty());
    outcome.taken += size - piece.size();
    octets.remove_prefix(size);
  }
  if (outcome.state == HeadParser::State::Failed) outcome.error = parser.error();
  if (outcome.state == HeadParser::State::Complete) {
    if (kind == HeadParser::Kind::Request) outcome.request = parser.take_request();
    if (kind == HeadParser::Kind::Response) outcome.response = parser.take_response();
  }
  return outcome;
}

void require_same(const proxy::Fields& a, const proxy::Fields& b) {
  require(a.size() == b.size());
  for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
    require(x->name == y->name && x->value == y->value);
  }
}

void require_same(const Outcome& a, const Outcome& b) {
  require(a.state == b.state && a.error == b.error);
  require(a.request.method == b.request.method && a.request.target == b.request.target);
  require(a.request.has_body == b.request.has_body && a.response.status == b.response.status);
  require_same(a.request.fields, b.request.fields);
  require_same(a.response.fields, b.response.fields);
  if (a.state == HeadParser::State::Complete) require(a.taken == b.taken);
}

void require_strict(const proxy::Fields& fields) {
  require(fields.size() <= proxy::head_fields_max);
  require(fields.count("content-length") + fields.count("transfer-encoding") <= 1);
  for (const auto& field : fields) {
    require(proxy::is_token(field.name) && proxy::trimmed(field.value) == field.value);
    require(field.name.size() + field.value.size() <= proxy::field_octets_max);
    for (const char c : field.value) {
      require(static_cast<unsigned char>(c) >= ' ' || c == '\t');
      require(c != '\x7F');
    }
  }
}

// What routes are matched on is UTF-8, and has no segment that goes anywhere.
void require_unambiguous(std::string_view target) {
  const auto parsed = proxy::parse_target(target);
  if (!parsed) return;
  const auto path = parsed->path + '/';
  require(path.starts_with('/') && proxy::valid_utf8(path));
  for (const std::string_view part : {"/./", "/../", "/.;", "/..;", "\\", "#", "?"}) {
    require(!path.contains(part));
  }
  require(!parsed->path.contains("//"));
  std::string again(parsed->raw_path);
  if (parsed->has_query) again.append("?").append(parsed->raw_query);
  require(again == target);
}

void require_handshake(const Outcome& outcome) {
  require_strict(outcome.request.fields);
  require(outcome.request.fields.count("host") == 1);
  require_unambiguous(outcome.request.target);
  const auto kept = proxy::without_hop_by_hop(outcome.request.fields);
  require(kept.count("host") == 1 && kept.count("connection") == 0 && kept.count("upgrade") == 0);
  const auto key = proxy::check_upgrade(outcome.request);
  if (!key || !outcome.request.target.starts_with('/')) return;
  // What we pass on, we would accept ourselves.
  proxy::FieldLines lines;
  for (const auto& field : kept) lines.add(field.name, field.value);
  const auto written = proxy::write_upgrade_request(outcome.request.target, lines, *key);
  const auto again = read(HeadParser::Kind::Request, written, written.size());
  if (again.state != HeadParser::State::Complete) {
    require(again.error == proxy::HttpError::FieldsTooLarge);  // with four fields more
    return;
  }
  require(proxy::check_upgrade(again.request) == *key);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  if (size == 0) return 0;
  const auto kind = octets[0] % 2 ? HeadParser::Kind::Request : HeadParser::Kind::Response;
  const std::size_t piece_octets = octets[0] / 2 + 2;
  const std::string_view head(reinterpret_cast<const char*>(octets) + 1, size - 1);

  const auto whole = read(kind, head, head.size());
  require_same(whole, read(kind, head, 1));
  require_same(whole, read(kind, head, piece_octets));
  require_unambiguous(head);
  if (whole.state != HeadParser::State::Complete) return 0;
  if (kind == HeadParser::Kind::Request) {
    require_handshake(whole);
  } else {
    require(whole.response.status >= 100 && whole.response.status <= 999);
    require_strict(whole.response.fields);
  }
  return 0;
}
