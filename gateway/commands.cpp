#include "gateway/commands.h"

#include <cstdio>
#include <cstdlib>
#include <memory>

#include <fmt/format.h>

#include "gateway/explain.h"
#include "gateway/file_text.h"
#include "gateway/policy_file.h"
#include "gateway/server.h"
#include "gateway/token_request.h"
#include "proxy/probe.h"

namespace gateway {

namespace {

using namespace std::chrono_literals;

constexpr auto healthcheck_timeout = 3s;
constexpr std::size_t token_file_octets_max = 64 * 1024;  // more than a token, so as to say so
constexpr std::size_t key_file_octets_max = 64 * 1024;

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

void complain(std::string_view what) { fmt::print(stderr, "gatehouse: {}\n", what); }

void say_faults(std::FILE* to, const std::vector<PolicyError>& faults) {
  for (const PolicyError& fault : faults) fmt::print(to, "{}\n", fault.to_string());
}

// Null: the policy is wrong, and all that is wrong with it was said.
std::shared_ptr<const Policy> load(const std::string& file, std::FILE* faults,
                                   std::FILE* warnings) {
  auto loaded = load_policy(file, process_environment);
  if (!loaded) {
    say_faults(faults, loaded.error());
    return nullptr;
  }
  if (warnings) {
    for (PolicyError warning : loaded->warnings) {
      warning.what.insert(0, "warning: ");
      fmt::print(warnings, "{}\n", warning.to_string());
    }
  }
  return loaded->policy;
}

auth::WallTime wall_time() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

// Without the white space around it: an editor ends every file with a newline.
std::string trimmed(std::string text) {
  constexpr std::string_view white_space = " \t\r\n";
  text.erase(text.find_last_not_of(white_space) + 1);
  text.erase(0, text.find_first_not_of(white_space));
  return text;
}

std::optional<std::string> read_token(const std::string& file) {
  auto text = file == "-" ? read_standard_input(token_file_octets_max)
                          : read_file(file, token_file_octets_max);
  if (!text) {
    complain(fmt::format("cannot read the token from {}: {}", file, text.error()));
    return std::nullopt;
  }
  std::string token = trimmed(std::move(*text));
  if (token.empty()) {
    complain(fmt::format("no token in {}", file));
    return std::nullopt;
  }
  return token;
}

// Where an instance that listens on every address can be asked.
proxy::SocketAddress reachable(proxy::SocketAddress address) {
  if (address.ip == proxy::IpAddress()) {
    address.ip = *proxy::IpAddress::parse("127.0.0.1");
  } else if (address.ip == *proxy::IpAddress::parse("::")) {
    address.ip = *proxy::IpAddress::parse("::1");
  }
  return address;
}

}  // namespace

ExitStatus run_command(const std::string& policy_file) {
  auto policy = load(policy_file, stderr, stderr);
  return policy ? serve(std::move(policy), process_environment) : ExitStatus::PolicyWrong;
}

ExitStatus check_command(const std::string& policy_file) {
  if (!load(policy_file, stdout, stdout)) {
    return ExitStatus::PolicyWrong;
  }
  fmt::print("{}: ok\n", policy_file);
  return ExitStatus::Ok;
}

ExitStatus explain_command(const ExplainArguments& arguments) {
  auto policy = load(arguments.policy_file, stderr, nullptr);
  if (!policy) {
    return ExitStatus::PolicyWrong;
  }
  Question question{arguments.target, arguments.host, arguments.origin, arguments.address, {}, {}};
  if (arguments.join) question.room = {*arguments.join, auth::RoomAction::Join};
  if (arguments.publish) question.room = {*arguments.publish, auth::RoomAction::Publish};
  if (arguments.token_file) {
    question.token = read_token(*arguments.token_file);
    if (!question.token) {
      return ExitStatus::WrongUsage;
    }
  }
  const auto keys = question.token ? fetch_keys_for(*policy, *question.token) : KeysAtHand();
  const Explanation explanation = explain(*policy, question, keys, wall_time());
  fmt::print("{}", explanation.text);
  return explanation.allowed ? ExitStatus::Ok : ExitStatus::Denied;
}

ExitStatus token_command(const TokenArguments& arguments) {
  auto policy = load(arguments.policy_file, stderr, nullptr);
  if (!policy) {
    return ExitStatus::PolicyWrong;
  }
  TokenRequest request{
      arguments.authenticator, arguments.subject, arguments.claims, arguments.lifetime, {}};
  if (arguments.key_file) {
    auto key = read_file(*arguments.key_file, key_file_octets_max);
    if (!key) {
      complain(fmt::format("cannot read {}: {}", *arguments.key_file, key.error()));
      return ExitStatus::WrongUsage;
    }
    request.private_key = std::move(*key);
  }
  auto token = make_token(*policy, request, wall_time());
  if (!token) {
    complain(token.error());
    return ExitStatus::WrongUsage;
  }
  fmt::print("{}\n", *token);
  return ExitStatus::Ok;
}

ExitStatus healthcheck_command(const std::string& policy_file) {
  const auto admin = load_admin_address(policy_file, process_environment);
  if (!admin) {
    say_faults(stderr, admin.error());
    return ExitStatus::PolicyWrong;
  }
  const proxy::SocketAddress address = reachable(*admin);
  auto status = proxy::probe_status(address, "/healthz", healthcheck_timeout);
  if (!status) {
    complain(fmt::format("{}: {}", address.to_string(), status.error()));
    return ExitStatus::PolicyWrong;
  }
  if (*status != 200) {
    complain(fmt::format("{} answers {}", address.to_string(), *status));
    return ExitStatus::PolicyWrong;
  }
  fmt::print("{}: ok\n", address.to_string());
  return ExitStatus::Ok;
}

ExitStatus version_command() {
  fmt::print("gatehouse {}\n", GATEHOUSE_VERSION);
  return ExitStatus::Ok;
}

}  // namespace gateway
