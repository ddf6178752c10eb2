#include "proxy/handshake.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace {

using proxy::Field;
using proxy::Fields;
using proxy::UpgradeAnswer;
using proxy::UpgradeError;
using namespace std::literals;

// Of RFC 6455 section 1.3.
constexpr auto sample_key = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr auto sample_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

using Lines = std::vector<std::pair<std::string, std::string>>;

Fields fields_of(const Lines& lines) {
  Fields fields;
  for (const auto& [name, value] : lines) fields.add(name, value);
  return fields;
}

Lines lines_of(const Fields& fields) {
  Lines lines;
  for (const auto& field : fields) lines.emplace_back(field.name, field.value);
  return lines;
}

// The lines with every field of this name replaced by these values.
Lines replaced(Lines lines, const std::string& name, const std::vector<std::string>& values) {
  std::erase_if(lines, [&](const auto& line) { return line.first == name; });
  for (const auto& value : values) lines.emplace_back(name, value);
  return lines;
}

const Lines upgrade_lines = {
    {"Host", "example.com"},           {"Upgrade", "websocket"},        {"Connection", "Upgrade"},
    {"Sec-WebSocket-Key", sample_key}, {"Sec-WebSocket-Version", "13"},
};

const Lines answer_lines = {
    {"Upgrade", "websocket"},
    {"Connection", "Upgrade"},
    {"Sec-WebSocket-Accept", sample_accept},
};

std::expected<std::string, UpgradeError> check(const Lines& lines,
                                               const std::string& method = "GET") {
  return proxy::check_upgrade({method, "/chat", fields_of(lines), false});
}

std::expected<std::string, UpgradeError> check_with(const std::string& name,
                                                    const std::vector<std::string>& values) {
  return check(replaced(upgrade_lines, name, values));
}

bool refused_as(const std::expected<std::string, UpgradeError>& result, UpgradeError error) {
  return !result && result.error() == error;
}

struct Answer {
  UpgradeAnswer verdict;
  std::string subprotocol;
};

Answer answer(int status, const Lines& lines, const std::vector<std::string_view>& offered = {}) {
  std::string subprotocol = "stale";
  const auto verdict =
      proxy::check_answer({status, fields_of(lines)}, sample_key, offered, subprotocol);
  return {verdict, subprotocol};
}

UpgradeAnswer answer_with(const std::string& name, const std::vector<std::string>& values) {
  return answer(101, replaced(answer_lines, name, values)).verdict;
}

// What our own strict parser makes of what we write.
proxy::ResponseHead read_response(std::string_view octets, std::string& body) {
  proxy::HeadParser parser(proxy::HeadParser::Kind::Response);
  REQUIRE(parser.receive(octets) == proxy::HeadParser::State::Complete);
  body = octets;
  return parser.take_response();
}

}  // namespace

TEST_SUITE("RFC 6455 section 4.2: a client's handshake") {
  TEST_CASE("a handshake gives its key") {
    const auto key = check(upgrade_lines);
    REQUIRE(key);
    CHECK(*key == sample_key);
  }

  TEST_CASE("only GET upgrades") {
    for (const std::string method : {"POST", "HEAD", "CONNECT", "OPTIONS", "get", ""}) {
      CAPTURE(method);
      CHECK(refused_as(check(upgrade_lines, method), UpgradeError::NotWebSocket));
    }
  }

  TEST_CASE("Upgrade names websocket, in any case, perhaps among others") {
    for (const auto& values : std::vector<std::vector<std::string>>{
             {"WebSocket"}, {"h2c, websocket"}, {"websocket, h2c"}, {"h2c", "websocket"}}) {
      CHECK(check_with("Upgrade", values));
    }
    for (const auto& values : std::vector<std::vector<std::string>>{{},
                                                                    {""},
                                                                    {"h2c"},
                                                                    {"websockets"},
                                                                    {"web socket"},
                                                                    {"websocket/13"},
                                                                    {"\"websocket\""},
                                                                    {"websocket;q=1"},
                                                                    {"xwebsocket"}}) {
      CHECK(refused_as(check_with("Upgrade", values), UpgradeError::NotWebSocket));
    }
  }

  TEST_CASE("Connection names upgrade, in any case, perhaps among others") {
    for (const auto& values : std::vector<std::vector<std::string>>{
             {"upgrade"}, {"keep-alive, Upgrade"}, {"UPGRADE ,close"}, {"close", "upgrade"}}) {
      CHECK(check_with("Connection", values));
    }
    for (const auto& values : std::vector<std::vector<std::string>>{
             {}, {""}, {"close"}, {"keep-alive"}, {"upgrades"}, {"keep-alive upgrade"}}) {
      CHECK(refused_as(check_with("Connection", values), UpgradeError::NotWebSocket));
    }
  }

  TEST_CASE("the version is 13, said once") {
    for (const auto& values : std::vector<std::vector<std::string>>{{},
                                                                    {""},
                                                                    {"12"},
                                                                    {"8"},
                                                                    {"013"},
                                                                    {"13.0"},
                                                                    {"+13"},
                                                                    {"13, 8"},
                                                                    {"8, 13"},
                                                                    {"13,"},
                                                                    {"13", "13"},
                                                                    {"13", "8"},
                                                                    {"thirteen"}}) {
      CHECK(refused_as(check_with("Sec-WebSocket-Version", values), UpgradeError::WrongVersion));
    }
    CHECK(check_with("Sec-WebSocket-Version", {"13"}));
  }

  TEST_CASE("the key is 16 octets of base64, said once") {
    for (const auto& key : {"AAAAAAAAAAAAAAAAAAAAAA=="s, "/////////////////////w=="s,
                            "+++++++++++++++++++++Q=="s, "abcdefghijklmnopqrstug=="s}) {
      CAPTURE(key);
      const auto result = check_with("Sec-WebSocket-Key", {key});
      REQUIRE(result);
      CHECK(*result == key);
    }
    for (const auto& key : {
             ""s,
             "AAAAAAAAAAAAAAAAAAAAAA"s,  // no padding
             "AAAAAAAAAAAAAAAAAAAAAA="s,
             "AAAAAAAAAAAAAAAAAAAAAA==="s,
             "AAAAAAAAAAAAAAAAAAAAAAA="s,  // 17 octets
             "AAAAAAAAAAAAAAAAAAAAAAAA"s,  // 18 octets
             "AAAAAAAAAAAAAAAAAAAA===="s,
             "AAAAAAAAAAAAAAAAAAAAAB=="s,  // bits that stand for nothing
             "AAAAAAAAAAAAAAAAAAAAA/=="s,
             "AAAAAAAAAA=AAAAAAAAAAA=="s,
             "AAAAAAAAAA-AAAAAAAAAAA=="s,  // base64url
             "AAAAAAAAAA_AAAAAAAAAAA=="s,
             "AAAAAAAAAA AAAAAAAAAAA=="s,
             "AAAAAAAAAA\0AAAAAAAAAAA=="s,
             "AAAAAAAAAA\xC3\xA9//////////=="s,
             "AAAAAAAAAAAAAAAAAAAA"s,  // 15 octets
             "AAAAAAAAAAAAAAAAAAAAAA==, AAAAAAAAAAAAAAAAAAAAAA=="s,
         }) {
      CAPTURE(key);
      CHECK(refused_as(check_with("Sec-WebSocket-Key", {key}), UpgradeError::BadKey));
    }
    CHECK(refused_as(check_with("Sec-WebSocket-Key", {}), UpgradeError::BadKey));
    CHECK(refused_as(check_with("Sec-WebSocket-Key", {sample_key, sample_key}),
                     UpgradeError::BadKey));
  }

  TEST_CASE("what is not a handshake at all is said before its version, and that before its key") {
    auto lines = replaced(upgrade_lines, "Sec-WebSocket-Key", {"x"});
    lines = replaced(lines, "Sec-WebSocket-Version", {"8"});
    CHECK(refused_as(check(lines), UpgradeError::WrongVersion));
    CHECK(refused_as(check(replaced(lines, "Upgrade", {})), UpgradeError::NotWebSocket));
  }
}

TEST_SUITE("RFC 6455 section 4.2.2: the answer to a client") {
  TEST_CASE("the accept value is the RFC's own") {
    CHECK(proxy::accept_of(sample_key) == sample_accept);
  }

  TEST_CASE("a 101 has the four fields it needs and no other") {
    CHECK(proxy::write_switching_protocols(sample_key, "") ==
          "HTTP/1.1 101 Switching Protocols\r\n"
          "Upgrade: websocket\r\n"
          "Connection: Upgrade\r\n"
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
          "\r\n");
    CHECK(proxy::write_switching_protocols(sample_key, "chat.v2") ==
          "HTTP/1.1 101 Switching Protocols\r\n"
          "Upgrade: websocket\r\n"
          "Connection: Upgrade\r\n"
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
          "Sec-WebSocket-Protocol: chat.v2\r\n"
          "\r\n");
  }

  TEST_CASE("a refusal is whole: it closes, and its length is its body's") {
    const std::vector<Field> fields = {{"Retry-After", "3"}};
    CHECK(proxy::write_response(503, fields, "draining") ==
          "HTTP/1.1 503 Service Unavailable\r\n"
          "Connection: close\r\n"
          "Retry-After: 3\r\n"
          "Content-Type: text/plain; charset=utf-8\r\n"
          "Content-Length: 9\r\n"
          "\r\n"
          "draining\n");
  }

  TEST_CASE("every refusal is read by a strict parser as the status that was meant") {
    for (int status = 400; status < 600; ++status) {
      CAPTURE(status);
      std::string body;
      const auto response = read_response(proxy::write_response(status), body);
      CHECK(response.status == status);
      CHECK(response.fields.has_token("connection", "close"));
      CHECK(*response.fields.find("content-length") == std::to_string(body.size()));
      CHECK(body == std::string(proxy::reason_phrase(status)) + "\n");
      CHECK(response.fields.count("upgrade") == (status == 426 ? 1 : 0));
    }
  }

  TEST_CASE("RFC 9110 section 8.6: a 204 has no content, no type and no length") {
    const std::vector<proxy::Field> fields{{"X-Name", "value"}};
    for (const auto& text :
         {proxy::write_response(204, fields),
          proxy::write_response(204, fields, proxy::Content{"text/plain", "octets"})}) {
      CHECK(text == "HTTP/1.1 204 No Content\r\nConnection: close\r\nX-Name: value\r\n\r\n");
    }
  }

  TEST_CASE("a 426 says which protocol and which version, whoever writes it") {
    std::string body;
    const auto response = read_response(proxy::write_response(426), body);
    CHECK(*response.fields.find("upgrade") == "websocket");
    CHECK(*response.fields.find("sec-websocket-version") == "13");
    CHECK(response.fields.has_token("connection", "upgrade"));
    CHECK(response.fields.has_token("connection", "close"));
  }
}

TEST_SUITE("RFC 6455 section 4.1: the handshake with a backend") {
  TEST_CASE("a key is 16 octets of base64, and never the same twice") {
    std::set<std::string> keys;
    for (int i = 0; i < 100; ++i) {
      const auto key = proxy::make_key();
      REQUIRE(key);
      CHECK(check_with("Sec-WebSocket-Key", {*key}));
      keys.insert(*key);
    }
    CHECK(keys.size() == 100);
  }

  TEST_CASE("a request has the fields given, in order, then the handshake's own") {
    proxy::FieldLines fields;
    fields.add("Host", "a:80");
    fields.add("X-b", "");
    fields.add("Origin", "https://c");
    CHECK(fields.text() == "Host: a:80\r\nX-b: \r\nOrigin: https://c\r\n");
    const auto request = proxy::write_upgrade_request("/x?y", fields, sample_key);
    CHECK(request ==
          "GET /x?y HTTP/1.1\r\n"
          "Host: a:80\r\n"
          "X-b: \r\n"
          "Origin: https://c\r\n"
          "Connection: Upgrade\r\n"
          "Upgrade: websocket\r\n"
          "Sec-WebSocket-Version: 13\r\n"
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
          "\r\n");
    proxy::HeadParser parser(proxy::HeadParser::Kind::Request);
    std::string_view input = request;
    REQUIRE(parser.receive(input) == proxy::HeadParser::State::Complete);
    CHECK(input.empty());
    CHECK(proxy::check_upgrade(parser.take_request()) == std::string(sample_key));
  }

  TEST_CASE("a correct 101 switches") {
    CHECK(answer(101, answer_lines).verdict == UpgradeAnswer::Switched);
    CHECK(answer(101, answer_lines).subprotocol.empty());
    CHECK(answer_with("Upgrade", {"WebSocket"}) == UpgradeAnswer::Switched);
    CHECK(answer_with("Connection", {"keep-alive, upgrade"}) == UpgradeAnswer::Switched);
    CHECK(answer(101, replaced(answer_lines, "Server", {"x"})).verdict == UpgradeAnswer::Switched);
  }

  TEST_CASE("every 4xx refuses, even one that looks like a 101; no other status does") {
    for (const int status : {400, 401, 403, 404, 426, 429, 499}) {
      CAPTURE(status);
      CHECK(answer(status, {}).verdict == UpgradeAnswer::Refused);
      CHECK(answer(status, answer_lines).verdict == UpgradeAnswer::Refused);
    }
    for (const int status :
         {100, 102, 103, 200, 204, 301, 302, 307, 399, 500, 502, 503, 599, 999}) {
      CAPTURE(status);
      CHECK(answer(status, answer_lines).verdict == UpgradeAnswer::Wrong);
    }
  }

  TEST_CASE("a 101 upgrades to websocket and to nothing else") {
    for (const auto& values : std::vector<std::vector<std::string>>{
             {}, {""}, {"h2c"}, {"websocket, h2c"}, {"websocket", "websocket"}, {"websockets"}}) {
      CHECK(answer_with("Upgrade", values) == UpgradeAnswer::Wrong);
    }
    for (const auto& values :
         std::vector<std::vector<std::string>>{{}, {""}, {"close"}, {"upgrades"}}) {
      CHECK(answer_with("Connection", values) == UpgradeAnswer::Wrong);
    }
  }

  TEST_CASE("Sec-WebSocket-Accept proves that the backend understood, once") {
    for (const auto& values : std::vector<std::vector<std::string>>{
             {},
             {""},
             {sample_key},
             {"S3PPLMBITXAQ9KYGZZHZRBK+XOO="},  // base64 has case
             {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo"},
             {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=="},
             {"AAAALMBiTxaQ9kYGzzhZRbK+xOo="},
             {sample_accept, sample_accept},
             {sample_accept, "x"},
             {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}}) {
      CHECK(answer_with("Sec-WebSocket-Accept", values) == UpgradeAnswer::Wrong);
    }
    CHECK(answer_with("Sec-WebSocket-Accept", {sample_accept}) == UpgradeAnswer::Switched);
  }

  TEST_CASE("no extension was offered, so none is accepted") {
    for (const std::string value : {"permessage-deflate", "", "x"}) {
      CAPTURE(value);
      CHECK(answer_with("Sec-WebSocket-Extensions", {value}) == UpgradeAnswer::Wrong);
    }
  }

  TEST_CASE("the subprotocol selected is one of those offered, exactly, at most one") {
    const std::vector<std::string_view> offered = {"chat", "superchat"};
    const auto selecting = [&](const std::vector<std::string>& values) {
      return answer(101, replaced(answer_lines, "Sec-WebSocket-Protocol", values), offered);
    };
    CHECK(selecting({"superchat"}).verdict == UpgradeAnswer::Switched);
    CHECK(selecting({"superchat"}).subprotocol == "superchat");
    CHECK(selecting({}).verdict == UpgradeAnswer::Switched);
    CHECK(selecting({}).subprotocol.empty());
    for (const auto& values : std::vector<std::vector<std::string>>{{""},
                                                                    {"Chat"},
                                                                    {"chat, superchat"},
                                                                    {"chat", "chat"},
                                                                    {"chat", "superchat"},
                                                                    {"cha"},
                                                                    {"bearer.x"}}) {
      CHECK(selecting(values).verdict == UpgradeAnswer::Wrong);
      CHECK(selecting(values).subprotocol.empty());
    }
    const auto unasked = answer(101, replaced(answer_lines, "Sec-WebSocket-Protocol", {"chat"}));
    CHECK(unasked.verdict == UpgradeAnswer::Wrong);
  }
}

TEST_SUITE("SECURITY 5: fields that end at this hop") {
  TEST_CASE("hop-by-hop fields are dropped, in any case and with '_' for '-'") {
    const Lines end_to_end = {{"Host", "a"},      {"Origin", "https://b"},
                              {"Cookie", "c=d"},  {"Sec-WebSocket-Protocol", "chat"},
                              {"X-Upgrade", "1"}, {"Proxied", "2"},
                              {"Te-x", "3"},      {"Content-Length-X", "4"}};
    auto lines = end_to_end;
    for (const std::string name : {"Connection",
                                   "Keep-Alive",
                                   "Proxy-Connection",
                                   "Proxy-Authorization",
                                   "proxy-x",
                                   "Proxy",
                                   "PROXY_AUTHORIZATION",
                                   "TE",
                                   "Trailer",
                                   "Transfer-Encoding",
                                   "transfer_encoding",
                                   "Upgrade",
                                   "HTTP2-Settings",
                                   "Content-Length",
                                   "CONTENT_LENGTH",
                                   "Expect",
                                   "Sec-WebSocket-Key",
                                   "sec_websocket_key",
                                   "Sec-WebSocket-Version",
                                   "Sec-WebSocket-Extensions",
                                   "Sec-WebSocket-Accept"}) {
      lines.emplace_back(name, "x");
    }
    CHECK(lines_of(proxy::without_hop_by_hop(fields_of(lines))) == end_to_end);
  }

  TEST_CASE("what Connection names is dropped with it, every field of the name") {
    const Lines lines = {{"Connection", "keep-alive, x-GATEHOUSE-subject ,,"},
                         {"X-Gatehouse-Subject", "root"},
                         {"x_gatehouse_subject", "root"},
                         {"connection", "x-b"},
                         {"X-B", "1"},
                         {"X-B", "2"},
                         {"X-C", "3"},
                         {"X-Gatehouse-Subject-2", "4"}};
    CHECK(lines_of(proxy::without_hop_by_hop(fields_of(lines))) ==
          Lines{{"X-C", "3"}, {"X-Gatehouse-Subject-2", "4"}});
  }

  TEST_CASE("what the handshake needs stays, whatever Connection names") {
    const Lines needed = {
        {"Host", "a"}, {"Origin", "https://b"}, {"Sec-WebSocket-Protocol", "chat"}};
    auto lines = needed;
    lines.emplace_back("Connection",
                       "host, ORIGIN, sec-websocket-protocol, sec_websocket_protocol");
    CHECK(lines_of(proxy::without_hop_by_hop(fields_of(lines))) == needed);
  }

  TEST_CASE("an alias is the same name with case and '_' / '-' folded") {
    for (const std::string name : {"X-Gatehouse-Subject", "x-gatehouse-subject",
                                   "X_GATEHOUSE_SUBJECT", "x_gatehouse-Subject"}) {
      CAPTURE(name);
      CHECK(proxy::aliases(name, "X-Gatehouse-Subject"));
      CHECK(proxy::aliases("X-Gatehouse-Subject", name));
    }
    for (const std::string name :
         {"X-Gatehouse-Subjec", "X-Gatehouse-Subjects", "XGatehouseSubject", "",
          "X--Gatehouse-Subject", "X.Gatehouse.Subject"}) {
      CAPTURE(name);
      CHECK_FALSE(proxy::aliases(name, "X-Gatehouse-Subject"));
    }
    CHECK_FALSE(proxy::aliases("x-@", "x-`"));
  }
}
