#include "proxy/tls.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "proxy/address.h"
#include "proxy/openssl_owned.h"

namespace proxy {

namespace {

constexpr std::size_t record_octets_max = SSL3_RT_MAX_PLAIN_LENGTH;  // RFC 8446 section 5.1

std::string_view first_error() {
  const auto* reason = ERR_reason_error_string(ERR_peek_error());
  return reason ? reason : "the handshake failed";
}

}  // namespace

// A BIO that copies no octet: it reads from what was lent, and writes straight to the transport.
// BIO_s_mem keeps the capacity of the longest message that it has seen.
struct TlsTransport::Stream {
  static TlsTransport& owner(BIO* bio) { return *static_cast<TlsTransport*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* out, int size) noexcept {
    BIO_clear_retry_flags(bio);
    auto& input = owner(bio).input_;
    if (input.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const auto count = input.copy(out, static_cast<std::size_t>(size));
    input.remove_prefix(count);
    return static_cast<int>(count);
  }

  static int write(BIO* bio, const char* octets, int size) noexcept {
    BIO_clear_retry_flags(bio);
    auto& self = owner(bio);
    ++self.answers_;
    self.transport_->write({octets, static_cast<std::size_t>(size)});
    return size;
  }

  static long control(BIO*, int command, long, void*) noexcept {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static BIO_METHOD* make_method() {
    auto* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "transport");
    assert(method);
    BIO_meth_set_read(method, read);
    BIO_meth_set_write(method, write);
    BIO_meth_set_ctrl(method, control);
    return method;
  }

  static BIO* make(TlsTransport& owner) {
    static BIO_METHOD* const method = make_method();
    auto* bio = BIO_new(method);
    assert(bio);
    BIO_set_data(bio, &owner);
    BIO_set_init(bio, 1);
    return bio;
  }
};

TlsTransport::TlsTransport(std::unique_ptr<Transport> transport,
                           std::shared_ptr<const void> context, ssl_st* tls, TlsRoom room)
    : transport_(std::move(transport)),
      context_(std::move(context)),
      tls_(tls),
      room_(room),
      resume_(room.timers, [this] { on_resume(); }) {
  assert(tls_);  // out of memory, as everywhere
  auto* bio = Stream::make(*this);
  SSL_set_bio(tls_, bio, bio);
  transport_->observe(*this);
  listen(true);
}

TlsTransport::~TlsTransport() {
  *destroyed_ = true;
  SSL_free(tls_);
}

std::unique_ptr<TlsTransport> TlsTransport::accept(std::unique_ptr<Transport> transport,
                                                   std::shared_ptr<const TlsServerContext> context,
                                                   TlsRoom room) {
  auto* tls = SSL_new(context->raw());
  std::unique_ptr<TlsTransport> made(
      new TlsTransport(std::move(transport), std::move(context), tls, room));
  SSL_set_accept_state(tls);
  return made;
}

std::unique_ptr<TlsTransport> TlsTransport::connect(std::unique_ptr<Transport> transport,
                                                    std::shared_ptr<const TlsClientContext> context,
                                                    const std::string& server_name, TlsRoom room) {
  auto* tls = SSL_new(context->raw());
  std::unique_ptr<TlsTransport> made(
      new TlsTransport(std::move(transport), std::move(context), tls, room));
  SSL_set_connect_state(tls);
  SSL_set_hostflags(tls,
                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  bool named = false;
  if (IpAddress::parse(server_name)) {
    named = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), server_name.c_str()) == 1;
  } else {  // RFC 6066 section 3: no address in the server's name
    named = SSL_set1_host(tls, server_name.c_str()) == 1 &&
            SSL_set_tlsext_host_name(tls, server_name.c_str()) == 1;
  }
  assert(named);  // else any certificate would do
  (void)named;
  // The first flight; what could be wrong with it is told from the loop.
  ERR_clear_error();
  if (SSL_do_handshake(tls) != 1 && SSL_get_error(tls, -1) != SSL_ERROR_WANT_READ) made->fail();
  return made;
}

// --- what the peer sends ---

void TlsTransport::on_octets(std::string_view octets) {
  anything_received_ = true;
  if (kept_) {  // before them
    kept_->append(octets);
    return;
  }
  input_ = octets;
  read();
}

void TlsTransport::read() {
  const auto destroyed = destroyed_;
  called_ = true;
  if (state_ == State::Handshaking && shake_hands()) {
    if (handshake_observer_) std::exchange(handshake_observer_, nullptr)->on_secured();
    if (!*destroyed && send_unwritten()) observer_->on_sent();
    if (*destroyed) return;
  }
  while (reading_ && state_ == State::Open) {
    const auto octets = decrypt();
    if (octets.empty()) break;
    observer_->on_octets(octets);
    if (*destroyed) return;
  }
  called_ = false;
  keep_unread();
  // An orderly end stands behind what has not been read yet; a failure does not wait.
  if (state_ == State::Ending && (reading_ || error_ != TransportError::PeerClosed)) {
    return lose(error_);
  }
  listen(state_ == State::Handshaking || (state_ == State::Open && reading_));
}

// True: it is over, and was good.
bool TlsTransport::shake_hands() {
  ERR_clear_error();
  const int result = SSL_do_handshake(tls_);
  if (result == 1) {
    state_ = State::Open;
    answers_ = 0;
    return true;
  }
  if (SSL_get_error(tls_, result) != SSL_ERROR_WANT_READ) fail();
  return false;
}

bool TlsTransport::send_unwritten() {
  if (!unwritten_) return false;
  encrypt(*std::exchange(unwritten_, nullptr));
  return true;
}

// As much as the buffer holds, so that many small records go on together. Empty: there is nothing
// more, and state_ says whether there will be.
std::string_view TlsTransport::decrypt() {
  std::size_t filled = 0;
  while (filled < room_.plaintext.size()) {
    ERR_clear_error();
    const int count = SSL_read(tls_, room_.plaintext.data() + filled,
                               static_cast<int>(room_.plaintext.size() - filled));
    if (count > 0) {
      filled += static_cast<std::size_t>(count);
      if (answers_ <= answers_max) {
        if (transport_->unsent() == 0) answers_ = 0;
        continue;
      }
    }
    const int error = SSL_get_error(tls_, count);
    if (error == SSL_ERROR_WANT_READ && answers_ <= answers_max) break;
    end(error == SSL_ERROR_ZERO_RETURN ? TransportError::PeerClosed : TransportError::Reset);
    break;
  }
  return {room_.plaintext.data(), filled};
}

void TlsTransport::keep_unread() {
  if (!input_.empty() && state_ == State::Open) kept_ = std::make_unique<std::string>(input_);
  input_ = {};
}

void TlsTransport::listen(bool on) {
  if (std::exchange(listening_, on) != on) transport_->set_reading(on);
}

bool TlsTransport::unread() const {
  return kept_ || state_ == State::Ending || SSL_pending(tls_) > 0;
}

void TlsTransport::set_reading(bool on) {
  reading_ = on;
  const bool settled_later = called_ || state_ == State::Handshaking;  // at the end of read()
  if (settled_later || state_ == State::Gone) return;
  if (on && unread()) {
    resume_.arm(Duration::zero());
    return;
  }
  if (state_ == State::Open) resume_.disarm();
  listen(on);
}

void TlsTransport::on_resume() {
  const auto kept = std::exchange(kept_, nullptr);
  if (kept) input_ = *kept;
  read();
}

// --- what is sent to it ---

// A stream that is broken is told of soon; what is written until then goes nowhere.
void TlsTransport::write(std::span<const std::string_view> pieces) {
  const bool broken = state_ == State::Ending && error_ != TransportError::PeerClosed;
  if (finishing_ || broken || state_ == State::Gone) return;
  if (state_ == State::Handshaking) {
    if (!unwritten_) unwritten_ = std::make_unique<std::string>();
    for (auto piece : pieces) unwritten_->append(piece);
    return;
  }
  if (pieces.size() == 1) return encrypt(pieces.front());
  // Many frames are one record: what it costs is mostly for each.
  std::array<char, record_octets_max> record;
  std::size_t filled = 0;
  for (auto piece : pieces) {
    while (!piece.empty()) {
      const auto count = piece.copy(record.data() + filled, record.size() - filled);
      piece.remove_prefix(count);
      filled += count;
      if (filled == record.size()) encrypt({record.data(), std::exchange(filled, 0)});
    }
  }
  if (filled > 0) encrypt({record.data(), filled});
}

// One that is longer than a record is several.
void TlsTransport::encrypt(std::string_view octets) {
  if (octets.empty()) return;
  const auto answers = answers_;
  ERR_clear_error();
  std::size_t taken = 0;
  if (SSL_write_ex(tls_, octets.data(), octets.size(), &taken) != 1) end(TransportError::Reset);
  answers_ = answers;
}

std::size_t TlsTransport::unsent() const {
  return transport_->unsent() + (unwritten_ ? unwritten_->size() : 0);
}

void TlsTransport::on_sent() { observer_->on_sent(); }

// RFC 8446 section 6.1: an end that is not announced might be somebody else's doing. Before the
// handshake is over there is nobody to announce it to.
void TlsTransport::finish() {
  if (std::exchange(finishing_, true) || state_ == State::Gone) return;
  if (state_ != State::Handshaking) say_end();
  transport_->finish();
}

void TlsTransport::say_end() {
  ERR_clear_error();
  SSL_shutdown(tls_);
}

// --- the end ---

void TlsTransport::fail() {
  const auto verified = SSL_get_verify_result(tls_);
  failure_ = verified == X509_V_OK ? first_error() : X509_verify_cert_error_string(verified);
  end(TransportError::Insecure);
}

// Told by read(), or soon: a call down never calls up.
void TlsTransport::end(TransportError error) {
  state_ = State::Ending;
  error_ = error;
  if (!called_) resume_.arm(Duration::zero());
}

void TlsTransport::on_gone(TransportError error) {
  if (state_ == State::Handshaking && error != TransportError::Refused) {
    failure_ = "it left during the handshake";
    error = TransportError::Insecure;
  }
  lose(error);
}

void TlsTransport::lose(TransportError error) {
  if (error == TransportError::PeerClosed && state_ == State::Ending && !finishing_) say_end();
  state_ = State::Gone;
  resume_.disarm();
  listen(false);
  observer_->on_gone(error);
}

}  // namespace proxy
