// All key sets that a policy's authenticators fetch: what came of them is told to who verifies with
// them, and shown to who asks.
//
// On one thread, which verifies nothing. Keys belong to their authenticator: two that fetch from
// one URL have each their own.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "gateway/fetched_key_set.h"
#include "gateway/known_keys.h"

namespace gateway {

class FetchedKeys final : private FetchedKeySet::Observer {
 public:
  class Observer {
   public:
    virtual void on_key_news(const KeyNews& news) = 0;
    // `notable`: as for FetchedKeySet. Both come before the news of it.
    virtual void on_keys_fetched(const KeySetStatus& set, bool notable) = 0;
    virtual void on_key_fetch_failed(const KeySetStatus& set) = 0;

   protected:
    ~Observer() = default;
  };

  // Of `authenticators`, those that fetch keys.
  FetchedKeys(proxy::Timers& timers, proxy::Fetcher& fetcher,
              const std::vector<std::shared_ptr<const Authenticator>>& authenticators,
              Observer& observer);
  FetchedKeys(const FetchedKeys&) = delete;
  FetchedKeys& operator=(const FetchedKeys&) = delete;

  void start();  // the first fetch of each, and from then on

  // Other authenticators take the place of those so far. A set that one of the same name fetches
  // from the same place goes on, others are fetched for the first time, and those that nobody wants
  // end. Returns all that is known of those that fetch keys. Not from a call of the observer.
  std::vector<KeyNews> adopt(
      const std::vector<std::shared_ptr<const Authenticator>>& authenticators);

  // A token names a key that is not there (KeyRing::Ask).
  void look_for_unknown_key(const std::shared_ptr<const Authenticator>& authenticator);

  bool loaded() const;    // each of them was, once
  bool fetching() const;  // any of them is

  std::vector<KeySetStatus> status() const;  // from any thread

 private:
  using Sets = std::vector<std::unique_ptr<FetchedKeySet>>;

  void on_fetched(FetchedKeySet& set, bool notable) override;
  void on_fetch_failed(FetchedKeySet& set) override;
  void on_too_old(FetchedKeySet& set) override;

  void add(const std::shared_ptr<const Authenticator>& authenticator, Sets& before);
  void note_status();
  KeyNews news_of(const std::shared_ptr<const Authenticator>& authenticator) const;
  void publish(const FetchedKeySet& set);

  proxy::Timers& timers_;
  proxy::Fetcher& fetcher_;
  Observer& observer_;
  Sets sets_;
  mutable std::mutex mutex_;
  std::vector<KeySetStatus> status_;  // as of the sets' last events, in their order
};

}  // namespace gateway
