#include "proxy/tls.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include "tests/fakes/certificates.h"
#include "tests/fakes/fake_transport.h"

namespace {

using namespace std::chrono_literals;
using proxy::TlsClientContext;
using proxy::TlsServerContext;
using proxy::TlsServerSettings;
using proxy::TlsTransport;
using proxy::TransportError;
using tests::Certificate;
using tests::FakeTransport;
using tests::Peer;

const Certificate& authority() {
  static const Certificate made({.names = "", .authority = true});
  return made;
}

proxy::TlsCertificate parsed(const Certificate& certificate) {
  return proxy::TlsCertificate::parse(certificate.pem(), certificate.key_pem()).value();
}

std::shared_ptr<const TlsServerContext> server_context(
    const std::vector<Certificate>& certificates = {Certificate({}, &authority())},
    TlsServerSettings::ClientAuth client_auth = TlsServerSettings::ClientAuth::None) {
  TlsServerSettings settings;
  for (const auto& certificate : certificates) {
    settings.certificates.push_back(parsed(certificate));
  }
  settings.client_authorities = authority().pem();
  settings.client_auth = client_auth;
  return TlsServerContext::make(std::move(settings)).value();
}

std::shared_ptr<const TlsClientContext> client_context(
    const std::string& authorities = authority().pem()) {
  return TlsClientContext::make(authorities).value();
}

// One end of the stream, its owner being the test.
struct End final : proxy::Transport::Observer, TlsTransport::HandshakeObserver {
  std::shared_ptr<Peer> peer = std::make_shared<Peer>();
  std::unique_ptr<TlsTransport> tls;
  std::string received;
  std::vector<std::size_t> reads;
  std::optional<TransportError> gone;
  std::size_t sent = 0;
  bool secured = false;
  bool stops_reading = false;  // after each read
  bool drops_at_read = false;
  bool drops_when_secured = false;

  void on_octets(std::string_view octets) override {
    received += octets;
    reads.push_back(octets.size());
    if (stops_reading) tls->set_reading(false);
    if (drops_at_read) tls.reset();
  }
  void on_sent() override { ++sent; }
  void on_gone(TransportError error) override {
    CHECK(!gone);
    gone = error;
  }
  void on_secured() override {
    secured = true;
    if (drops_when_secured) return tls.reset();
    tls->set_reading(true);
  }
};

struct Stream {
  proxy::Timers timers{{}};
  std::array<char, 64 * 1024 + 16> plaintext;
  End client;
  End server;

  explicit Stream(std::shared_ptr<const TlsServerContext> serving = server_context(),
                  std::shared_ptr<const TlsClientContext> asking = client_context(),
                  const std::string& name = "localhost") {
    server.tls = TlsTransport::accept(std::make_unique<FakeTransport>(server.peer),
                                      std::move(serving), {timers, plaintext});
    server.tls->observe(server);
    server.tls->observe_handshake(server);
    client.tls = TlsTransport::connect(std::make_unique<FakeTransport>(client.peer),
                                       std::move(asking), name, {timers, plaintext});
    client.tls->observe(client);
    client.tls->set_reading(true);
  }

  static bool carry(End& from, End& to) {
    if (from.peer->received.empty() || !to.tls || !to.peer->reading) return false;
    to.peer->send(from.peer->read());
    return true;
  }

  // Until neither has anything to say, and no timer is due.
  void run() {
    bool moved = true;
    while (moved) {
      moved = carry(client, server);
      moved |= carry(server, client);
      const auto due = timers.next_deadline();
      if (due && *due <= timers.now().monotonic) {
        timers.advance_to(timers.now());
        moved = true;
      }
    }
  }
};

Stream& shaken(Stream& stream) {
  stream.run();
  REQUIRE(stream.server.secured);
  return stream;
}

std::string pattern(std::size_t octets) {
  std::string text(octets, '\0');
  for (std::size_t i = 0; i < octets; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
  return text;
}

}  // namespace

TEST_SUITE("TLS: octets") {
  TEST_CASE("what either side writes is what the other reads, in any size") {
    Stream stream;
    shaken(stream);
    for (std::size_t size : {1, 200, 16384, 16385, 65550, 300000}) {
      const auto octets = pattern(size);
      stream.client.tls->write(octets);
      stream.server.tls->write(octets);
      stream.run();
      CHECK(stream.server.received == octets);
      CHECK(stream.client.received == octets);
      stream.server.received.clear();
      stream.client.received.clear();
    }
  }

  TEST_CASE("octets that come one by one are the same") {
    Stream stream;
    shaken(stream);
    const auto octets = pattern(20000);
    stream.client.tls->write(octets);
    for (const char octet : stream.client.peer->read()) stream.server.peer->send({&octet, 1});
    CHECK(stream.server.received == octets);
  }

  TEST_CASE("many pieces are one record and one write, many records are one read") {
    Stream stream;
    shaken(stream);
    const auto frame = pattern(128);
    const std::vector<std::string_view> frames(16, frame);
    stream.client.peer->writes = 0;
    stream.client.tls->write(frames);
    CHECK(stream.client.peer->writes == 1);
    CHECK(stream.client.peer->received.size() < 16 * 128 + 64);
    for (int i = 0; i < 16; ++i) stream.client.tls->write(frame);
    stream.server.reads.clear();
    stream.run();
    CHECK(stream.server.reads == std::vector<std::size_t>{32 * 128});
  }

  TEST_CASE("many pieces over the length of a record are several, in order") {
    Stream stream;
    shaken(stream);
    const auto octets = pattern(100'000);
    std::vector<std::string_view> pieces;
    for (std::size_t at = 0, size = 1; at < octets.size(); at += size, size = size * 3 % 30011) {
      pieces.push_back(std::string_view(octets).substr(at, size));
    }
    stream.server.tls->write(pieces);
    stream.run();
    CHECK(stream.client.received == octets);
  }

  TEST_CASE("what is written before the handshake is over goes when it is") {
    Stream stream;
    stream.client.tls->write("GET / HTTP/1.1\r\n");
    CHECK(stream.client.tls->unsent() == 16);
    shaken(stream);
    CHECK(stream.server.received == "GET / HTTP/1.1\r\n");
    CHECK(stream.client.tls->unsent() == 0);
    CHECK(stream.client.sent == 1);
  }

  TEST_CASE("what the kernel has not taken is unsent, and its being taken is told") {
    Stream stream;
    shaken(stream);
    stream.server.peer->takes_octets = false;
    stream.server.tls->write(pattern(1000));
    CHECK(stream.server.tls->unsent() >= 1000);
    stream.server.peer->take(stream.server.peer->unsent);
    CHECK(stream.server.tls->unsent() == 0);
    CHECK(stream.server.sent == 1);
  }
}

TEST_SUITE("TLS: the laws of callbacks") {
  TEST_CASE("who does not read is given nothing, and gets the rest when it reads again") {
    Stream stream;
    shaken(stream);
    const auto octets = pattern(200'000);
    stream.client.tls->write(octets);
    stream.server.stops_reading = true;
    stream.run();
    CHECK(stream.server.reads.size() == 1);
    CHECK(!stream.server.peer->reading);
    for (int i = 0; i < 20 && stream.server.received.size() < octets.size(); ++i) {
      const auto before = stream.server.reads.size();
      stream.server.tls->set_reading(true);
      CHECK(stream.server.reads.size() == before);  // a call down never calls up
      stream.run();
      CHECK(stream.server.reads.size() == before + 1);
    }
    CHECK(stream.server.received == octets);
  }

  TEST_CASE("who stops to read before what is kept was delivered gets it later") {
    Stream stream;
    shaken(stream);
    stream.server.stops_reading = true;
    stream.client.tls->write(pattern(150'000));
    stream.run();
    stream.server.tls->set_reading(true);
    stream.server.tls->set_reading(false);
    stream.run();
    CHECK(stream.server.reads.size() == 1);
    stream.server.stops_reading = false;
    stream.server.tls->set_reading(true);
    stream.run();
    CHECK(stream.server.received == pattern(150'000));
    CHECK(stream.server.peer->reading);
  }

  TEST_CASE("the end of the stream waits behind what is not read yet") {
    Stream stream;
    shaken(stream);
    stream.server.stops_reading = true;
    stream.client.tls->write("last words");
    stream.client.tls->finish();
    stream.run();
    CHECK(stream.server.received == "last words");
    CHECK(!stream.server.gone);
    stream.server.tls->set_reading(true);
    CHECK(!stream.server.gone);
    stream.run();
    CHECK(stream.server.gone == TransportError::PeerClosed);
  }

  TEST_CASE("it may be dropped from within any of its calls") {
    Stream first;
    shaken(first);
    first.server.drops_at_read = true;
    first.client.tls->write(pattern(150'000));
    first.run();
    CHECK(first.server.reads.size() == 1);
    CHECK(first.server.peer->dropped);
    Stream second;
    second.client.tls->write("early");
    second.server.drops_when_secured = true;
    second.run();
    CHECK(second.server.received.empty());
    CHECK(second.server.peer->dropped);
  }
}

TEST_SUITE("TLS: the end") {
  TEST_CASE("an end is announced by close_notify, and ends the stream below") {
    Stream stream;
    shaken(stream);
    stream.server.tls->write("bye");
    stream.server.tls->finish();
    CHECK(stream.server.peer->finished);
    stream.server.tls->write("too late");
    stream.run();
    CHECK(stream.client.received == "bye");
    CHECK(stream.client.gone == TransportError::PeerClosed);
  }

  TEST_CASE("who has finished still hears the other side") {
    Stream stream;
    shaken(stream);
    stream.server.tls->finish();
    stream.client.tls->write("answer");
    stream.run();
    CHECK(stream.server.received == "answer");
  }

  TEST_CASE("a stream that is cut off or broken is gone, and says so once") {
    Stream cut;
    shaken(cut);
    cut.server.peer->vanish();
    CHECK(cut.server.gone == TransportError::Reset);
    Stream broken;
    shaken(broken);
    broken.client.tls->write("octets");
    auto record = broken.client.peer->read();
    record.back() ^= 1;
    broken.server.peer->send(record);
    CHECK(broken.server.received.empty());
    CHECK(broken.server.gone == TransportError::Reset);
    broken.server.tls->write("nobody hears it");
    broken.server.tls->finish();
  }

  TEST_CASE("a peer that goes during the handshake, or speaks something else, is insecure") {
    Stream left;
    left.carry(left.client, left.server);
    left.server.peer->observer->on_gone(TransportError::PeerClosed);
    CHECK(left.server.gone == TransportError::Insecure);
    CHECK(left.server.tls->failure() == "it left during the handshake");
    Stream plain;
    plain.server.peer->send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(plain.server.gone == TransportError::Insecure);
    CHECK(plain.server.tls->failure() == "http request");
    Stream refused;
    refused.client.peer->observer->on_gone(TransportError::Refused);
    CHECK(refused.client.gone == TransportError::Refused);
  }
}

namespace {

// OpenSSL without any of ours around it.
struct BareClient {
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context{SSL_CTX_new(TLS_client_method()),
                                                       SSL_CTX_free};
  std::unique_ptr<SSL, void (*)(SSL*)> tls{SSL_new(context.get()), SSL_free};

  BareClient() {
    SSL_set_bio(tls.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(tls.get());
  }
  void exchange(End& server) {
    for (int flight = 0; flight < 3; ++flight) {
      SSL_do_handshake(tls.get());
      char* octets = nullptr;
      const auto size = BIO_get_mem_data(SSL_get_wbio(tls.get()), &octets);
      if (size > 0) server.peer->send({octets, static_cast<std::size_t>(size)});
      (void)BIO_reset(SSL_get_wbio(tls.get()));
      const auto answer = server.peer->read();
      BIO_write(SSL_get_rbio(tls.get()), answer.data(), static_cast<int>(answer.size()));
    }
  }
  void update_keys(End& server) {
    REQUIRE(SSL_key_update(tls.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
    exchange(server);
    char octet;
    SSL_read(tls.get(), &octet, 1);
  }
  void say(End& server, std::string_view octets) {
    SSL_write(tls.get(), octets.data(), static_cast<int>(octets.size()));
    exchange(server);
  }
};

}  // namespace

TEST_SUITE("TLS: a peer that makes the protocol itself speak") {
  TEST_CASE("keys may be updated on both sides, but not on and on with nothing said between") {
    Stream stream;
    auto& server = stream.server;
    BareClient client;
    client.exchange(server);
    REQUIRE(server.secured);
    for (int i = 0; i < 100; ++i) {
      client.update_keys(server);
      client.say(server, "octet");
    }
    CHECK(!server.gone);
    CHECK(server.received.size() == 500);
    for (int i = 0; i < 32; ++i) client.update_keys(server);
    CHECK(!server.gone);
    client.update_keys(server);
    CHECK(server.gone == TransportError::Reset);
  }
}

TEST_SUITE("TLS: a peer that makes the protocol itself speak") {
  TEST_CASE("and does not read is cut off, whatever it says between") {
    Stream stream;
    auto& server = stream.server;
    BareClient client;
    client.exchange(server);
    REQUIRE(server.secured);
    server.peer->takes_octets = false;
    for (int i = 0; i < 33; ++i) {  // one is not answered before the next
      client.update_keys(server);
      client.say(server, "octet");
    }
    CHECK(!server.gone);
    client.update_keys(server);
    client.say(server, "octet");
    CHECK(server.gone == TransportError::Reset);
  }
}

TEST_SUITE("TLS: whom a client believes") {
  std::string failure_of(const Certificate& certificate, const std::string& name,
                         std::shared_ptr<const TlsClientContext> context = client_context()) {
    Stream stream(server_context({certificate}), std::move(context), name);
    stream.run();
    if (stream.client.gone) CHECK(stream.client.gone == TransportError::Insecure);
    CHECK(stream.client.gone.has_value() == stream.server.gone.has_value());
    return std::string(stream.client.tls->failure());
  }

  TEST_CASE("a certificate is good for its names alone, and never by its common name") {
    const Certificate named({.names = "DNS:chat.internal, DNS:*.apps.internal, IP:127.0.0.1"},
                            &authority());
    const std::string mismatch = "hostname mismatch";
    CHECK(failure_of(named, "chat.internal") == "");
    CHECK(failure_of(named, "a.apps.internal") == "");
    CHECK(failure_of(named, "127.0.0.1") == "");
    CHECK(failure_of(named, "b.a.apps.internal") == mismatch);
    CHECK(failure_of(named, "apps.internal") == mismatch);
    CHECK(failure_of(named, "localhost") == mismatch);
    CHECK(failure_of(named, "127.0.0.2") == "IP address mismatch");
    const Certificate unnamed({.names = "IP:127.0.0.9"}, &authority());
    CHECK(failure_of(unnamed, "localhost") == mismatch);
  }

  TEST_CASE("a certificate of another authority, or one that is over, is not believed") {
    const Certificate other_authority({.names = "", .authority = true});
    CHECK(failure_of(Certificate({}, &other_authority), "localhost") ==
          "unable to get local issuer certificate");
    CHECK(failure_of(Certificate({.good_for = -1h}, &authority()), "localhost") ==
          "certificate has expired");
    CHECK(failure_of(Certificate({}), "localhost") == "self-signed certificate");
    CHECK(failure_of(Certificate({}, &authority()), "localhost",
                     TlsClientContext::make("").value()) ==
          "unable to get local issuer certificate");
  }
}

TEST_SUITE("TLS: which certificate a server shows") {
  // By asking under a name: a certificate that is not for it fails.
  bool shown(const std::shared_ptr<const TlsServerContext>& context, const std::string& name) {
    Stream stream(context, client_context(), name);
    stream.run();
    return !stream.client.gone;
  }

  TEST_CASE("the one that has the name, exactly or by a wildcard for one label, else the first") {
    const auto context = server_context({
        Certificate({.names = "DNS:first.example, DNS:Second.example"}, &authority()),
        Certificate({.names = "DNS:*.example.com"}, &authority()),
        Certificate({.names = "DNS:chat.example.com, IP:127.0.0.1"}, &authority()),
    });
    CHECK(shown(context, "first.example"));
    CHECK(shown(context, "SECOND.example"));
    CHECK(shown(context, "a.example.com"));
    CHECK(shown(context, "chat.example.com"));
    CHECK(!shown(context, "example.com"));
    CHECK(!shown(context, "a.b.example.com"));
    CHECK(!shown(context, "127.0.0.1"));  // no name is sent: the first
  }

  TEST_CASE("an RSA certificate and one of a curve may share a name") {
    const auto context = server_context({
        Certificate({.names = "DNS:other.example"}, &authority()),
        Certificate({.names = "DNS:both.example", .rsa_bits = 2048}, &authority()),
        Certificate({.names = "DNS:both.example"}, &authority()),
    });
    CHECK(shown(context, "both.example"));
    CHECK(shown(context, "other.example"));
  }

  TEST_CASE(
      "the first certificate is not shown for a name of another, whatever kinds of keys they "
      "have") {
    const auto context = server_context({
        Certificate({.names = "DNS:other.example"}, &authority()),
        Certificate({.names = "DNS:rsa.example", .rsa_bits = 2048}, &authority()),
    });
    CHECK(shown(context, "rsa.example"));
  }
}

TEST_SUITE("TLS: certificates of clients") {
  TEST_CASE(
      "one that is required and not shown ends the handshake, one that is asked for does not") {
    using ClientAuth = TlsServerSettings::ClientAuth;
    const std::vector<Certificate> own{Certificate({}, &authority())};
    Stream required(server_context(own, ClientAuth::Require));
    required.run();
    CHECK(!required.server.secured);
    CHECK(required.server.gone == TransportError::Insecure);
    CHECK(required.server.tls->failure() == "peer did not return a certificate");
    Stream requested(server_context(own, ClientAuth::Request));
    requested.run();
    CHECK(requested.server.secured);
  }
}
