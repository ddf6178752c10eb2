#include "gateway/fetched_keys.h"

#include <algorithm>

namespace gateway {

FetchedKeys::FetchedKeys(proxy::Timers& timers, proxy::Fetcher& fetcher,
                         const std::vector<std::shared_ptr<const Authenticator>>& authenticators,
                         Observer& observer)
    : observer_(observer) {
  for (const auto& authenticator : authenticators) {
    for (const auto& location : authenticator->key_locations) {
      FetchedKeySet::Observer& self = *this;
      sets_.push_back(
          std::make_unique<FetchedKeySet>(timers, fetcher, authenticator, location, self));
      status_.push_back(sets_.back()->status());
    }
  }
}

void FetchedKeys::start() {
  for (auto& set : sets_) set->fetch();
}

void FetchedKeys::look_for_unknown_key(const std::shared_ptr<const Authenticator>& authenticator) {
  for (auto& set : sets_) {
    if (set->authenticator() == authenticator) set->look_for_unknown_key();
  }
  const auto news = news_of(authenticator);
  if (!news.fetching) observer_.on_key_news(news);
}

bool FetchedKeys::loaded() const {
  return std::ranges::all_of(sets_,
                             [](const auto& set) { return set->status().fetched.has_value(); });
}

bool FetchedKeys::fetching() const {
  return std::ranges::any_of(sets_, [](const auto& set) { return set->fetching(); });
}

std::vector<KeySetStatus> FetchedKeys::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void FetchedKeys::on_fetched(FetchedKeySet& set, bool notable) {
  observer_.on_keys_fetched(set.status(), notable);
  publish(set);
}

void FetchedKeys::on_fetch_failed(FetchedKeySet& set) {
  observer_.on_key_fetch_failed(set.status());
  publish(set);
}

void FetchedKeys::on_too_old(FetchedKeySet& set) { publish(set); }

KeyNews FetchedKeys::news_of(const std::shared_ptr<const Authenticator>& authenticator) const {
  auto keys = std::make_shared<auth::KeySet>(authenticator->verifier->keys());
  KeyNews news;
  news.authenticator = authenticator;
  news.complete = true;
  news.unknown_key_from = KeySchedule::Time::max();
  for (const auto& set : sets_) {
    if (set->authenticator() != authenticator) continue;
    if (const auto* fetched = set->keys()) {
      keys->add_keys_of(*fetched);
    } else {
      news.complete = false;
    }
    news.fetching |= set->fetching();
    news.unknown_key_from = std::min(news.unknown_key_from, set->unknown_key_from());
  }
  news.keys = std::move(keys);
  return news;
}

void FetchedKeys::publish(const FetchedKeySet& set) {
  {
    const std::lock_guard lock(mutex_);
    std::ranges::transform(sets_, status_.begin(), [](const auto& each) { return each->status(); });
  }
  observer_.on_key_news(news_of(set.authenticator()));
}

}  // namespace gateway
