// `tls` of a listener and of a backend: the files that it names are read and checked here, and
// become what connections of either kind share.
#pragma once

#include <memory>
#include <string>

#include "gateway/policy_reader.h"

namespace gateway {

// Null: a fault was said. A certificate that is over by `now` is a warning: who renews it must be
// able to start before.
std::shared_ptr<const proxy::TlsServerContext> read_server_tls(PolicyReader& reader,
                                                               const YamlNode& node,
                                                               auth::WallTime now);
std::vector<KeyShape> server_tls_shapes();

// What backends are believed by.
struct ClientTls {
  std::string authorities;  // PEM; empty: those of the system
  std::string server_name;  // empty: each server's host
};
Type<ClientTls> client_tls();

}  // namespace gateway
