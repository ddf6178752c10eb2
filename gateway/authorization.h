// GET /_gatehouse/authorize: may the request that a proxy names pass? It is asked what a handshake
// for that path is asked, but for what only a connection has: no places for it are counted, nobody
// is dialled, and there is no first message to wait for. Answers nobody but trusted proxies.
#pragma once

#include <memory>
#include <vector>

#include "gateway/admit.h"
#include "gateway/own_resource.h"
#include "proxy/target.h"

namespace gateway {

class Authorization final : public OwnResource,
                            private KeyRing::Waiter,
                            private SessionStore::Asker,
                            private Depositing::Asker {
 public:
  using OwnResource::OwnResource;

  std::optional<OwnAnswer> ask(Observer& observer) override;
  OwnAnswer give_up() override;

 private:
  void on_keys() override;
  void on_session(const SessionStore::Answer& answer) override;
  void on_deposit(DepositAnswer answer) override;

  // The questions in their order: an answer, or none where the next may be asked or is waited for.
  std::optional<OwnAnswer> find_named_route();
  std::optional<OwnAnswer> find_named_credential();
  std::optional<OwnAnswer> identify();
  std::optional<OwnAnswer> wait_or_deny(const Denied& denied);
  std::optional<OwnAnswer> judge(auth::Principal principal);
  std::optional<OwnAnswer> revoked(const auth::Principal& principal) const;
  void use_token(auth::WallTime now);
  OwnAnswer grant(const auth::Principal& principal);

  Observer* observer_ = nullptr;     // null: not asked yet
  std::vector<auth::Field> fields_;  // of the head
  std::string_view host_of_named_;   // of the request that is named
  proxy::Target target_;             // of the same
  RouteMatch match_;                 // views into that
  FoundCredential credential_ = std::unexpected(auth::CredentialsError::Missing);
  std::optional<Denied> denied_;                    // why it waits for a key, or asks a store
  std::unique_ptr<Inquiry> inquiry_;                // of the latter
  std::optional<auth::Principal> principal_;        // who asks, where a token may be used once
  std::unique_ptr<Depositing::Question> question_;  // whether it was
};

}  // namespace gateway
