#include "proxy/fetch.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <map>
#include <string_view>
#include <utility>

#include <curl/curl.h>

#include "proxy/cache_control.h"
#include "proxy/http.h"
#include "proxy/uv_handle.h"

namespace proxy {
namespace {

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using OwnedList = std::unique_ptr<curl_slist, FreeList>;

void append(OwnedList& list, const std::string& line) {
  auto* longer = curl_slist_append(list.get(), line.c_str());
  assert(longer);
  (void)list.release();
  list.reset(longer);
}

// All fields of this name of the answer, comma-separated (RFC 9110 section 5.3).
std::string field_of(CURL* easy, const char* name) {
  std::string value;
  curl_header* field = nullptr;
  for (std::size_t i = 0; curl_easy_header(easy, name, i, CURLH_HEADER, -1, &field) == CURLHE_OK;
       ++i)
    value.append(i > 0 ? ", " : "").append(field->value);
  return value;
}

// RFC 9110 section 8.8.3. It is sent back as it came, so it must be one.
std::string etag_of(CURL* easy) {
  auto etag = field_of(easy, "ETag");
  const bool one = etag.ends_with('"') && (etag.starts_with('"') || etag.starts_with("W/\""));
  const bool well_formed =
      one && std::ranges::all_of(etag, [](char c) { return c > ' ' && c < '\x7f'; });
  return well_formed && etag.size() <= fetch_etag_octets_max ? etag : std::string();
}

FetchFailure::Kind kind_of(CURLcode code) {
  using enum FetchFailure::Kind;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return CannotResolve;
    case CURLE_COULDNT_CONNECT:
      return CannotConnect;
    case CURLE_SSL_CONNECT_ERROR:
      return TlsFailed;
    case CURLE_PEER_FAILED_VERIFICATION:
      return BadCertificate;
    case CURLE_SSL_CACERT_BADFILE:
      return NoAuthorities;
    case CURLE_OPERATION_TIMEDOUT:
      return TimedOut;
    default:
      return BadAnswer;
  }
}

bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

std::string FetchFailure::reason() const {
  switch (kind) {
    case Kind::CannotResolve:
      return "cannot_resolve";
    case Kind::CannotConnect:
      return "cannot_connect";
    case Kind::TlsFailed:
      return "tls_failed";
    case Kind::BadCertificate:
      return "bad_certificate";
    case Kind::NoAuthorities:
      return "no_certificate_authorities";
    case Kind::TimedOut:
      return "timed_out";
    case Kind::Redirected:
      return "redirected";
    case Kind::Status:
      return "status_" + std::to_string(status);
    case Kind::TooLarge:
      return "too_large";
    case Kind::BadAnswer:
      return "bad_answer";
  }
  std::unreachable();
}

// libcurl's own part: which of its sockets are watched, and its one deadline.
class CurlFetcher::Multi {
 public:
  explicit Multi(Loop& loop)
      : loop_(loop),
        raw_(curl_multi_init()),
        deadline_(loop.timers(), [this] { act(CURL_SOCKET_TIMEOUT, 0); }) {
    assert(raw_);
    curl_multi_setopt(raw_, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(raw_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(raw_, CURLMOPT_TIMERFUNCTION, on_deadline);
    curl_multi_setopt(raw_, CURLMOPT_TIMERDATA, this);
  }
  ~Multi() { curl_multi_cleanup(raw_); }
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;

  CURLM* raw() const { return raw_; }
  Timers& timers() const { return loop_.timers(); }

 private:
  struct Watch {
    Watch(Multi& owner, curl_socket_t watched) : multi(owner), socket(watched), handle(this) {
      uv_poll_init_socket(multi.loop_.raw(), handle.get(), socket);
    }
    Multi& multi;
    const curl_socket_t socket;
    UvHandle<uv_poll_t> handle;
  };

  static int on_socket(CURL*, curl_socket_t socket, int what, void* self, void*) noexcept {
    static_cast<Multi*>(self)->watch(socket, what);
    return 0;
  }

  static int on_deadline(CURLM*, long milliseconds, void* self) noexcept {
    auto& deadline = static_cast<Multi*>(self)->deadline_;
    milliseconds < 0 ? deadline.disarm() : deadline.arm(std::chrono::milliseconds(milliseconds));
    return 0;
  }

  static void on_ready(uv_poll_t* handle, int status, int events) noexcept {
    auto* watch = static_cast<Watch*>(handle->data);
    if (!watch) return;
    watch->multi.loop_.wake();
    int ready = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE) ready |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE) ready |= CURL_CSELECT_OUT;
    watch->multi.act(watch->socket, ready);  // the watch may be gone behind it
  }

  void watch(curl_socket_t socket, int what) {
    if (what == CURL_POLL_REMOVE) {
      watches_.erase(socket);
      return;
    }
    auto& watch = watches_[socket];
    if (!watch) watch = std::make_unique<Watch>(*this, socket);
    const int events =
        (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(watch->handle.get(), events, on_ready);
  }

  void act(curl_socket_t socket, int ready);

  Loop& loop_;
  CURLM* const raw_;
  std::map<curl_socket_t, std::unique_ptr<Watch>> watches_;
  Timer deadline_;
};

class CurlFetcher::Transfer final : public Fetch {
 public:
  Transfer(Multi& multi, FetchRequest request, OnDone on_done)
      : multi_(multi),
        request_(std::move(request)),
        on_done_(std::move(on_done)),
        deadline_(multi.timers(), [this] { fail(FetchFailure::Kind::TimedOut); }) {
    append(fields_, "Accept: application/json, application/jwk-set+json");
    if (!request_.etag.empty()) append(fields_, "If-None-Match: " + request_.etag);
    deadline_.arm(fetch_timeout);
    begin();
  }
  ~Transfer() override { end(); }

  void on_transferred(CURLcode code) {
    if (code != CURLE_OK) return fail(too_large_ ? FetchFailure::Kind::TooLarge : kind_of(code));
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    if (is_redirect(status)) return follow();
    const bool not_modified = status == 304 && !request_.etag.empty();
    if (status != 200 && !not_modified) {
      return done(
          std::unexpected(FetchFailure{FetchFailure::Kind::Status, static_cast<int>(status)}));
    }
    FetchAnswer answer{
        .not_modified = not_modified,
        .body = not_modified ? std::string() : std::move(body_),
        .etag = etag_of(easy_),
        .fresh_for = proxy::fresh_for(field_of(easy_, "Cache-Control"), field_of(easy_, "Age"))};
    done(std::move(answer));
  }

 private:
  static std::size_t on_body(char* octets, std::size_t, std::size_t count, void* self) noexcept {
    return static_cast<Transfer*>(self)->take({octets, count}) ? count : CURL_WRITEFUNC_ERROR;
  }

  static std::size_t on_head(char*, std::size_t, std::size_t count, void* self) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.head_octets_ += count;
    transfer.too_large_ |= transfer.head_octets_ > fetch_head_octets_max;
    return transfer.too_large_ ? CURL_WRITEFUNC_ERROR : count;
  }

  bool take(std::string_view octets) {
    too_large_ = octets.size() > fetch_body_octets_max - body_.size();
    if (!too_large_) body_ += octets;
    return !too_large_;
  }

  template <typename Value>
  void set(CURLoption option, Value value) {
    const auto set = curl_easy_setopt(easy_, option, value);
    assert(set == CURLE_OK);
    (void)set;
  }

  void begin() {
    easy_ = curl_easy_init();
    assert(easy_);
    set(CURLOPT_PRIVATE, this);
    set(CURLOPT_URL, request_.url.text.c_str());
    set(CURLOPT_HTTPHEADER, fields_.get());
    set(CURLOPT_WRITEFUNCTION, on_body);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, on_head);
    set(CURLOPT_HEADERDATA, this);
    restrict();
    const auto added = curl_multi_add_handle(multi_.raw(), easy_);
    assert(added == CURLM_OK);
    (void)added;
  }

  // libcurl does more than is wanted here, unless it is told not to.
  void restrict() {
    set(CURLOPT_PROTOCOLS_STR, request_.url.secure ? "https" : "http");
    set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
    set(CURLOPT_USERAGENT, "gatehouse/" GATEHOUSE_VERSION);
    set(CURLOPT_FOLLOWLOCATION, 0L);  // see follow()
    set(CURLOPT_PROXY, "");
    set(CURLOPT_FORBID_REUSE, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    // Else a transfer that is given up would wait here for the resolver's thread.
    set(CURLOPT_QUICK_EXIT, 1L);
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
    if (const char* file = std::getenv("SSL_CERT_FILE")) set(CURLOPT_CAINFO, file);
    if (const char* folder = std::getenv("SSL_CERT_DIR")) set(CURLOPT_CAPATH, folder);
  }

  void end() {
    if (!easy_) return;
    curl_multi_remove_handle(multi_.raw(), easy_);
    curl_easy_cleanup(std::exchange(easy_, nullptr));
  }

  // By hand: libcurl follows to any host.
  void follow() {
    const char* target = nullptr;
    curl_easy_getinfo(easy_, CURLINFO_REDIRECT_URL, &target);
    auto url = parse_fetch_url(target ? target : "");
    if (!url || !url->same_origin(request_.url) || redirects_++ == fetch_redirects_max) {
      return fail(FetchFailure::Kind::Redirected);
    }
    request_.url = std::move(*url);
    end();
    body_.clear();
    begin();
  }

  void fail(FetchFailure::Kind kind) { done(std::unexpected(FetchFailure{kind})); }

  void done(FetchResult result) {
    end();
    deadline_.disarm();
    on_done_(std::move(result));
  }

  Multi& multi_;
  FetchRequest request_;
  OnDone on_done_;
  OwnedList fields_;
  CURL* easy_ = nullptr;  // null: done
  std::string body_;
  std::size_t head_octets_ = 0;
  bool too_large_ = false;
  unsigned redirects_ = 0;
  Timer deadline_;
};

void CurlFetcher::Multi::act(curl_socket_t socket, int ready) {
  int running = 0;
  curl_multi_socket_action(raw_, socket, ready, &running);
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(raw_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;  // the message goes with its handle
    Transfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    transfer->on_transferred(code);
  }
}

CurlFetcher::CurlFetcher(Loop& loop) {
  [[maybe_unused]] static const auto initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
  assert(initialized == CURLE_OK);
  multi_ = std::make_unique<Multi>(loop);
}

CurlFetcher::~CurlFetcher() = default;

std::unique_ptr<Fetch> CurlFetcher::fetch(FetchRequest request, OnDone on_done) {
  return std::make_unique<Transfer>(*multi_, std::move(request), std::move(on_done));
}

}  // namespace proxy
