// What an HTTP server has at a URL of the policy, asked for on a loop and never waited for in it:
// libcurl's multi interface, with names resolved on threads of its own.
//
// It asks with GET alone, over HTTP/1.1, of no other scheme than the URL's own and through no
// proxy, whatever the environment says. It sends no credential and no cookie, and keeps no
// connection. A server's certificate is verified with the authorities of the system, or those of
// SSL_CERT_FILE and SSL_CERT_DIR, as OpenSSL has it.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "proxy/fetch_url.h"
#include "proxy/loop.h"

namespace proxy {

inline constexpr std::chrono::seconds fetch_timeout{10};  // all of it, redirects too
inline constexpr std::size_t fetch_body_octets_max = 256 * 1024;
inline constexpr std::size_t fetch_head_octets_max =
    32 * 1024;                                             // with the heads of interim answers
inline constexpr std::size_t fetch_etag_octets_max = 256;  // a longer one is not kept
inline constexpr unsigned fetch_redirects_max = 3;         // to the same scheme, host and port

struct FetchRequest {
  FetchUrl url;
  std::string etag;  // of what is at hand (If-None-Match, RFC 9110 section 13.1.2); empty: nothing
};

struct FetchAnswer {
  bool not_modified = false;  // what `etag` named is still so, and `body` empty
  std::string body;
  std::string etag;                               // empty: none
  std::optional<std::chrono::seconds> fresh_for;  // as proxy/cache_control.h
};

struct FetchFailure {
  enum class Kind : std::uint8_t {
    CannotResolve,
    CannotConnect,
    TlsFailed,
    BadCertificate,
    NoAuthorities,  // those to verify a certificate with cannot be read
    TimedOut,
    Redirected,  // elsewhere, or too often
    Status,      // neither 200 nor, where it was asked for, 304
    TooLarge,
    BadAnswer,  // no HTTP, or cut short
  };
  Kind kind;
  int status = 0;  // of Status

  std::string reason() const;  // a word for the log: "cannot_connect", "status_404"
};

using FetchResult = std::expected<FetchAnswer, FetchFailure>;

// One fetch. Destroying it gives it up; nothing is called then. Not from within its on_done.
class Fetch {
 public:
  virtual ~Fetch() = default;
};

class Fetcher {
 public:
  virtual ~Fetcher() = default;

  // `on_done` is called once, from the loop and never from here.
  using OnDone = std::move_only_function<void(FetchResult)>;
  virtual std::unique_ptr<Fetch> fetch(FetchRequest request, OnDone on_done) = 0;
};

class CurlFetcher final : public Fetcher {
 public:
  explicit CurlFetcher(Loop& loop);
  ~CurlFetcher() override;  // after the last Fetch

  std::unique_ptr<Fetch> fetch(FetchRequest request, OnDone on_done) override;

 private:
  class Multi;
  class Transfer;

  std::unique_ptr<Multi> multi_;
};

}  // namespace proxy
