// A client after its 101, until it and its backend are gone: the token's end, the limits, what is
// said in rooms, and the last line of the audit log.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/rate_limit.h"
#include "gateway/admission.h"
#include "gateway/adoption.h"
#include "gateway/audit.h"
#include "gateway/conversation.h"
#include "gateway/depositing.h"
#include "gateway/lifetime.h"
#include "gateway/policy.h"
#include "gateway/refusal.h"
#include "gateway/served_policy.h"
#include "gateway/session_store.h"
#include "gateway/worker_counters.h"
#include "proxy/relay.h"

namespace gateway {

class Session final : private proxy::Relay::Gate,
                      private Conversation::Host,
                      private Depositing::Asker {
 public:
  // What a session needs of its worker.
  class Host {
   public:
    virtual proxy::Timers& timers() = 0;
    virtual proxy::FlushList& flushes() = 0;
    virtual Audit& audit() = 0;
    virtual RefusalSampler& refusals() = 0;
    virtual WorkerCounters& counters() = 0;
    virtual const Revocations& revocations() = 0;
    virtual KeyRing& key_ring() = 0;
    virtual SessionStore& session_store(const SessionSettings& settings) = 0;
    virtual Depositing& depositing() = 0;
    virtual const RoomServices& room_services() = 0;  // outlive the session
    virtual const std::shared_ptr<const ServedPolicy>& served() = 0;
    virtual AdoptionTally& adoptions() = 0;     // of sessions that took that one
    virtual void retire(Session& session) = 0;  // the last call

   protected:
    ~Host() = default;
  };

  Session(Host& host, AdmittedClient client);

  ~Session();

  // Once, from the loop: reads what came behind the handshakes, then everything else.
  void start(std::string_view early_from_client, std::string_view early_from_backend);

  // Does what is due by the wall clock, which may have been stepped since the timer was set.
  void check_time();

  void drain(std::string_view reason);  // `reason`: of the Close frame

  // Takes the policy that its worker serves now in place of its own, or closes where that has no
  // place for it. From the loop; what the client and its backend say is never judged before that.
  void follow_policy();

  // Closes the client, unless it is closing.
  void close(Goodbye goodbye) { say_goodbye(goodbye, {}); }

  // For who looks at it from outside. Not open: its Close has been sent, or it is gone.
  bool open() const { return relay_.open(); }
  const ConnectionIdentity& identity() const { return identity_; }
  proxy::MonotonicTime opened() const { return lifetime_.opened(); }
  std::optional<auth::WallTime> good_until() const { return lifetime_.good_until(); }
  const Revocations::Mark& mark() const { return mark_; }
  std::size_t rooms() const { return conversation_ ? conversation_->rooms() : 0; }
  bool member_of(std::string_view room_key) const {
    return conversation_ && conversation_->member_of_key(room_key);
  }

  std::size_t place = 0;  // of this session among its worker's; the worker's to use

 private:
  proxy::Verdict admit(const proxy::FrameHeader& frame) override;
  bool admit_all(const proxy::Tally& messages) override;
  bool hears_backend() override { return !take_policy(); }
  proxy::Verdict judge(proxy::Relay::Side from, const proxy::Message& message) override;
  void on_ending(proxy::Relay::Side first, const proxy::Ending& ending,
                 const proxy::Close& told) override;
  void on_client_gone() override;
  void on_gone() override;

  std::string_view subject() override { return identity_.subject; }
  proxy::MonotonicTime now() override { return host_.timers().now().monotonic; }
  void tell(proxy::SharedOctets frame) override { relay_.tell(std::move(frame)); }
  void deliver(std::string_view room_key, const proxy::SharedOctets& frame) override;
  void tell_backend(proxy::SharedOctets frame) override { relay_.tell_backend(std::move(frame)); }
  std::expected<auth::Principal, Denied> authenticate_again(std::string_view token) override;
  std::optional<DepositAnswer::Outcome> use_token(const auth::Principal& principal) override;
  void on_deposit(DepositAnswer answer) override;
  void renew(const auth::Principal& principal, std::size_t rooms_lost) override;
  void resume() override { relay_.resume(); }
  void starve() override { say_goodbye(Goodbye::Overloaded, {}); }
  proxy::Verdict exceed(AuditedLimit limit, proxy::Duration wait) override;
  void refused(std::string_view reason, std::string_view room) override;
  void on_join(std::string_view outcome) override { host_.counters().joins.add(outcome); }

  void on_login_changed(auth::Principal principal, bool other_claims);
  bool take_claims(auth::Principal principal);

  Standing standing() const;
  bool behind() const { return served_ != host_.served(); }
  std::optional<Goodbye> take_policy();
  std::optional<proxy::Verdict> closed_by_policy();
  void adopt(Adopted adopted);
  void keep_claims(const auth::Claims& claims);
  bool stays_in(std::string_view room_key) const;

  std::optional<proxy::Verdict> charge_message();
  std::optional<proxy::Verdict> charge_subject();
  std::optional<proxy::Verdict> charge_shared_subject();
  std::optional<proxy::Verdict> charge_octets(const proxy::FrameHeader& frame);
  proxy::Verdict exceed_unread(AuditedLimit limit, bool begins_message, proxy::Duration wait);
  void live_until(std::optional<auth::WallTime> good_until);
  void watch_time();
  void report_limit(AuditedLimit limit, LimitAction action);
  void write_limit_line();
  void say_goodbye(Goodbye goodbye, std::string_view reason);
  void record_end(std::uint16_t code, ClosedBy by, std::string_view reason);
  const ServedRoute& served_route() const { return served_->of(*identity_.route); }
  RouteCounters& route_counters() { return *served_route().counters; }

  // Of a token that is to take the place of the client's, whether it has been used.
  struct Use {
    std::string name;  // auth::name_of_token()
    std::unique_ptr<Depositing::Question> question;
    std::optional<DepositAnswer::Outcome> outcome;  // none: it is awaited
  };

  Host& host_;
  std::shared_ptr<const ServedPolicy> served_;  // that it is judged by; keeps the route alive
  ConnectionIdentity identity_;
  Holdings holdings_;
  AskedTable::Entry asked_;
  const Authenticator* authenticator_;         // the route's; null: of none
  std::unique_ptr<const std::string> issuer_;  // where the authenticator does not name it
  std::uint64_t key_;                          // auth::Principal::key
  std::unique_ptr<char[]> claims_;  // JSON, for policies to come; null: its credential has none
  [[no_unique_address]] Lifetime lifetime_;  // what follows fits into the octets that it leaves
  // The message whose frame is held has paid its permit here.
  bool connection_charged_ = false;
  bool subject_charged_ = false;
  AuditedLimit limit_hit_ = AuditedLimit::ConnectionMessages;  // the latest
  LimitAction limit_action_ = LimitAction::Drop;
  Revocations::Mark mark_;
  auth::TokenBucket messages_;
  auth::TokenBucket octets_;
  std::uint64_t limit_hits_unreported_ = 0;
  proxy::MonotonicTime limit_report_due_ = proxy::MonotonicTime::min();
  std::unique_ptr<Ledger::Name> subject_name_;  // in the ledger, once a message has been charged
  proxy::Timer due_;                            // what is next in its lifetime
  std::unique_ptr<Use> use_;                    // null: none is asked for
  std::unique_ptr<Conversation> conversation_;  // null: messages are opaque
  struct Login;
  std::unique_ptr<Login> login_;  // null: the credential is no login session
  proxy::Relay relay_;
};

}  // namespace gateway
