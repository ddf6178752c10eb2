#include "proxy/preamble.h"

#include <array>
#include <string>

#include <doctest/doctest.h>

#include "tests/fakes/certificates.h"
#include "tests/fakes/fake_transport.h"

namespace {

using proxy::Preamble;
using proxy::PreambleFailure;
using proxy::TlsTransport;
using proxy::TransportError;
using tests::FakeTransport;
using tests::Peer;

const tests::Certificate& own() {
  static const tests::Certificate made({});
  return made;
}

std::shared_ptr<const proxy::TlsServerContext> server_context() {
  proxy::TlsServerSettings settings;
  settings.certificates.push_back(
      proxy::TlsCertificate::parse(own().pem(), own().key_pem()).value());
  return proxy::TlsServerContext::make(std::move(settings)).value();
}

struct Arrival final : Preamble::Observer, proxy::Transport::Observer {
  proxy::Timers timers{{}};
  std::array<char, 64 * 1024> plaintext;
  std::shared_ptr<Peer> peer = std::make_shared<Peer>();
  std::unique_ptr<Preamble> preamble;
  std::unique_ptr<proxy::Transport> transport;
  std::string client = "none";
  std::string received;
  std::optional<PreambleFailure> failure;

  Arrival(bool proxied, std::shared_ptr<const proxy::TlsServerContext> tls) {
    Preamble::Observer& observer = *this;
    preamble =
        std::make_unique<Preamble>(std::make_unique<FakeTransport>(peer), proxied, std::move(tls),
                                   proxy::TlsRoom{timers, plaintext}, observer);
  }

  void on_preamble(std::unique_ptr<proxy::Transport> secured,
                   std::optional<proxy::IpAddress> address, std::string_view early) override {
    transport = std::move(secured);
    if (address) client = address->to_string();
    received = early;
    transport->observe(*this);
    transport->set_reading(true);
  }
  void on_preamble_failed(const PreambleFailure& why) override { failure = why; }
  void on_octets(std::string_view octets) override { received += octets; }
  void on_sent() override {}
  void on_gone(TransportError) override {}
};

// A client whose first flights go through `arrival`, with `before` in front of the first.
struct Client final : proxy::Transport::Observer {
  std::shared_ptr<Peer> peer = std::make_shared<Peer>();
  std::unique_ptr<TlsTransport> tls;

  explicit Client(Arrival& arrival) {
    tls = TlsTransport::connect(std::make_unique<FakeTransport>(peer),
                                proxy::TlsClientContext::make(own().pem()).value(), "localhost",
                                {arrival.timers, arrival.plaintext});
    tls->observe(*this);
    tls->set_reading(true);
  }
  void run(Arrival& arrival, std::string before) {
    for (int flight = 0; flight < 4; ++flight) {
      const auto octets = std::exchange(before, {}) + peer->read();
      if (!octets.empty()) arrival.peer->send(octets);
      const auto answer = arrival.peer->read();
      if (!answer.empty()) peer->send(answer);
    }
  }
  void on_octets(std::string_view) override {}
  void on_sent() override {}
  void on_gone(TransportError) override {}
};

constexpr auto header = "PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\n";

}  // namespace

TEST_CASE("a client behind a load balancer is who that says, and its first octets are not lost") {
  Arrival arrival(true, nullptr);
  arrival.peer->send(header + std::string("GET / HTTP/1.1\r\n"));
  CHECK(arrival.client == "192.0.2.1");
  CHECK(arrival.received == "GET / HTTP/1.1\r\n");
  CHECK(!arrival.failure);
}

TEST_CASE("the header comes before TLS, in the same octets or before them") {
  for (const bool together : {true, false}) {
    Arrival arrival(true, server_context());
    CHECK(arrival.preamble->stage() == Preamble::Stage::ProxyHeader);
    if (!together) {
      arrival.peer->send(header);
      CHECK(arrival.preamble->stage() == Preamble::Stage::Tls);
    }
    Client client(arrival);
    client.tls->write("GET / HTTP/1.1\r\n");
    client.run(arrival, together ? header : "");
    CHECK(arrival.client == "192.0.2.1");
    CHECK(arrival.received == "GET / HTTP/1.1\r\n");
  }
}

TEST_CASE("without a header the client is the peer") {
  Arrival arrival(false, server_context());
  Client client(arrival);
  client.tls->write("GET");
  client.run(arrival, "");
  CHECK(arrival.client == "none");
  CHECK(arrival.received == "GET");
}

TEST_CASE("what ends a preamble is told apart") {
  using Kind = PreambleFailure::Kind;
  const auto failure_of = [](bool proxied, bool tls, std::string_view octets, bool leaves) {
    Arrival arrival(proxied, tls ? server_context() : nullptr);
    if (!octets.empty()) arrival.peer->send(octets);
    if (leaves) arrival.peer->observer->on_gone(TransportError::PeerClosed);
    REQUIRE(arrival.failure);
    CHECK(!arrival.transport);
    return *arrival.failure;
  };
  CHECK(failure_of(true, false, "GET / HTTP/1.1\r\n", false).kind == Kind::BadProxyHeader);
  CHECK(failure_of(true, false, "PROXY TCP4", true).kind == Kind::BadProxyHeader);
  CHECK(failure_of(true, true, "", true).kind == Kind::Left);
  CHECK(failure_of(true, true, header, true).kind == Kind::Left);
  CHECK(failure_of(false, true, "", true).kind == Kind::Left);
  const auto plain = failure_of(false, true, "GET / HTTP/1.1\r\n\r\n", false);
  CHECK(plain.kind == Kind::Tls);
  CHECK(plain.reason == "http request");
  CHECK(failure_of(false, true, "\x16\x03", true).kind == Kind::Tls);
}
