// A login session whose client has its 101: its store is asked again and again, so that who logs
// out of the application, or becomes somebody else there, is not here what it was.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/principal.h"
#include "gateway/policy.h"
#include "gateway/refusal.h"
#include "gateway/session_store.h"
#include "proxy/timers.h"

namespace gateway {

class SessionWatch final : private SessionStore::Asker {
 public:
  // A connection stays open for as long without an answer of the store.
  static constexpr std::chrono::minutes away_max{5};

  class Host {
   public:
    virtual std::string_view subject() = 0;  // of the client
    virtual SessionStore& session_store() = 0;
    virtual const SessionSettings& session_settings() = 0;
    // The session is still the subject's. It has other claims than it had, or another end.
    virtual void on_session_changed(auth::Principal principal, bool other_claims) = 0;
    virtual void on_session_over(Goodbye why) = 0;  // the last call

   protected:
    ~Host() = default;
  };

  // `principal`: as the session was read at the handshake.
  SessionWatch(Host& host, proxy::Timers& timers, std::string id, const auth::Principal& principal);

  void stop();  // no call follows

 private:
  void on_session(const SessionStore::Answer& answer) override;
  void ask();
  void on_away();
  void read(const SessionStore::Answer& answer);
  void wait();

  Host& host_;
  proxy::Timers& timers_;
  const std::string id_;
  std::uint64_t claims_;  // a keyed hash of them
  std::optional<auth::WallTime> good_until_;
  std::optional<proxy::MonotonicTime> away_since_;
  std::unique_ptr<Inquiry> inquiry_;
  proxy::Timer due_;
};

}  // namespace gateway
