#include "gateway/keys_at_hand.h"

#include <algorithm>

#include "auth/token.h"
#include "gateway/fetched_keys.h"
#include "proxy/fetch.h"
#include "proxy/loop.h"

namespace gateway {

namespace {

std::vector<std::shared_ptr<const Authenticator>> authenticators_for(const Policy& policy,
                                                                     std::string_view token) {
  const auto parsed = auth::parse_token(token);
  auto authenticators = authenticators_of(policy);
  std::erase_if(authenticators, [&](const auto& each) {
    if (!parsed || each->key_locations.empty()) return true;
    const auto& issuer = each->verifier->rules().issuer;
    return issuer && *issuer != parsed->issuer;
  });
  return authenticators;
}

// Until every set has been fetched, or has not.
class Once final : private FetchedKeys::Observer {
 public:
  explicit Once(const std::vector<std::shared_ptr<const Authenticator>>& authenticators)
      : fetcher_(loop_), keys_(loop_.timers(), fetcher_, authenticators, *this) {}

  KeysAtHand run() {
    keys_.start();
    if (keys_.fetching()) loop_.run();
    at_hand_.fetched = keys_.status();
    return std::move(at_hand_);
  }

 private:
  void on_key_news(const KeyNews& news) override {
    at_hand_.known.learn(news);
    // Once is enough: a provider that is away must not be tried again and again.
    const auto sets = keys_.status();
    if (std::ranges::all_of(sets, [](const auto& set) { return set.fetches > 0; })) loop_.stop();
  }
  void on_keys_fetched(const KeySetStatus&, bool) override {}
  void on_key_fetch_failed(const KeySetStatus&) override {}

  KeysAtHand at_hand_;
  proxy::Loop loop_;
  proxy::CurlFetcher fetcher_;
  FetchedKeys keys_;
};

}  // namespace

KeysAtHand fetch_keys_for(const Policy& policy, std::string_view token) {
  const auto authenticators = authenticators_for(policy, token);
  return authenticators.empty() ? KeysAtHand() : Once(authenticators).run();
}

}  // namespace gateway
