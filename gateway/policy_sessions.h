// `session` of an authenticator: the application's own login session, read from its store.
#pragma once

#include <optional>
#include <string>

#include "gateway/policy_reader.h"

namespace gateway {

struct SessionDraft {
  SessionSettings settings;  // `rules` without the authenticator's name and prefix
  std::string cookie;
};

// `redis`: the top level's, for who names none.
SessionDraft read_session(PolicyReader& reader, const YamlNode& node,
                          const std::optional<RedisSettings>& redis);
std::vector<KeyShape> session_shapes();

}  // namespace gateway
