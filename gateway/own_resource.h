// What the gateway itself answers on the public listener, below own_path_prefix (CONTRACT section
// 6): what a request for it is, and what a resource has to say to it. How requests come in and
// answers go out is in own_request.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gateway/audit.h"
#include "gateway/connection_identity.h"
#include "gateway/depositing.h"
#include "gateway/key_ring.h"
#include "gateway/ledger.h"
#include "gateway/policy.h"
#include "gateway/refusal.h"
#include "gateway/revocations.h"
#include "gateway/session_store.h"
#include "gateway/worker_counters.h"
#include "proxy/http.h"
#include "proxy/timers.h"

namespace gateway {

inline constexpr std::size_t own_body_octets_max = 4 * 1024;

// A request. What is found out about it on the way is for the audit log.
struct OwnCall {
  std::shared_ptr<const Policy> policy;  // keeps identity.route alive
  ConnectionIdentity identity;           // no route and no subject at first
  bool peer_trusted = false;             // one of trusted_proxies
  proxy::RequestHead head;
  std::string path;  // decoded: asked for, or asked about
  std::string body;
};

struct OwnAnswer {
  int status = 0;
  std::string text;               // the whole answer, as write_response() makes it
  std::string_view refusal = {};  // the audit log's reason; empty: it is none
};

// As a handshake is refused. `status`: not the row's; 0: the row's. `fields`: further ones.
OwnAnswer refused(Refusal refusal, std::string_view reason = {}, int status = 0,
                  std::chrono::milliseconds retry_after = retry_after_default,
                  std::span<const proxy::Field> fields = {});

// One request's.
class OwnResource {
 public:
  // What resources need of their worker.
  class Host {
   public:
    virtual proxy::Timers& timers() = 0;
    virtual Ledger& ledger() = 0;
    virtual const Revocations& revocations() = 0;
    virtual KeyRing& key_ring() = 0;
    virtual Depositing& depositing() = 0;
    virtual SessionStore& session_store(const SessionSettings& settings) = 0;
    virtual RefusalSampler& refusals() = 0;
    virtual WorkerCounters& counters() = 0;

   protected:
    ~Host() = default;
  };

  class Observer {
   public:
    virtual void on_answer(OwnAnswer answer) = 0;  // once, and the last call

   protected:
    ~Observer() = default;
  };

  OwnResource(Host& host, OwnCall call) : host_(host), call_(std::move(call)) {}
  virtual ~OwnResource() = default;
  OwnResource(const OwnResource&) = delete;
  OwnResource& operator=(const OwnResource&) = delete;

  OwnCall& call() { return call_; }

  // How much of a body is to be read before ask(): at most own_body_octets_max. What else the
  // client sends is dropped, and the connection is not used again.
  virtual std::size_t body_octets() const { return 0; }

  // Once. None: the observer gets it, unless give_up() comes before.
  virtual std::optional<OwnAnswer> ask(Observer& observer) = 0;

  // The observer is told nothing any more: what can be said now.
  virtual OwnAnswer give_up() = 0;

 protected:
  // One of the handshakes that the address may make on that route, as admission.cpp takes it. Zero:
  // taken, else how long until there is one; it has been recorded then.
  std::chrono::milliseconds take_handshake(const Route& route);
  void record_limit(AuditedLimit limit);

  Host& host_;
  OwnCall call_;
};

// By the path as it is written, not decoded: a balancer that keeps its clients from one compares
// what is written. Null: there is none.
using MakeOwnResource = std::unique_ptr<OwnResource> (*)(OwnResource::Host& host, OwnCall call);
MakeOwnResource find_own_resource(std::string_view path);

// Which targets may be asked for in HTTP/1.0: nginx speaks it to whom it asks about a request, if
// it is not told otherwise.
bool own_target(std::string_view target);

}  // namespace gateway
