// POST /_gatehouse/ticket {"path":"/chat"}: who may open a WebSocket there gets a ticket that opens
// one (CONTRACT section 6), since a browser's WebSocket can carry nothing else that is not in every
// log. It is asked what a handshake for that path is asked, but for what only a connection has; and
// a page may ask, whose origin the route names (CORS, Fetch Standard section 3.3).
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/admit.h"
#include "gateway/depositing.h"
#include "gateway/own_resource.h"
#include "proxy/target.h"

namespace gateway {

class TicketRequest final : public OwnResource, private KeyRing::Waiter, private Depositing::Asker {
 public:
  TicketRequest(Host& host, OwnCall call);

  std::size_t body_octets() const override { return body_octets_.value_or(0); }
  std::optional<OwnAnswer> ask(Observer& observer) override;
  OwnAnswer give_up() override;

 private:
  void on_keys() override;
  void on_deposit(DepositAnswer answer) override;

  OwnAnswer answer_preflight();
  std::optional<OwnAnswer> check_sender();
  std::optional<OwnAnswer> judge();
  std::optional<OwnAnswer> check_rate();
  std::optional<OwnAnswer> wait_or_deny(const Denied& denied);
  void use_token(auth::WallTime now);
  void keep(auth::WallTime now);
  OwnAnswer give();
  OwnAnswer no(Refusal refusal, std::string_view reason = {}, int status = 0,
               std::chrono::milliseconds retry_after = retry_after_default) const;
  OwnAnswer no(const Denied& denied) const;
  std::vector<proxy::Field> cors_fields() const;

  Observer* observer_ = nullptr;                 // null: not asked yet
  std::expected<std::size_t, int> body_octets_;  // or the status that says what is wrong with it
  std::string_view host_field_;
  std::vector<auth::Field> fields_;  // of the head
  std::string origin_;               // one of the route's; empty: none, or not yet known
  std::string asked_target_;         // that the body names
  proxy::Target target_;             // views into that
  RouteMatch match_;                 // views into target_
  FoundCredential credential_ = std::unexpected(auth::CredentialsError::Missing);
  std::optional<Denied> denied_;  // why it waits for a key
  std::optional<auth::Principal> principal_;
  const Authenticator* authenticator_ = nullptr;  // its
  std::string ticket_;                            // empty: none has been made yet
  std::chrono::milliseconds lifetime_{};          // its
  std::unique_ptr<Depositing::Question> question_;
};

}  // namespace gateway
