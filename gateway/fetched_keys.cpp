#include "gateway/fetched_keys.h"

#include <algorithm>
#include <utility>

namespace gateway {

FetchedKeys::FetchedKeys(proxy::Timers& timers, proxy::Fetcher& fetcher,
                         const std::vector<std::shared_ptr<const Authenticator>>& authenticators,
                         Observer& observer)
    : timers_(timers), fetcher_(fetcher), observer_(observer) {
  Sets none;
  for (const auto& authenticator : authenticators) add(authenticator, none);
  note_status();
}

// A set that is in `before` is taken from there.
void FetchedKeys::add(const std::shared_ptr<const Authenticator>& authenticator, Sets& before) {
  for (const auto& location : authenticator->key_locations) {
    const auto known = std::ranges::find_if(
        before, [&](const auto& set) { return set && set->is(*authenticator, location); });
    if (known != before.end()) {
      (*known)->adopt(authenticator, location);
      sets_.push_back(std::move(*known));
    } else {
      FetchedKeySet::Observer& self = *this;
      sets_.push_back(
          std::make_unique<FetchedKeySet>(timers_, fetcher_, authenticator, location, self));
    }
  }
}

std::vector<KeyNews> FetchedKeys::adopt(
    const std::vector<std::shared_ptr<const Authenticator>>& authenticators) {
  auto before = std::exchange(sets_, {});
  for (const auto& authenticator : authenticators) add(authenticator, before);
  note_status();
  std::vector<KeyNews> news;
  for (auto& set : sets_) {
    if (set->status().fetches == 0) set->fetch();
  }
  for (const auto& authenticator : authenticators) {
    if (!authenticator->key_locations.empty()) news.push_back(news_of(authenticator));
  }
  return news;
}

void FetchedKeys::start() {
  for (auto& set : sets_) set->fetch();
}

void FetchedKeys::look_for_unknown_key(const std::shared_ptr<const Authenticator>& authenticator) {
  bool wanted = false;
  for (auto& set : sets_) {
    if (set->authenticator() != authenticator) continue;
    wanted = true;
    set->look_for_unknown_key();
  }
  if (!wanted) return;  // it is of a policy before, and those who waited for it have been woken
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

void FetchedKeys::note_status() {
  const std::lock_guard lock(mutex_);
  status_.clear();
  for (const auto& set : sets_) status_.push_back(set->status());
}

void FetchedKeys::publish(const FetchedKeySet& set) {
  note_status();
  observer_.on_key_news(news_of(set.authenticator()));
}

}  // namespace gateway
