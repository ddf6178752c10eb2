// The servers of one backend as one worker sees them: which is next, which failed a moment ago; and
// the opening handshake with them (RFC 6455 section 4.1).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/counter.h"
#include "proxy/handshake.h"
#include "proxy/http.h"
#include "proxy/lookup.h"
#include "proxy/loop.h"
#include "proxy/tls.h"
#include "proxy/transport.h"

namespace proxy {

struct Server {
  std::string host;
  std::uint16_t port = 80;
  std::string base;  // put before the request target; empty or "/…" without a '/' at its end
  std::shared_ptr<const TlsClientContext> tls = nullptr;  // null: without TLS
  std::string name = {};                                  // that its certificate must have

  bool operator==(const Server&) const = default;
};

class Servers {
 public:
  static constexpr Duration skipped_for = std::chrono::seconds(5);

  // `first`: where the round begins, so that workers do not all begin with the same one.
  Servers(std::vector<Server> servers, std::size_t first);

  // The next in turn that has not failed lately, or, when all have, the one whose failure is the
  // longest ago; none of `tried`. None: all were tried.
  std::optional<std::size_t> next(const std::vector<bool>& tried, MonotonicTime now);

  // How an attempt ended. All but the first two are failures, for which the server is skipped.
  enum class Outcome : std::uint8_t { Upgraded, Refused, Unreachable, Insecure, Wrong, TooSlow };
  static constexpr std::size_t outcomes = 6;
  void record(std::size_t server, Outcome outcome, MonotonicTime now);
  // Of one that upgraded: from the look-up of its name to its 101.
  void observe(std::size_t server, Duration took);

  // From any thread.
  std::uint64_t count(std::size_t server, Outcome outcome) const;
  bool skipped(std::size_t server, MonotonicTime now) const;
  const LatencyHistogram& durations(std::size_t server) const { return records_[server].durations; }

  const Server& operator[](std::size_t i) const { return servers_[i]; }
  std::size_t size() const { return servers_.size(); }
  bool are(const std::vector<Server>& servers) const { return servers_ == servers; }

 private:
  static constexpr MonotonicTime never = MonotonicTime::min();
  struct Record {
    std::atomic<MonotonicTime> failed_at = never;  // not since it was last good
    std::array<Counter, outcomes> counts;
    LatencyHistogram durations;
  };

  MonotonicTime failed_at(std::size_t server) const;

  std::vector<Server> servers_;
  std::vector<Record> records_;  // of each
  std::size_t turn_;
};

// What is asked of a backend.
struct UpgradeRequest {
  std::string target;
  FieldLines fields;                      // with Host and Sec-WebSocket-Protocol
  std::vector<std::string> subprotocols;  // those offered
};

struct Upgraded {
  std::unique_ptr<Transport> transport;
  std::string subprotocol;   // empty: none
  std::string early_octets;  // what came behind the 101
  std::size_t server = 0;
};

struct UpgradeFailure {
  enum class Kind : std::uint8_t {
    Unreachable,  // no server took the connection
    Insecure,     // its TLS handshake failed: `reason`
    Wrong,        // not a correct 101, and no refusal either
    TooSlow,
    Refused,  // `status` is the backend's own 4xx
  };
  Kind kind;
  int status = 0;
  std::size_t server = 0;        // the last that was tried
  std::string_view reason = {};  // as TlsTransport::failure()
};

// One opening handshake with a backend: its servers one after the other, each within
// `connect_timeout`, until one answers. Destroying it gives up.
class BackendHandshake final : private Transport::Observer {
 public:
  class Observer {
   public:
    virtual void on_upgraded(Upgraded upgraded) = 0;                // the last call, or:
    virtual void on_upgrade_failed(const UpgradeFailure& why) = 0;  // the last call

   protected:
    ~Observer() = default;
  };

  BackendHandshake(Loop& loop, Servers& servers, Duration connect_timeout, UpgradeRequest request,
                   Observer& observer);

 private:
  void try_next_server();
  void on_addresses(std::vector<IpAddress> addresses);
  void try_next_address();
  void record(Servers::Outcome outcome);
  void secure();
  void fail(UpgradeFailure::Kind kind, std::string_view reason = {});
  void fail_soon(UpgradeFailure::Kind kind);
  void on_head(std::string_view early_octets);

  void on_octets(std::string_view octets) override;
  void on_sent() override {}
  void on_gone(TransportError error) override;

  Loop& loop_;
  Servers& servers_;
  Duration connect_timeout_;
  UpgradeRequest request_;
  Observer& observer_;
  std::vector<bool> tried_;
  std::size_t server_ = 0;
  MonotonicTime began_{};  // with this server
  UpgradeFailure failure_{UpgradeFailure::Kind::Unreachable};
  std::vector<IpAddress> addresses_;  // of the server, those left to try, the next one last
  std::string key_;
  std::unique_ptr<Lookup> lookup_;
  std::unique_ptr<Transport> transport_;
  const TlsTransport* tls_ = nullptr;  // transport_, where it is one
  std::optional<HeadParser> parser_;
  UpgradeFailure::Kind deadline_means_ = UpgradeFailure::Kind::TooSlow;
  Timer deadline_;
};

}  // namespace proxy
