// What a backend is asked, and told about the client: the client's own opening handshake without
// credentials and without anything that could pass for ours, then ours (CONTRACT section 3).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/policy.h"
#include "proxy/backend.h"
#include "proxy/target.h"

namespace gateway {

// X-Gatehouse-Claims over this is left out: a backend's own limit on its head would refuse it all.
inline constexpr std::size_t claims_field_octets_max = 4 * 1024;

inline constexpr std::string_view subject_field = "X-Gatehouse-Subject";
inline constexpr std::string_view claims_field = "X-Gatehouse-Claims";

// Who somebody is, so that nothing in it can be read as more than a field's value.
struct IdentityValues {
  std::string subject;
  std::string claims;                      // empty: left out
  std::size_t claims_octets_left_out = 0;  // 0: they are not
};
IdentityValues identity_values(const Route& route, const auth::Principal& principal);

struct Client {
  std::string_view connection_id;
  proxy::IpAddress address;
  bool peer_trusted = false;  // what it says of the scheme is believed then
  bool secure = false;        // it came over TLS
};

struct BackendRequest {
  proxy::UpgradeRequest upgrade;
  std::size_t claims_octets_left_out = 0;  // 0: they are in it
};

// `selected`: the one subprotocol that the client has been answered with, empty for none; where it
// has not been answered yet (no value), all that may be offered are.
BackendRequest make_backend_request(const proxy::RequestHead& head, const proxy::Target& target,
                                    const Route& route, const auth::Principal& principal,
                                    const Client& client,
                                    std::optional<std::string_view> selected = std::nullopt);

}  // namespace gateway
