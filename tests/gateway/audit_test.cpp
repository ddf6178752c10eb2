#include "gateway/audit.h"

#include <doctest/doctest.h>

#include "tests/gateway/captured_log.h"

using namespace gateway;
using namespace std::chrono_literals;
using tests::CapturedLog;

namespace {

using Lines = std::vector<std::string>;

const RefusalSampler::Time start{100h};

AuditedConnection alice() {
  return {.id = "c-1",
          .route = "/chat",
          .address = proxy::IpAddress::parse("192.0.2.1").value(),
          .subject = "alice"};
}

ConnectionRefused refused(std::string_view reason, int status = 401) {
  return {.connection = {.id = "c-2", .route = "/chat", .address = alice().address, .subject = {}},
          .reason = reason,
          .status = status,
          .path = "/chat",
          .detail = {}};
}

LimitHit hit(AuditedLimit limit, std::uint64_t suppressed = 0) {
  return {
      .connection = alice(), .limit = limit, .action = LimitAction::Drop, .suppressed = suppressed};
}

std::size_t count_containing(const Lines& lines, std::string_view text) {
  std::size_t count = 0;
  for (const std::string& line : lines) count += line.find(text) != line.npos ? 1 : 0;
  return count;
}

// Everything that there is to say.
void say_everything(Audit& audit) {
  audit.connection_opened({.connection = alice(),
                           .authenticator = "users",
                           .server = "ws://127.0.0.1:9001",
                           .subprotocol = "chat",
                           .worker = 3});
  audit.connection_refused(refused("expired"));
  audit.refusals_suppressed(LogLevel::Info, "expired", 7);
  audit.connection_closed({.connection = alice(),
                           .code = 1000,
                           .by = ClosedBy::Client,
                           .reason = "closed",
                           .from_client = {.messages = 1, .octets = 2},
                           .from_backend = {.messages = 3, .octets = 4},
                           .duration = 5ms});
  audit.token_refreshed({.connection = alice(), .authenticator = "users", .rooms_lost = 2});
  audit.token_refreshes_suppressed(8);
  audit.limit_hit(hit(AuditedLimit::ConnectionMessages, 6));
  audit.limit_hits_suppressed(AuditedLimit::ConnectionMessages, 7);
  audit.claims_left_out(alice(), 5'000);
  audit.claims_left_out_suppressed(9);
  audit.ticket_made(alice(), "users");
  audit.tickets_made_suppressed(10);
  audit.admin_call(
      {.address = alice().address, .action = "close", .connection = "c-1", .status = 202});
  audit.admin_call({.address = alice().address,
                    .action = "publish",
                    .room = "r\n",
                    .space = "s",
                    .status = 503});
  audit.started("0.1.0", "127.0.0.1:8080", "127.0.0.1:8081", 4);
  audit.ready();
  audit.draining(12);
  audit.stopped(2);
}

}  // namespace

TEST_SUITE("the audit trail") {
  TEST_CASE("each event has its name and its fields") {
    CapturedLog captured;
    Audit audit(captured.log());
    say_everything(audit);
    const std::string who =
        R"("connection":"c-1","route":"/chat","address":"192.0.2.1","subject":"alice",)";
    CHECK(captured.lines() ==
          Lines{
              R"({"level":"info","event":"connection_opened",)" + who +
                  R"("authenticator":"users","server":"ws://127.0.0.1:9001",)"
                  R"("subprotocol":"chat","worker":3})",
              R"({"level":"info","event":"connection_refused","connection":"c-2",)"
              R"("route":"/chat","address":"192.0.2.1","reason":"expired","status":401,)"
              R"("path":"/chat"})",
              R"({"level":"info","event":"connection_refused_suppressed","reason":"expired",)"
              R"("count":7})",
              R"({"level":"info","event":"connection_closed",)" + who +
                  R"("code":1000,"by":"client","reason":"closed","client_messages":1,)"
                  R"("client_octets":2,"backend_messages":3,"backend_octets":4,"duration_ms":5})",
              R"({"level":"info","event":"token_refreshed",)" + who +
                  R"("authenticator":"users","rooms_lost":2})",
              R"({"level":"info","event":"token_refreshed_suppressed","count":8})",
              R"({"level":"info","event":"limit_hit",)" + who +
                  R"("limit":"connection_messages","action":"drop","suppressed":6})",
              R"({"level":"info","event":"limit_hit_suppressed","limit":"connection_messages",)"
              R"("count":7})",
              R"({"level":"warn","event":"claims_left_out",)" + who + R"("octets":5000})",
              R"({"level":"warn","event":"claims_left_out_suppressed","count":9})",
              R"({"level":"info","event":"ticket_made",)" + who + R"("authenticator":"users"})",
              R"({"level":"info","event":"ticket_made_suppressed","count":10})",
              R"({"level":"info","event":"admin_call","address":"192.0.2.1","action":"close",)"
              R"("connection":"c-1","status":202})",
              R"({"level":"info","event":"admin_call","address":"192.0.2.1","action":"publish",)"
              R"("room":"r\n","space":"s","status":503})",
              R"({"level":"info","event":"started","version":"0.1.0","listen":"127.0.0.1:8080",)"
              R"("admin":"127.0.0.1:8081","workers":4})",
              R"({"level":"info","event":"ready"})",
              R"({"level":"info","event":"draining","connections":12})",
              R"({"level":"info","event":"stopped","connections_cut":2})",
          });
  }

  TEST_CASE("who closed, which limit and what it did have names") {
    CapturedLog captured(LogLevel::Info, LogFormat::Text);
    Audit audit(captured.log());
    for (const ClosedBy by : {ClosedBy::Client, ClosedBy::Backend, ClosedBy::Gateway}) {
      audit.connection_closed({.connection = alice(), .code = 1001, .by = by, .reason = "x"});
    }
    for (const LimitAction action :
         {LimitAction::Drop, LimitAction::Throttle, LimitAction::Close, LimitAction::Refuse}) {
      audit.limit_hit({.connection = alice(), .action = action});
    }
    const std::string text = captured.text();
    for (const char* name : {"by=\"client\"", "by=\"backend\"", "by=\"gateway\"", "action=\"drop\"",
                             "action=\"throttle\"", "action=\"close\"", "action=\"refuse\""}) {
      CAPTURE(name);
      CHECK(text.find(name) != text.npos);
    }
    CHECK(name_of(AuditedLimit::ConnectionMessages) == "connection_messages");
    CHECK(name_of(AuditedLimit::ConnectionOctets) == "connection_octets");
    CHECK(name_of(AuditedLimit::IpHandshakes) == "ip_handshakes");
    CHECK(name_of(AuditedLimit::IpConnections) == "ip_connections");
    CHECK(name_of(AuditedLimit::SubjectConnections) == "subject_connections");
  }

  TEST_CASE("a refusal for a fault on our side is a warning, any other is not") {
    CapturedLog captured(LogLevel::Warn);
    Audit audit(captured.log());
    audit.connection_refused(refused("expired", 401));
    audit.connection_refused(refused("odd", 499));
    audit.connection_refused(refused("fault", 500));
    audit.connection_refused(refused("too_many_handshakes", 429));
    audit.connection_refused(refused("backend_unreachable", 502));
    audit.connection_refused(refused("full", 503));
    const Lines lines = captured.lines();
    REQUIRE(lines.size() == 3);
    CHECK(count_containing(lines, R"("level":"warn")") == 3);
    CHECK(count_containing(lines, R"("reason":"fault")") == 1);
    CHECK(count_containing(lines, R"("reason":"backend_unreachable")") == 1);
    CHECK(count_containing(lines, R"("reason":"full")") == 1);
  }

  TEST_CASE("keys that are fetched: what is new is told, and what is of no use is a warning") {
    CapturedLog captured(LogLevel::Info);
    Audit audit(captured.log());
    KeySetStatus set;
    set.authenticator = "users";
    set.origin = "https://id.example.com";
    set.keys = 2;
    audit.keys_fetched(set, true);
    audit.keys_fetched(set, false);
    set.left_out = 1;
    set.first_left_out = "keys[0]: why";
    audit.keys_fetched(set, true);
    const std::string who = R"("authenticator":"users","from":"https://id.example.com","keys":2,)";
    CHECK(captured.lines() ==
          Lines{R"({"level":"info","event":"keys_fetched",)" + who + R"("left_out":0})",
                R"({"level":"warn","event":"keys_fetched",)" + who +
                    R"("left_out":1,"first_left_out":"keys[0]: why"})"});
  }

  TEST_CASE("keys that cannot be fetched: of many failures in a row fewer and fewer are told") {
    CapturedLog captured(LogLevel::Info);
    Audit audit(captured.log());
    KeySetStatus set;
    set.authenticator = "users";
    set.origin = "https://id.example.com";
    set.last_error = "timed_out";
    const proxy::MonotonicTime now(100h);
    for (set.failures_in_a_row = 1; set.failures_in_a_row <= 200; ++set.failures_in_a_row) {
      if (set.failures_in_a_row == 128) set.fetched = now - 3661s;
      audit.key_fetch_failed(set, now);
    }
    const Lines lines = captured.lines();
    REQUIRE(lines.size() == 9);  // 1, 2, 4, 8, 16, 32, 64, 128, 192
    CHECK(lines.front() ==
          R"({"level":"warn","event":"key_fetch_failed","authenticator":"users",)"
          R"("from":"https://id.example.com","reason":"timed_out","failures":1,"keys":0})");
    CHECK(lines.back().ends_with(R"("failures":192,"keys":0,"age_s":3661})"));
  }

  TEST_CASE("a level that leaves the events out leaves them all out") {
    CapturedLog captured(LogLevel::Error);
    Audit audit(captured.log());
    say_everything(audit);
    CHECK(captured.lines().empty());
  }

  TEST_CASE("what a client chose stays one value in one line") {
    CapturedLog captured(LogLevel::Info, LogFormat::Text);
    Audit audit(captured.log());
    auto event = refused("no_route", 404);
    event.connection.subject = "a\r\nX-Admin: 1";
    event.path = "/x\" status=\"101";
    audit.connection_refused(event);
    CHECK(captured.lines() ==
          Lines{R"(info connection_refused connection="c-2" route="/chat" address="192.0.2.1" )"
                R"(subject="a\r\nX-Admin: 1" reason="no_route" status=404 )"
                R"(path="/x\" status=\"101")"});
  }
}

TEST_SUITE("sampled refusals") {
  TEST_CASE("10 000 refusals in a second are ten lines and a count") {
    CapturedLog captured;
    Audit audit(captured.log());
    RefusalSampler sampler(audit);
    for (int i = 0; i < 10'000; ++i) sampler.refused(refused("bad_signature"), start + i * 99us);
    sampler.tick(start + 1s);
    CHECK(sampler.lines_suppressed() == 9'990);
    const Lines lines = captured.lines();
    REQUIRE(lines.size() == RefusalSampler::full_lines_max + 1);
    CHECK(lines.back() ==
          R"({"level":"info","event":"connection_refused_suppressed","reason":"bad_signature",)"
          R"("count":9990})");
  }

  TEST_CASE("as many as are written in full leave no count") {
    CapturedLog captured;
    Audit audit(captured.log());
    RefusalSampler sampler(audit);
    for (std::uint64_t i = 0; i < RefusalSampler::full_lines_max; ++i) {
      sampler.refused(refused("expired"), start);
    }
    sampler.tick(start + 1s);
    sampler.tick(start + 2s);
    CHECK(captured.lines().size() == RefusalSampler::full_lines_max);
  }

  TEST_CASE("each reason is sampled by itself, so that a flood of one hides no other") {
    CapturedLog captured;
    Audit audit(captured.log());
    RefusalSampler sampler(audit);
    for (int i = 0; i < 100; ++i) sampler.refused(refused("no_route", 404), start);
    sampler.refused(refused("backend_unreachable", 502), start);
    sampler.finish();
    const Lines lines = captured.lines();
    CHECK(count_containing(lines, R"("reason":"backend_unreachable","status":502)") == 1);
    CHECK(count_containing(lines, R"("reason":"no_route","count":90)") == 1);
  }

  TEST_CASE("the next second begins anew, and tells of the last one even without a tick") {
    CapturedLog captured;
    Audit audit(captured.log());
    RefusalSampler sampler(audit);
    for (int i = 0; i < 12; ++i) sampler.refused(refused("expired"), start);
    sampler.refused(refused("expired"), start + 999ms);
    sampler.refused(refused("expired"), start + 1s);
    const Lines lines = captured.lines();
    REQUIRE(lines.size() == 12);
    CHECK(count_containing(lines, R"("reason":"expired","count":3)") == 1);
    CHECK(lines.back().find("connection_refused_suppressed") == std::string::npos);
  }

  TEST_CASE("a tick before the second is over writes nothing") {
    CapturedLog captured;
    Audit audit(captured.log());
    RefusalSampler sampler(audit);
    for (int i = 0; i < 11; ++i) sampler.refused(refused("expired"), start);
    sampler.tick(start + 999ms);
    CHECK(captured.lines().size() == 10);
  }

  TEST_CASE("at the end what is counted is written at once, and once") {
    CapturedLog captured;
    Audit audit(captured.log());
    RefusalSampler sampler(audit);
    for (int i = 0; i < 11; ++i) sampler.refused(refused("expired"), start);
    sampler.finish();
    sampler.finish();
    CHECK(count_containing(captured.lines(), R"("count":1)") == 1);
  }

  TEST_CASE("the count of a warning is a warning") {
    CapturedLog captured(LogLevel::Warn);
    Audit audit(captured.log());
    RefusalSampler sampler(audit);
    for (int i = 0; i < 15; ++i) {
      sampler.refused(refused("backend_unreachable", 502), start);
      sampler.refused(refused("expired", 401), start);
    }
    sampler.finish();
    const Lines lines = captured.lines();
    REQUIRE(lines.size() == 11);
    CHECK(lines.back() == R"({"level":"warn","event":"connection_refused_suppressed",)"
                          R"("reason":"backend_unreachable","count":5})");
  }

  TEST_CASE("limits are sampled too, each by itself, and hits that a line stood for are counted") {
    CapturedLog captured;
    Audit audit(captured.log());
    RefusalSampler sampler(audit);
    for (int i = 0; i < 12; ++i) sampler.limit_hit(hit(AuditedLimit::ConnectionOctets, 4), start);
    sampler.limit_hit(hit(AuditedLimit::IpHandshakes), start);
    sampler.tick(start + 1s);
    const Lines lines = captured.lines();
    REQUIRE(lines.size() == 12);
    CHECK(count_containing(lines, R"("limit":"ip_handshakes","action":"drop","suppressed":0)") ==
          1);
    CHECK(lines.back() ==
          R"({"level":"info","event":"limit_hit_suppressed","limit":"connection_octets",)"
          R"("count":10})");
  }

  TEST_CASE("refreshes are sampled, since a client may send one after the other") {
    CapturedLog captured;
    Audit audit(captured.log());
    RefusalSampler sampler(audit);
    for (int i = 0; i < 13; ++i) sampler.token_refreshed({.connection = alice()}, start);
    sampler.tick(start + 1s);
    sampler.token_refreshed({.connection = alice()}, start + 1s);
    const Lines lines = captured.lines();
    CHECK(count_containing(lines, R"("event":"token_refreshed",)") == 11);
    CHECK(count_containing(lines, R"("event":"token_refreshed_suppressed","count":3)") == 1);
  }

  TEST_CASE("so are tickets that were made, and claims that were left out") {
    CapturedLog captured;
    Audit audit(captured.log());
    RefusalSampler sampler(audit);
    for (int i = 0; i < 13; ++i) {
      sampler.ticket_made(alice(), "users", start);
      sampler.claims_left_out(alice(), 5'000, start);
    }
    sampler.tick(start + 1s);
    const Lines lines = captured.lines();
    CHECK(count_containing(lines, R"("event":"ticket_made",)") == 10);
    CHECK(count_containing(lines, R"("event":"ticket_made_suppressed","count":3)") == 1);
    CHECK(count_containing(lines, R"("event":"claims_left_out",)") == 10);
    CHECK(count_containing(lines, R"("event":"claims_left_out_suppressed","count":3)") == 1);
  }

  TEST_CASE("limits too begin anew with the next second") {
    CapturedLog captured;
    Audit audit(captured.log());
    RefusalSampler sampler(audit);
    for (int second = 0; second < 2; ++second) {
      for (int i = 0; i < 11; ++i) {
        sampler.limit_hit(hit(AuditedLimit::IpConnections), start + second * 1s);
      }
    }
    sampler.finish();
    const Lines lines = captured.lines();
    CHECK(lines.size() == 2 * 11);
    CHECK(count_containing(lines, R"("limit":"ip_connections","count":1)") == 2);
  }

  TEST_CASE("there are never more reasons than the bound, and none is lost") {
    CapturedLog captured;
    Audit audit(captured.log());
    RefusalSampler sampler(audit);
    Lines names;
    for (std::size_t i = 0; i < 2 * RefusalSampler::reasons_max; ++i) {
      names.push_back("reason_" + std::to_string(i));
    }
    for (const std::string& name : names) sampler.refused(refused(name), start);
    sampler.finish();
    const Lines lines = captured.lines();
    // The last place is shared by one more than there are reasons over the bound.
    const std::size_t shared = RefusalSampler::reasons_max + 1;
    CHECK(lines.size() == RefusalSampler::reasons_max - 1 + RefusalSampler::full_lines_max + 1);
    CHECK(lines.back() ==
          R"({"level":"info","event":"connection_refused_suppressed","reason":"other",)"
          R"("count":)" +
              std::to_string(shared - RefusalSampler::full_lines_max) + '}');
  }
}
