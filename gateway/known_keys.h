// The keys that tokens are verified with at the moment: what an authenticator's policy holds, and
// what was fetched for it.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "auth/key_set.h"
#include "gateway/key_schedule.h"
#include "gateway/policy.h"

namespace gateway {

// What is known of one authenticator that fetches keys. From the thread that fetches to the others.
struct KeyNews {
  std::shared_ptr<const Authenticator> authenticator;
  std::shared_ptr<const auth::KeySet> keys;  // its own, and those fetched that are still good
  bool complete = false;                     // false: some were never fetched, or were too long ago
  bool fetching = false;                     // there will be news
  // Before that, asking for a key that is not among these changes nothing.
  KeySchedule::Time unknown_key_from = KeySchedule::Time::min();
};

// Values: one for each thread that verifies.
class KnownKeys {
 public:
  void learn(KeyNews news);

  // The authenticators are others now, and this is all that is known of them.
  void adopt(std::vector<KeyNews> news);

  // Until anything was learnt, its own. Valid until the next learn() or adopt().
  const auth::KeySet& keys_of(const Authenticator& authenticator) const;

  // False: a token that these keys do not verify may be good all the same.
  bool complete(const Authenticator& authenticator) const;

  // Null: nothing was learnt of it.
  const KeyNews* find(const Authenticator& authenticator) const;

 private:
  std::map<const Authenticator*, KeyNews> news_;
};

}  // namespace gateway
