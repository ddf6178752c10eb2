// The commands: what each does once its arguments are known. Answers go to stdout, complaints to
// stderr.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/exit_status.h"
#include "proxy/address.h"

namespace gateway {

struct ExplainArguments {
  std::string policy_file;
  std::string target;
  std::optional<std::string> host;
  std::optional<std::string> origin;
  std::optional<proxy::IpAddress> address;
  std::optional<std::string> token_file;  // "-": stdin
  std::optional<std::string> join;        // a room
  std::optional<std::string> publish;     // a room; not with `join`
};

struct TokenArguments {
  std::string policy_file;
  std::string authenticator;
  std::string subject;
  std::vector<std::string> claims;  // name=value
  std::chrono::milliseconds lifetime{};
  std::optional<std::string> key_file;  // a private key in PEM; none: the authenticator's secret
};

ExitStatus run_command(const std::string& policy_file);
ExitStatus check_command(const std::string& policy_file);
ExitStatus explain_command(const ExplainArguments& arguments);
ExitStatus token_command(const TokenArguments& arguments);
ExitStatus healthcheck_command(const std::string& policy_file);
ExitStatus version_command();

}  // namespace gateway
