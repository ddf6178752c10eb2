#include "gateway/own_request.h"

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/handshake.h"
#include "tests/fakes/fake_transport.h"
#include "tests/fakes/own_resource_host.h"

using namespace gateway;
using namespace std::chrono_literals;

namespace tests {

namespace {

constexpr proxy::Instant start{proxy::MonotonicTime(1'000h), {}};

// What the resource was asked, and what it says.
struct Script {
  std::size_t body_octets = 0;
  bool answers_at_once = true;
  std::vector<std::string> asked;  // with these bodies
  bool given_up = false;
  OwnResource::Observer* observer = nullptr;
};

class ScriptedResource final : public OwnResource {
 public:
  ScriptedResource(Host& host, OwnCall call, Script& script)
      : OwnResource(host, std::move(call)), script_(script) {}

  std::size_t body_octets() const override { return script_.body_octets; }
  std::optional<OwnAnswer> ask(Observer& observer) override {
    script_.asked.push_back(call_.body);
    script_.observer = &observer;
    if (!script_.answers_at_once) return std::nullopt;
    return OwnAnswer{204, "yes", {}};
  }
  OwnAnswer give_up() override {
    script_.given_up = true;
    return refused(Refusal::Unauthorized, "bad_signature");
  }

 private:
  Script& script_;
};

// A request that is the test itself.
struct Fixture final : OwnRequest::Observer {
  explicit Fixture(Script its_script = {}, std::string_view early = {},
                   std::string_view expect = {})
      : script(std::move(its_script)) {
    OwnCall call;
    call.identity.id.fill('7');
    call.path = "/asked";
    if (!expect.empty()) call.head.fields.add("Expect", expect);
    request = std::make_unique<OwnRequest>(
        host, std::make_unique<FakeTransport>(client),
        std::make_unique<ScriptedResource>(host, std::move(call), script), *this);
    request->start(early);
  }
  void on_served() override { ++served; }

  OwnResourceHost host{start};
  Script script;
  std::shared_ptr<Peer> client = std::make_shared<Peer>();
  std::unique_ptr<OwnRequest> request;
  int served = 0;
};

Script with_body(std::size_t octets) {
  Script script;
  script.body_octets = octets;
  return script;
}

Script later() {
  Script script;
  script.answers_at_once = false;
  return script;
}

}  // namespace

TEST_SUITE("A request for one of the gateway's own resources") {
  TEST_CASE("is answered once and the connection ended, whatever else is sent") {
    Fixture f({}, "more");
    f.client->send("GET / HTTP/1.1\r\n\r\n");
    CHECK(f.script.asked == std::vector<std::string>{""});
    CHECK(f.client->received == "yes");
    CHECK(f.client->finished);
    CHECK(f.client->reading);  // so that the client reads the answer and is not reset
    CHECK(f.host.served("204") == 1);
    CHECK(f.served == 0);
    f.client->vanish();
    CHECK(f.served == 1);
    CHECK(f.host.logged().empty());
  }

  TEST_CASE("is answered when its body is there, and what comes behind that is not read") {
    Fixture f(with_body(4), "ab");
    f.client->send("c");
    CHECK(f.script.asked.empty());
    f.client->send("def");
    CHECK(f.script.asked == std::vector<std::string>{"abcd"});
    Fixture whole(with_body(4096), std::string(5'000, 'x'));
    CHECK(whole.script.asked == std::vector{std::string(4096, 'x')});
  }

  TEST_CASE("is told to go on where it waits for that before it sends its body") {
    CHECK(Fixture(with_body(4), "", "100-continue").client->received == proxy::continue_line);
    CHECK(Fixture(with_body(4), "a", "100-continue").client->received == "");
    CHECK(Fixture(with_body(4)).client->received == "");
    CHECK(Fixture({}, "", "100-continue").client->received == "yes");
  }

  TEST_CASE("is answered later where the resource has to wait, and once") {
    Fixture f(later());
    CHECK(f.client->received == "");
    f.script.observer->on_answer({204, "yes", {}});
    CHECK(f.client->received == "yes");
    f.script.observer->on_answer({204, "again", {}});
    f.request->give_up();
    f.request->refuse(Refusal::Draining);
    CHECK(f.client->received == "yes");
    CHECK(f.host.served("204") == 1);
  }

  TEST_CASE("is answered what can be said when its time is over") {
    Fixture f(later());
    f.request->give_up();
    CHECK(f.client->received == write_answer(401));
    f.script.observer->on_answer({204, "yes", {}});
    CHECK(f.client->received == write_answer(401));
    CHECK(f.host.served("401") == 1);
    const auto lines = f.host.logged();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].contains(R"("reason":"bad_signature","status":401,"path":"/asked")"));
  }

  TEST_CASE("whose body does not come in time is 408, and the resource is not asked") {
    Fixture f(with_body(4), "abc");
    f.request->give_up();
    CHECK(f.client->received == write_answer(408));
    f.client->send("d");
    CHECK(f.script.asked.empty());
  }

  TEST_CASE("can be refused whatever it waits for, and then waits for nothing") {
    Fixture body(with_body(4));
    body.request->refuse(Refusal::Draining);
    CHECK(body.client->received == write_answer(503));
    Fixture asked(later());
    asked.request->refuse(Refusal::Crowded);
    CHECK(asked.client->received == write_answer(503));
    CHECK(asked.script.given_up);
  }

  TEST_CASE("is listened to for 2 s and 256 KiB after its answer, no longer") {
    Fixture f;
    f.host.pass(1'999ms);
    CHECK(f.served == 0);
    f.host.pass(1ms);
    CHECK(f.served == 1);
    Fixture flood;
    flood.client->send(std::string(256 * 1024, 'x'));
    CHECK(flood.served == 0);
    flood.client->send("x");
    CHECK(flood.served == 1);
    flood.client->send("x");
    flood.client->vanish();
    CHECK(flood.served == 1);
  }

  TEST_CASE("whose client leaves before the answer is counted, and logged") {
    Fixture f(later());
    f.client->vanish();
    CHECK(f.served == 1);
    CHECK(f.host.served("none") == 1);
    f.script.observer->on_answer({204, "yes", {}});
    CHECK(f.client->received == "");
    CHECK(f.host.logged().size() == 1);
  }
}

}  // namespace tests
