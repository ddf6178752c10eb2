#include "gateway/admin.h"

#include <utility>

#include <openssl/crypto.h>

#include "gateway/refusal.h"
#include "proxy/handshake.h"

namespace gateway {

namespace {

constexpr std::chrono::seconds exchange_max{5};

bool carries_token(const proxy::RequestHead& request, const std::string& token) {
  constexpr std::string_view scheme = "Bearer ";
  const auto* field = request.fields.find("Authorization");
  if (!field || request.fields.count("Authorization") != 1) return false;
  std::string_view value = *field;
  if (!proxy::equals_ignoring_case(value.substr(0, scheme.size()), scheme)) return false;
  value.remove_prefix(scheme.size());
  return value.size() == token.size() &&
         CRYPTO_memcmp(value.data(), token.data(), token.size()) == 0;
}

}  // namespace

AdminAnswer answer_admin(const proxy::RequestHead& request, const std::string& token, bool ready) {
  std::string_view path = request.target;
  path = path.substr(0, path.find('?'));
  bool health = path == "/healthz" || path == "/readyz";
  if (!health && !token.empty() && !carries_token(request, token)) {
    return {401, "this needs the admin token"};
  }
  if (!health) return {404, "no such resource"};
  if (request.method != "GET" && request.method != "HEAD") return {405, "GET only"};
  if (path == "/healthz" || ready) return {200, "ok"};
  return {503, "draining"};
}

class Admin::Exchange final : private proxy::Transport::Observer {
 public:
  Exchange(Admin& admin, std::unique_ptr<proxy::Transport> transport)
      : admin_(admin),
        transport_(std::move(transport)),
        parser_(proxy::HeadParser::Kind::Request),
        deadline_(admin.loop_.timers(), [this] { finish(); }) {
    transport_->observe(*this);
    transport_->set_reading(true);
    deadline_.arm(exchange_max);
  }

  void finish() {
    if (!std::exchange(done_, true)) admin_.retire(*this);
  }

 private:
  void on_octets(std::string_view octets) override {
    if (answered_) return;
    switch (parser_.receive(octets)) {
      case proxy::HeadParser::State::NeedsMore:
        return;
      case proxy::HeadParser::State::Failed:
        return answer({row_of(refusal_of(parser_.error())).http_status, {}});
      case proxy::HeadParser::State::Complete:
        return answer(answer_admin(parser_.take_request(), admin_.token_, admin_.ready_()));
    }
  }
  void on_sent() override {}
  void on_gone(proxy::TransportError) override { finish(); }

  void answer(const AdminAnswer& answer) {
    answered_ = true;
    transport_->write(proxy::write_response(answer.status, {}, answer.body));
    transport_->finish();
  }

  Admin& admin_;
  std::unique_ptr<proxy::Transport> transport_;
  proxy::HeadParser parser_;
  proxy::Timer deadline_;
  bool answered_ = false;
  bool done_ = false;
};

Admin::Admin(proxy::Loop& loop, std::string token, std::function<bool()> ready)
    : loop_(loop), token_(std::move(token)), ready_(std::move(ready)) {}

Admin::~Admin() { listener_.reset(); }

std::expected<void, std::string> Admin::listen(const proxy::SocketAddress& address) {
  auto listener = proxy::Listener::open(loop_, address, *this);
  if (!listener) return std::unexpected(listener.error());
  listener_ = std::move(*listener);
  return {};
}

void Admin::on_accept(std::unique_ptr<proxy::Transport> transport, const proxy::IpAddress&) {
  exchanges_.push_back(std::make_unique<Exchange>(*this, std::move(transport)));
  if (exchanges_.size() > connections_max) exchanges_.front()->finish();
}

void Admin::retire(Exchange& exchange) {
  for (auto it = exchanges_.begin(); it != exchanges_.end(); ++it) {
    if (it->get() != &exchange) continue;
    loop_.retire(std::move(*it));
    exchanges_.erase(it);
    return;
  }
}

}  // namespace gateway
