#include "gateway/known_keys.h"

#include <utility>

namespace gateway {

void KnownKeys::learn(KeyNews news) {
  const Authenticator* about = news.authenticator.get();
  news_.insert_or_assign(about, std::move(news));
}

void KnownKeys::adopt(std::vector<KeyNews> news) {
  news_.clear();
  for (auto& each : news) learn(std::move(each));
}

const auth::KeySet& KnownKeys::keys_of(const Authenticator& authenticator) const {
  const auto* news = find(authenticator);
  return news ? *news->keys : authenticator.verifier->keys();
}

bool KnownKeys::complete(const Authenticator& authenticator) const {
  const auto* news = find(authenticator);
  return news ? news->complete : authenticator.key_locations.empty();
}

const KeyNews* KnownKeys::find(const Authenticator& authenticator) const {
  const auto found = news_.find(&authenticator);
  return found == news_.end() ? nullptr : &found->second;
}

}  // namespace gateway
