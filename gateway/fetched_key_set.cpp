#include "gateway/fetched_key_set.h"

#include <utility>

#include "auth/openid_configuration.h"
#include "proxy/random.h"

namespace gateway {

FetchedKeySet::FetchedKeySet(proxy::Timers& timers, proxy::Fetcher& fetcher,
                             std::shared_ptr<const Authenticator> authenticator,
                             const KeyLocation& location, Observer& observer)
    : timers_(timers),
      fetcher_(fetcher),
      authenticator_(std::move(authenticator)),
      location_(&location),
      observer_(observer),
      schedule_(authenticator_->stale_max),
      next_fetch_(timers, [this] { fetch(); }),
      too_old_(timers, [this] { observer_.on_too_old(*this); }) {
  describe();
}

void FetchedKeySet::describe() {
  status_.authenticator = authenticator_->name;
  status_.number = static_cast<std::size_t>(location_ - authenticator_->key_locations.data()) + 1;
  status_.origin = location_->url.origin();
  status_.discovered = location_->discovered;
}

bool FetchedKeySet::is(const Authenticator& authenticator, const KeyLocation& location) const {
  return authenticator.name == authenticator_->name && location.url.text == location_->url.text &&
         location.discovered == location_->discovered;
}

void FetchedKeySet::adopt(std::shared_ptr<const Authenticator> authenticator,
                          const KeyLocation& location) {
  const auto before = std::exchange(authenticator_, std::move(authenticator));
  const auto not_after = std::exchange(location_, &location)->not_after;
  schedule_.set_stale_max(authenticator_->stale_max);
  describe();
  const bool same =
      before->verifier->rules().algorithms == authenticator_->verifier->rules().algorithms &&
      not_after == location.not_after;
  if (same || body_.empty() || read_keys(body_)) return;
  // What is held is of no use to it: the next fetch is to bring all of it again.
  keys_ = {};
  status_.keys = 0;
  etag_.clear();
  body_.clear();
}

void FetchedKeySet::fetch() {
  if (fetching_) return;
  fetching_ = true;
  next_fetch_.disarm();
  if (!location_->discovered) return fetch_keys(location_->url);
  configuration_fetch_ = fetcher_.fetch(
      {location_->url, {}}, [this](proxy::FetchResult result) { on_configuration(result); });
}

void FetchedKeySet::look_for_unknown_key() {
  if (!fetching_ && schedule_.take_unknown_key(timers_.now().monotonic)) fetch();
}

const auth::KeySet* FetchedKeySet::keys() const {
  return schedule_.good(timers_.now().monotonic) ? &keys_ : nullptr;
}

void FetchedKeySet::on_configuration(const proxy::FetchResult& result) {
  if (!result) return fail(result.error().reason());
  const auto named =
      auth::parse_openid_configuration(result->body, *authenticator_->verifier->rules().issuer);
  if (!named) return fail(name_of(named.error()));
  auto url = proxy::parse_fetch_url(*named);
  // What came over TLS does not lead to what does not.
  if (!url || (location_->url.secure && !url->secure)) return fail("jwks_uri_not_allowed");
  fetch_keys(*std::move(url));
}

void FetchedKeySet::fetch_keys(proxy::FetchUrl url) {
  if (url.text != keys_url_) etag_.clear();
  keys_url_ = url.text;
  keys_fetch_ = fetcher_.fetch({std::move(url), etag_},
                               [this](proxy::FetchResult result) { on_keys(result); });
}

void FetchedKeySet::on_keys(const proxy::FetchResult& result) {
  if (!result) return fail(result.error().reason());
  const bool same = result->not_modified || (keys_.size() > 0 && result->body == body_);
  if (same) return succeed(*result, false);
  if (const auto read = read_keys(result->body); !read) return fail("bad_key_set", read.error());
  body_ = result->body;
  succeed(*result, true);
}

// An error: the keys are what they were.
std::expected<void, std::string> FetchedKeySet::read_keys(std::string_view body) {
  auth::KeySet keys;
  auto left_out = keys.add_fetched_jwk_set(body, authenticator_->verifier->rules().algorithms,
                                           location_->not_after);
  if (!left_out) return std::unexpected(left_out.error().what);
  keys_ = std::move(keys);
  status_.keys = keys_.size();
  status_.left_out = left_out->keys;
  status_.first_left_out = std::move(left_out->first);
  return {};
}

void FetchedKeySet::succeed(const proxy::FetchAnswer& answer, bool changed) {
  const auto now = timers_.now().monotonic;
  if (!answer.not_modified) etag_ = answer.etag;
  next_fetch_.arm(schedule_.succeeded(now, answer.fresh_for, proxy::random_number()));
  too_old_.arm(*schedule_.good_until() - now);
  fetching_ = false;
  ++status_.fetches;
  status_.fetched = now;
  status_.good_until = schedule_.good_until();
  status_.last_error.clear();
  const bool recovered = std::exchange(status_.failures_in_a_row, 0) > 0;
  observer_.on_fetched(*this, changed || recovered);
}

void FetchedKeySet::fail(std::string_view reason, std::string_view detail) {
  next_fetch_.arm(schedule_.failed(timers_.now().monotonic, proxy::random_number()));
  fetching_ = false;
  ++status_.fetches;
  ++status_.failures;
  ++status_.failures_in_a_row;
  status_.last_error = reason;
  if (!detail.empty()) status_.last_error.append(": ").append(detail);
  observer_.on_fetch_failed(*this);
}

}  // namespace gateway
