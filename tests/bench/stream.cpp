#include "tests/bench/stream.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <utility>

#include <openssl/err.h>
#include <sys/socket.h>

namespace tests::bench {

namespace {

int length_of(std::size_t octets) {
  return static_cast<int>(std::min<std::size_t>(octets, INT_MAX));
}

}  // namespace

TlsSettings::TlsSettings() : context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX* context = context_.get();
  if (!context || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1 ||
      SSL_CTX_set1_groups_list(context, "X25519") != 1) {
    std::abort();
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

Stream::Stream(Descriptor socket, const TlsSettings* tls) : socket_(std::move(socket)) {
  if (!tls) return;
  tls_.reset(SSL_new(tls->context()));
  if (!tls_ || SSL_set_fd(tls_.get(), socket_.number()) != 1) std::abort();
  SSL_set_connect_state(tls_.get());
}

ssize_t Stream::send(std::span<const std::uint8_t> octets) {
  if (!tls_) return ::send(socket_.number(), octets.data(), octets.size(), MSG_NOSIGNAL);
  ERR_clear_error();
  const int octets_sent = SSL_write(tls_.get(), octets.data(), length_of(octets.size()));
  sends_after_reading_ = SSL_want_read(tls_.get()) != 0;
  return result_of(octets_sent, octets_sent);
}

// TLS gives a record at a time; what the socket holds is taken as a whole.
ssize_t Stream::receive(std::span<std::uint8_t> into) {
  if (!tls_) return ::recv(socket_.number(), into.data(), into.size(), 0);
  std::size_t taken = 0;
  int outcome = 0;
  do {
    ERR_clear_error();
    outcome = SSL_read(tls_.get(), into.data() + taken, length_of(into.size() - taken));
    taken += static_cast<std::size_t>(std::max(outcome, 0));
  } while (outcome > 0 && taken < into.size());
  return taken > 0 ? static_cast<ssize_t>(taken) : result_of(outcome, outcome);
}

ssize_t Stream::result_of(int outcome, int octets) {
  if (outcome > 0) return octets;
  switch (SSL_get_error(tls_.get(), outcome)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      // A peer that ends without close_notify is at its end, too.
      if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return 0;
      errno = errno != 0 ? errno : EPROTO;
      return -1;
  }
}

void Stream::reset() {
  if (tls_) (void)SSL_shutdown(tls_.get());  // says that it ends, and waits for nothing
  tls_.reset();
  socket_.reset();
}

}  // namespace tests::bench
