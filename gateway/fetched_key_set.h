// One JWK Set that is fetched, from where a policy says or its issuer's OpenID configuration: kept
// fresh by its KeySchedule, one fetch at a time.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "auth/key_set.h"
#include "gateway/key_schedule.h"
#include "gateway/key_set_status.h"
#include "gateway/policy.h"
#include "proxy/fetch.h"
#include "proxy/timers.h"

namespace gateway {

class FetchedKeySet {
 public:
  class Observer {
   public:
    // `notable`: other keys than before, or the first time after a failure.
    virtual void on_fetched(FetchedKeySet& set, bool notable) = 0;
    virtual void on_fetch_failed(FetchedKeySet& set) = 0;
    virtual void on_too_old(FetchedKeySet& set) = 0;  // keys() are not good any more

   protected:
    ~Observer() = default;
  };

  // `location` is one of the authenticator's.
  FetchedKeySet(proxy::Timers& timers, proxy::Fetcher& fetcher,
                std::shared_ptr<const Authenticator> authenticator, const KeyLocation& location,
                Observer& observer);
  FetchedKeySet(const FetchedKeySet&) = delete;
  FetchedKeySet& operator=(const FetchedKeySet&) = delete;

  // The same set by another policy: it is fetched from where this `location` says, too. Keys, times
  // and errors so far go on; what the authenticator takes of the keys is decided anew. Not from a
  // call of its observer.
  bool is(const Authenticator& authenticator, const KeyLocation& location) const;
  void adopt(std::shared_ptr<const Authenticator> authenticator, const KeyLocation& location);

  // Now, unless a fetch is under way; from then on by itself. Not from a call of its observer.
  void fetch();

  // The same where a token names a key that is not there, unless the cooldown forbids it.
  void look_for_unknown_key();

  bool fetching() const { return fetching_; }
  KeySchedule::Time unknown_key_from() const { return schedule_.unknown_key_from(); }

  // Null: none were ever fetched, or those that were are too old.
  const auth::KeySet* keys() const;

  const std::shared_ptr<const Authenticator>& authenticator() const { return authenticator_; }
  const KeySetStatus& status() const { return status_; }

 private:
  void on_configuration(const proxy::FetchResult& result);
  void fetch_keys(proxy::FetchUrl url);
  void on_keys(const proxy::FetchResult& result);
  std::expected<void, std::string> read_keys(std::string_view body);
  void describe();
  void succeed(const proxy::FetchAnswer& answer, bool changed);
  void fail(std::string_view reason, std::string_view detail = {});

  proxy::Timers& timers_;
  proxy::Fetcher& fetcher_;
  std::shared_ptr<const Authenticator> authenticator_;
  const KeyLocation* location_;
  Observer& observer_;
  KeySchedule schedule_;
  bool fetching_ = false;
  // Two, since the one starts the other.
  std::unique_ptr<proxy::Fetch> configuration_fetch_;
  std::unique_ptr<proxy::Fetch> keys_fetch_;
  std::string keys_url_;  // of what is held
  std::string etag_;      // of it; empty: none
  std::string body_;      // what the keys were read from
  auth::KeySet keys_;     // empty: none were ever fetched
  KeySetStatus status_;
  proxy::Timer next_fetch_;
  proxy::Timer too_old_;
};

}  // namespace gateway
