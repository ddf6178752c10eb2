// Who a connection is, for the audit log and for the backend. The same before and after the 101.
#pragma once

#include <string>
#include <string_view>

#include "gateway/audit.h"
#include "gateway/connection_id.h"
#include "gateway/policy.h"
#include "proxy/address.h"

namespace gateway {

struct ConnectionIdentity {
  ConnectionId id;
  proxy::IpAddress address;
  const Route* route = nullptr;  // none yet
  std::string subject;           // empty: none yet

  std::string_view id_text() const { return {id.data(), id.size()}; }
  AuditedConnection audited() const {
    return {id_text(), route ? std::string_view(route->path.text()) : std::string_view(), address,
            subject};
  }
};

}  // namespace gateway
