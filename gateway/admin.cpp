#include "gateway/admin.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "gateway/admin_health.h"
#include "gateway/admin_request.h"
#include "gateway/refusal.h"
#include "proxy/handshake.h"
#include "proxy/http.h"

namespace gateway {

namespace {

using std::chrono::seconds;

constexpr seconds request_max{5};
constexpr seconds reply_max{10};   // of whoever is asked; most rows give up before
constexpr seconds answer_max{30};  // until the client has read it and closed

}  // namespace

class Admin::Client final : private proxy::Transport::Observer {
 public:
  Client(Admin& admin, std::unique_ptr<proxy::Transport> transport, const proxy::IpAddress& peer)
      : admin_(admin),
        peer_(peer),
        transport_(std::move(transport)),
        parser_(proxy::HeadParser::Kind::Request, health_target),
        deadline_(admin.loop_.timers(), [this] { on_deadline(); }) {
    transport_->observe(*this);
    transport_->set_reading(true);
    deadline_.arm(request_max);
  }

  void finish() {
    if (std::exchange(state_, State::Done) != State::Done) admin_.retire(*this);
  }

 private:
  // Head, Body:  the request is read.
  // Asked:       its row is to answer.
  // Answered:    what the client still sends is read and dropped, so that it sees the answer and
  //              not a reset.
  // Done:        the listener has been told.
  enum class State : std::uint8_t { Head, Body, Asked, Answered, Done };

  void on_octets(std::string_view octets) override {
    if (state_ == State::Head) {
      read_head(octets);
    } else if (state_ == State::Body) {
      read_body(octets);
    }
  }
  void on_sent() override {}
  void on_gone(proxy::TransportError) override { finish(); }

  void read_head(std::string_view octets);
  void read_body(std::string_view octets);
  void ask();
  AdminReply reply();
  void answer(const AdminAnswer& answer);
  void on_deadline();

  Admin& admin_;
  const proxy::IpAddress peer_;
  std::unique_ptr<proxy::Transport> transport_;
  proxy::HeadParser parser_;
  proxy::Timer deadline_;
  State state_ = State::Head;
  bool of_head_request_ = false;
  AdmittedCall admitted_{};
  // Gone with this client: a reply that comes later finds nobody.
  const std::shared_ptr<Client*> here_ = std::make_shared<Client*>(this);
};

void Admin::Client::read_head(std::string_view octets) {
  switch (parser_.receive(octets)) {
    case proxy::HeadParser::State::NeedsMore:
      return;
    case proxy::HeadParser::State::Failed:
      return answer(admin_error(row_of(refusal_of(parser_.error())).http_status,
                                "the request is malformed or too large"));
    case proxy::HeadParser::State::Complete:
      break;
  }
  const auto request = parser_.take_request();
  of_head_request_ = request.method == "HEAD";
  auto admitted = admit_call(request, admin_.token_, admin_.api_);
  if (!admitted) {
    admin_.record_refusal(peer_, admitted.error().status);
    return answer(admitted.error());
  }
  admitted_ = std::move(*admitted);
  admitted_.call.peer = peer_;
  state_ = State::Body;
  if (octets.empty() && admitted_.body_octets > 0 &&
      request.fields.has_token("Expect", "100-continue")) {
    transport_->write(proxy::continue_line);
  }
  read_body(octets);
}

void Admin::Client::read_body(std::string_view octets) {
  auto& body = admitted_.call.body;
  body.append(octets.substr(0, admitted_.body_octets - body.size()));
  if (body.size() == admitted_.body_octets) ask();
}

void Admin::Client::ask() {
  state_ = State::Asked;
  deadline_.arm(reply_max);
  admitted_.row->handler(std::move(admitted_.call), reply());
}

AdminReply Admin::Client::reply() {
  return [here = std::weak_ptr(here_)](const AdminAnswer& given) {
    const auto client = here.lock();
    if (client && (*client)->state_ == State::Asked) (*client)->answer(given);
  };
}

void Admin::Client::answer(const AdminAnswer& answer) {
  state_ = State::Answered;
  // What is said of an instance is true for a moment, and never a page.
  std::vector<proxy::Field> fields{{"Cache-Control", "no-store"},
                                   {"X-Content-Type-Options", "nosniff"}};
  for (const auto& [name, value] : answer.fields) fields.push_back({name, value});
  transport_->write(
      proxy::write_response(answer.status, fields,
                            proxy::Content{answer.content_type, answer.content, of_head_request_}));
  transport_->finish();
  deadline_.arm(answer_max);
}

void Admin::Client::on_deadline() {
  switch (state_) {
    case State::Head:
    case State::Body:
      return answer(admin_error(408, "the request came too slowly"));
    case State::Asked:
      return answer(admin_error(503, "no answer in time"));
    case State::Answered:
      return finish();
    case State::Done:
      return;
  }
}

Admin::Admin(proxy::Loop& loop, std::string token, Audit& audit)
    : loop_(loop),
      token_(std::move(token)),
      refusals_(audit),
      second_(loop.timers(), [this] { refusals_.tick(loop_.timers().now().monotonic); }) {}

Admin::~Admin() { listener_.reset(); }  // it hands over what it has, while there is a taker

std::expected<void, std::string> Admin::listen(const proxy::SocketAddress& address) {
  auto listener = proxy::Listener::open(loop_, address, *this);
  if (!listener) return std::unexpected(listener.error());
  listener_ = std::move(*listener);
  return {};
}

void Admin::on_accept(std::unique_ptr<proxy::Transport> transport, const proxy::IpAddress& peer) {
  clients_.push_back(std::make_unique<Client>(*this, std::move(transport), peer));
  if (clients_.size() > connections_max) clients_.front()->finish();
}

// Who has no business here is written down; who has, and asks for what is not there, is not.
void Admin::record_refusal(const proxy::IpAddress& peer, int status) {
  if (status != 401 && status != 403) return;
  const std::string_view reason = status == 401 ? "admin_token" : "admin_foreign";
  refusals_.refused({.connection = {.address = peer}, .reason = reason, .status = status},
                    loop_.timers().now().monotonic);
  if (!second_.armed()) second_.arm(seconds(1));
}

void Admin::retire(Client& client) {
  const auto place =
      std::ranges::find(clients_, &client, [](const auto& each) { return each.get(); });
  loop_.retire(std::move(*place));
  clients_.erase(place);
}

}  // namespace gateway
