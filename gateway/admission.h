// A client before it is a session: its head is read, every question of the contract is asked in the
// contract's order, the backend is dialled. It ends in an Admitted client or in one refusal, or in
// an answer of one of the gateway's own resources, where it asks for that. It has its 101 at the
// end, or before the backend is asked where the contract says so: where its first message has to
// say who it is, or a refusal is to be a Close.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/accepted_client.h"
#include "gateway/admit.h"
#include "gateway/asked.h"
#include "gateway/audit.h"
#include "gateway/connection_identity.h"
#include "gateway/counting.h"
#include "gateway/depositing.h"
#include "gateway/envelope.h"
#include "gateway/identity_fields.h"
#include "gateway/inquiry.h"
#include "gateway/key_ring.h"
#include "gateway/ledger.h"
#include "gateway/own_request.h"
#include "gateway/policy.h"
#include "gateway/refusal.h"
#include "gateway/revocations.h"
#include "gateway/served_policy.h"
#include "gateway/session_store.h"
#include "gateway/worker_counters.h"
#include "proxy/backend.h"
#include "proxy/http.h"
#include "proxy/loop.h"
#include "proxy/preamble.h"
#include "proxy/transport.h"

namespace gateway {

// What the instance counts for one connection, until its client is gone.
struct Holdings {
  Ledger::Connection connection;
  Ledger::Count of_address;
  Ledger::Count of_subject;
  std::unique_ptr<Counting::Ticket> of_subject_everywhere;  // null: not counted there
};

// All that a Session is made of.
struct AdmittedClient {
  std::shared_ptr<const ServedPolicy> served;  // keeps identity.route alive
  ConnectionIdentity identity;
  Holdings holdings;
  auth::Principal principal;
  Revocations::Mark mark;  // of the credential
  AskedTable::Entry asked;
  std::string session_id;  // of a login session; empty: the credential was none
  std::unique_ptr<proxy::Transport> client;
  std::unique_ptr<proxy::Transport> backend;  // null: the gateway itself is the room server
  std::string early_from_client;
  std::string early_from_backend;
};

class Admission final : private proxy::Transport::Observer,
                        private proxy::BackendHandshake::Observer,
                        private proxy::Preamble::Observer,
                        private Counting::Asker,
                        private Depositing::Asker,
                        private KeyRing::Waiter,
                        private SessionStore::Asker,
                        private AcceptedClient::Observer,
                        private OwnRequest::Observer {
 public:
  // What an admission needs of its worker.
  class Host : public OwnResource::Host {
   public:
    virtual proxy::Loop& loop() = 0;
    virtual const std::shared_ptr<const ServedPolicy>& served() = 0;
    virtual AskedTable& asked() = 0;
    virtual Counting& counting() = 0;
    virtual bool draining() = 0;
    virtual std::string drain_reason() = 0;  // of a Close frame
    virtual EnvelopeReader& envelopes() = 0;
    virtual Audit& audit() = 0;
    virtual unsigned worker_index() = 0;
    virtual void on_admitted(AdmittedClient client) = 0;
    virtual void retire(Admission& admission) = 0;  // the last call

   protected:
    ~Host() = default;
  };

  // `listener`: where it came in, of the host's policy. `connection` empty: the instance is full,
  // and the answer will say so.
  Admission(Host& host, const ListenSettings& listener, std::unique_ptr<proxy::Transport> transport,
            const proxy::IpAddress& peer, Ledger::Connection connection);

  // Refuses a client that has not been decided on; one for whom a backend is dialled goes on.
  void drain();

  // Makes room for others: refuses at once, whatever it waits for.
  void give_way();

  bool counted() const { return counted_; }

  // Of this admission among its worker's, the oldest first; the worker's to use.
  std::list<std::unique_ptr<Admission>>::iterator place;

 private:
  // Arriving:   the PROXY protocol's header or the TLS handshake is awaited.
  // Reading:    the head is awaited.
  // Listening:  the client has its 101, and its first message is awaited.
  // Heard:      that was good; the next questions are asked when its octets have been read.
  // Waiting:    for a key that the token names and that is being looked for.
  // Asking:     a store, whether the credential stands, or whether it has been used.
  // Counting:   whether the subject has too many connections on all instances together.
  // Dialling:   the backend is.
  // Serving:    one of the gateway's own resources, by own_request_.
  // Answered:   a refusal is written; what the client still sends is read and dropped, so that it
  //             sees the answer and not a reset.
  // Done:       the host has been told.
  enum class State : std::uint8_t {
    Arriving,
    Reading,
    Listening,
    Heard,
    Waiting,
    Asking,
    Counting,
    Dialling,
    Serving,
    Answered,
    Done
  };

  void on_octets(std::string_view octets) override;
  void on_sent() override {}
  void on_gone(proxy::TransportError error) override;
  void on_preamble(std::unique_ptr<proxy::Transport> transport,
                   std::optional<proxy::IpAddress> client, std::string_view early) override;
  void on_preamble_failed(const proxy::PreambleFailure& why) override;
  void on_upgraded(proxy::Upgraded upgraded) override;
  void on_upgrade_failed(const proxy::UpgradeFailure& why) override;
  void on_first_message(const proxy::Message& message) override;
  void on_client_ending(const proxy::Ending& ending) override;
  void on_client_gone() override { finish(); }
  void on_served() override { finish(); }

  void on_keys() override;
  void on_session(const SessionStore::Answer& answer) override;

  void arrive(const ListenSettings& listener, std::unique_ptr<proxy::Transport> transport);
  void read_head(std::unique_ptr<proxy::Transport> transport);
  Refusal too_slow_to_arrive() const;
  void turn_away(Refusal refusal, std::string_view detail = {});
  void on_head();
  void serve();
  void identify();
  void on_identified(auth::Principal principal);
  void wait_or_deny(const Denied& denied);
  void ask_for_session(const Denied& denied);
  void hear();
  void on_heard();
  // The questions in their order; true: the next may be asked.
  bool form_is_good();
  bool has_room();
  bool finds_route();
  bool within_handshake_rate();
  bool asks_for_websocket();
  bool comes_from_allowed_origin();
  bool revoked();
  bool is_allowed();
  bool within_address_connections();
  bool within_subject_connections();
  void exceed(Refusal refusal, AuditedLimit limit);

  bool may_be_told_by_close();
  void accept();
  void listen();
  void proceed();
  void on_counted(bool within) override;
  bool has_ticket() const;
  void take_ticket();
  void use_token();
  void on_deposit(DepositAnswer answer) override;
  void on_ticket(const DepositAnswer& answer);
  void open();
  void dial();
  void admit(std::string_view server, std::string_view subprotocol,
             std::unique_ptr<proxy::Transport> backend, std::string early_from_backend);

  const Policy& policy() const { return *served_->policy; }
  bool follows_policy();
  HandshakeRequest request();
  void on_deadline();
  proxy::MonotonicTime now() { return host_.loop().timers().now().monotonic; }
  void deny(const Denied& denied);
  void refuse(Refusal refusal, std::string_view reason = {}, int status = 0,
              std::chrono::milliseconds retry_after = retry_after_default);
  void send_away(proxy::StatusCode code, std::string_view reason);
  void record_refusal(int status, std::string_view reason, std::uint16_t code = 0);
  void record_limit(AuditedLimit limit);
  void finish();

  Host& host_;
  std::shared_ptr<const ServedPolicy> served_;
  State state_ = State::Arriving;
  bool secure_;            // it comes over TLS
  bool nameless_ = false;  // the PROXY protocol's header did not say whose it is
  bool peer_trusted_ = false;
  bool anything_received_ = false;
  bool counted_;  // by the ledger, as one of max_connections
  ConnectionIdentity identity_;
  Holdings holdings_;
  std::unique_ptr<proxy::Preamble> preamble_;  // until there is transport_
  std::unique_ptr<proxy::Transport> transport_;
  proxy::HeadParser parser_;
  proxy::MonotonicTime head_at_{};  // when it was complete, or the first message was
  proxy::RequestHead head_;
  std::vector<auth::Field> fields_;  // of head_
  proxy::Target target_;
  std::string target_text_;  // target_ has views into it
  RouteMatch match_;         // and views of that
  std::string key_;          // Sec-WebSocket-Key
  FoundCredential credential_ = std::unexpected(auth::CredentialsError::Missing);
  bool accepted_ = false;                    // it has its 101, and it selects:
  std::string subprotocol_;                  // empty: none
  std::unique_ptr<AcceptedClient> client_;   // instead of transport_, where it has its 101 and
                                             // is listened to, or sent away
  std::unique_ptr<OwnRequest> own_request_;  // instead of transport_, where it asks for something
                                             // of the gateway itself
  auth::Principal principal_;
  Revocations::Mark mark_;
  // Why it waits for a key or asks a store, or did; null: it never has.
  std::unique_ptr<const Denied> denied_;
  std::unique_ptr<Inquiry> inquiry_;                // that is asked
  std::unique_ptr<Depositing::Question> question_;  // the same
  std::string early_octets_;
  std::size_t dropped_octets_ = 0;
  std::string detail_;  // of the refusal, for the log: the last server, as the policy wrote it
  std::unique_ptr<proxy::BackendHandshake> backend_;
  proxy::Timer deadline_;
};

}  // namespace gateway
