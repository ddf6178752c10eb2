// What the two sides of one connection may say to each other on a route whose messages are read
// (CONTRACT section 4): each message is judged here, and answered where the gateway speaks. The
// client's memberships live and end with it.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/principal.h"
#include "auth/rule_of_room.h"
#include "gateway/admit.h"
#include "gateway/answers.h"
#include "gateway/audit.h"
#include "gateway/deposit_letters.h"
#include "gateway/envelope.h"
#include "gateway/ledger.h"
#include "gateway/policy.h"
#include "gateway/rooms.h"
#include "gateway/shared_letters.h"
#include "proxy/connection.h"

namespace gateway {

// What all conversations of a worker share.
struct RoomServices {
  Rooms& rooms;
  EnvelopeReader& reader;
  Ledger& ledger;
  auth::RuleOfRoom& rule_of_room;  // of routes of the policy that is served now
  PermitsPort* permits = nullptr;  // null: the policy has no Redis
};

// Every reason that the audit log may give for a message that is refused, each once.
std::span<const std::string_view> message_refusal_reasons();

// What may come of a join that names a room, each once.
std::span<const std::string_view> join_outcomes();

class Conversation final : private Rooms::Member {
 public:
  // The session it belongs to.
  class Host {
   public:
    virtual proxy::MonotonicTime now() = 0;
    virtual std::string_view subject() = 0;            // of the client
    virtual void tell(proxy::SharedOctets frame) = 0;  // a whole frame for the client
    virtual void deliver(std::string_view room_key, const proxy::SharedOctets& frame) = 0;  // also
    virtual void tell_backend(proxy::SharedOctets frame) = 0;  // the same; where there is one
    virtual void resume() = 0;  // the client's held message is judged again
    virtual void starve() = 0;  // the worker has too much to deliver: the client is to go
    // Whose token this is, which is to take the place of the client's.
    virtual std::expected<auth::Principal, Denied> authenticate_again(std::string_view token) = 0;
    // Where that token may be used once, whether this is the first time. None: it is asked, and the
    // message is to be judged again when the answer is there.
    virtual std::optional<DepositAnswer::Outcome> use_token(const auth::Principal& principal) = 0;
    // It has taken its place, and cost so many rooms.
    virtual void renew(const auth::Principal& principal, std::size_t rooms_lost) = 0;
    // Verdict on a message over a limit, as the policy says; Hold is for `wait`.
    virtual proxy::Verdict exceed(AuditedLimit limit, proxy::Duration wait) = 0;
    // For the audit log. `reason`: a word of static life; `room` may be empty.
    virtual void refused(std::string_view reason, std::string_view room) = 0;
    // For metrics. `outcome`: one of join_outcomes().
    virtual void on_join(std::string_view outcome) = 0;

   protected:
    ~Host() = default;
  };

  // `route` has rooms. It, `path` and the services outlive it. `path`: what was asked for, decoded;
  // it is matched again for what the route captures of it.
  Conversation(Host& host, const RoomServices& services, const Route& route,
               auth::Principal principal, std::string_view path);

  // Another policy is in force, whose route speaks the same in the same room space. `principal`: as
  // much of it as the rules look at; `captures`: what the route captured, views of the route and of
  // `path`. The route so far is not needed any more. Rooms that may no longer be joined are left
  // and the client told; returns how many.
  std::size_t adopt(const Route& route, auth::Principal principal, RouteCaptures captures);

  // Would it stay in this room then?
  bool may_stay(std::string_view room_key, const Route& route, const auth::Principal& principal,
                const RouteCaptures& captures) const;

  proxy::Verdict from_client(const proxy::Message& message);
  proxy::Verdict from_backend(const proxy::Message& message);

  // A message of the client's was over a limit before it was read, where `on_exceed` is `error`:
  // its answer has neither room nor id (CONTRACT 4, "Limits").
  proxy::Verdict tell_limit(proxy::Duration wait) {
    return tell_error(RoomError::RateLimited, {}, {}, wait);
  }

  // Its principal's, where the rules look at them; null: they do not.
  const auth::Claims* claims() const;

  // The client's token ends in `left`. Said where the gateway has a word of its own.
  void warn_of_end(proxy::Duration left);

  // The client, who is still the same, has other claims: rooms that they do not open are left.
  // Returns how many.
  std::size_t change_claims(auth::Principal principal);

  // The client is gone, or going: it is in no room any more.
  void end() { services_.rooms.leave_all(*this); }

  // Joined and pending; and whether it has joined the room of this key.
  std::size_t rooms() const { return memberships().size(); }
  bool member_of_key(std::string_view key) const;

 private:
  // A join that waits for its confirmation; the client's later messages wait behind it.
  struct PendingJoin {
    std::string key;
    std::string room;
    std::string id;
    std::optional<proxy::Verdict> verdict = std::nullopt;  // once it is answered
  };
  // The room that was spoken in latest: most clients go on talking where they talk.
  struct SpokenRoom {
    std::string room;
    bool allowed = false;
    std::string key;
    std::optional<Ledger::Name> name = std::nullopt;  // in the ledger; views the key
  };

  void deliver(std::string_view key, const proxy::SharedOctets& frame) override {
    host_.deliver(key, frame);
  }
  void on_joined(std::string_view key, bool confirmed) override;
  void on_starved(std::string_view) override { host_.starve(); }
  void on_unpublished(std::string_view key, std::string_view id) override;

  proxy::Verdict judge_envelope(const proxy::Message& message);
  proxy::Verdict judge_action(const proxy::Message& message);
  proxy::Verdict judge_backend_envelope(std::string_view text);
  proxy::Verdict judge_backend_action(std::string_view text);

  proxy::Verdict join(std::string_view room, std::string_view id);
  proxy::Verdict confirm_join(std::string_view room, std::string_view id);
  proxy::Verdict refuse_join(RoomError error, std::string_view room, std::string_view id);
  proxy::Verdict leave(std::string_view room, std::string_view id);
  proxy::Verdict publish(std::string_view room, std::string_view id, std::string_view payload);
  proxy::Verdict hand_out(const Rooms::Membership& membership, std::string_view room,
                          std::string_view id, std::string_view payload);
  proxy::Verdict refresh(std::string_view token, std::string_view id);
  std::optional<proxy::Verdict> refuse_used(const auth::Principal& principal, std::string_view id);
  proxy::Verdict refuse_refresh(const Denied& denied, std::string_view id);
  std::vector<std::string> rooms_lost_by(const auth::Principal& principal) const;
  void replace(auth::Principal principal, std::span<const std::string> lost,
               std::string_view reason);
  void lose(std::string_view room, std::string_view reason);
  bool give_up_join(std::string_view room);
  void leave(std::string_view room) { services_.rooms.leave(*this, key_of(room)); }
  proxy::Verdict exceed_room(proxy::Duration wait, std::string_view room, std::string_view id);

  proxy::Verdict refuse(RoomError error, std::string_view room, std::string_view id);
  proxy::Verdict deny(std::string_view reason, std::string_view room);
  proxy::Verdict drop_from_backend();
  proxy::Verdict tell_error(RoomError error, std::string_view room, std::string_view id,
                            std::optional<proxy::Duration> wait = std::nullopt);
  void answer(const std::string& json);

  auth::Captures captures() const;
  bool may(auth::RoomAction action, std::string_view room) const;
  bool may_publish(std::string_view room);
  const Ledger::Name& name_of_spoken();
  const Rooms::Membership* find(std::string_view room) const;
  bool member_of(std::string_view room) const;
  std::string key_of(std::string_view room) const;
  const RoomSettings& settings() const { return *route_->rooms; }
  bool silent() const { return settings().json.has_value(); }
  bool answers_joins() const { return !silent() && !settings().backend_acknowledges; }
  proxy::Verdict tell_backend() const;

  // Most clients listen most of the time, so what only some need is made for them.
  Host& host_;
  const RoomServices& services_;
  const Route* route_;
  std::unique_ptr<const auth::Principal> principal_;  // null: the rules do not look at it
  std::unique_ptr<const RouteCaptures> captures_;     // null: the route captures nothing
  std::unique_ptr<PendingJoin> pending_;
  std::unique_ptr<SpokenRoom> spoken_;
  proxy::MonotonicTime errors_since_{};
  std::uint32_t errors_ = 0;         // told since errors_since_
  std::uint32_t key_prefix_octets_;  // of a key before the room
  bool refresh_held_ = false;        // what came before it is on its way to the backend
};

}  // namespace gateway
