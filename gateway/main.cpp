// The arguments of the process: which command, with what.

#include <chrono>
#include <functional>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "gateway/commands.h"
#include "gateway/policy_values.h"

namespace {

using gateway::ExitStatus;

constexpr const char* default_policy_file = "/etc/gatehouse/policy.yaml";

struct Arguments {
  std::string policy_file = default_policy_file;
  gateway::ExplainArguments explain;
  gateway::TokenArguments token;
  std::string address;
  std::string lifetime = "1h";
};

using Command = std::function<ExitStatus()>;

CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& what,
                      Command& chosen, Command command) {
  CLI::App* added = app.add_subcommand(name, what);
  added->callback([&chosen, command = std::move(command)] { chosen = command; });
  return added;
}

void add_policy(CLI::App* command, Arguments& arguments) {
  command->add_option("--policy", arguments.policy_file, "the policy file")->capture_default_str();
}

std::string check_address(const std::string& text) {
  return proxy::IpAddress::parse(text) ? "" : "expected an IP address, not '" + text + "'";
}

std::string check_lifetime(const std::string& text) {
  auto lifetime = gateway::parse_duration(text);
  return lifetime && *lifetime >= std::chrono::seconds(1)
             ? ""
             : "expected a duration such as 5m or 1h, not '" + text + "'";
}

void add_explain(CLI::App& app, Arguments& arguments, Command& chosen) {
  auto& explain = arguments.explain;
  CLI::App* command =
      add_command(app, "explain",
                  "may this client connect, join and publish, and which line of the policy decides",
                  chosen, [&arguments] {
                    arguments.explain.policy_file = arguments.policy_file;
                    arguments.explain.address = proxy::IpAddress::parse(arguments.address);
                    return gateway::explain_command(arguments.explain);
                  });
  add_policy(command, arguments);
  command->add_option("--path", explain.target, "path of the request, with its query")->required();
  command->add_option("--host", explain.host, "Host of the request (default: localhost)");
  command->add_option("--origin", explain.origin, "Origin of the request (default: none)");
  command->add_option("--ip", arguments.address, "address of the client")
      ->check(CLI::Validator(check_address, "IP"));
  command->add_option(
      "--token-file", explain.token_file,
      "a file with the client's token; -: standard input. Where its issuer's keys have "
      "a URL, they are fetched once");
  CLI::Option* join = command->add_option("--join", explain.join,
                                          "a room: may the client, once connected, join it?");
  command
      ->add_option("--publish", explain.publish,
                   "a room: may the client, once connected, publish to it?")
      ->excludes(join);
}

void add_token(CLI::App& app, Arguments& arguments, Command& chosen) {
  auto& token = arguments.token;
  CLI::App* command = add_command(
      app, "token", "make a token that an authenticator of the policy takes", chosen, [&arguments] {
        arguments.token.policy_file = arguments.policy_file;
        arguments.token.lifetime = *gateway::parse_duration(arguments.lifetime);
        return gateway::token_command(arguments.token);
      });
  add_policy(command, arguments);
  command->add_option("--authenticator", token.authenticator, "its name in the policy")->required();
  command->add_option("--subject", token.subject, "who the token is for")->required();
  command
      ->add_option("--claim", token.claims,
                   "a further claim, name=value; the value is JSON where it can be read as that")
      ->allow_extra_args(false);
  command->add_option("--ttl", arguments.lifetime, "how long it is good")
      ->capture_default_str()
      ->check(CLI::Validator(check_lifetime, "DURATION"));
  command->add_option("--key", token.key_file,
                      "a private key in PEM to sign with (default: the authenticator's secret)");
}

}  // namespace

int main(int argument_count, char** argument_values) {
  CLI::App app("A reverse-proxy authentication gateway for WebSockets.", "gatehouse");
  app.require_subcommand(1);
  app.set_version_flag("--version", "gatehouse " GATEHOUSE_VERSION);
  Arguments arguments;
  Command chosen;

  add_policy(add_command(app, "run", "serve; SIGTERM drains, SIGHUP reloads", chosen,
                         [&] { return gateway::run_command(arguments.policy_file); }),
             arguments);
  add_policy(add_command(app, "check", "say all that is wrong with the policy", chosen,
                         [&] { return gateway::check_command(arguments.policy_file); }),
             arguments);
  add_explain(app, arguments, chosen);
  add_token(app, arguments, chosen);
  add_policy(add_command(app, "healthcheck", "ask the running instance whether it is alive", chosen,
                         [&] { return gateway::healthcheck_command(arguments.policy_file); }),
             arguments);
  add_command(app, "version", "print the version", chosen, gateway::version_command);
  app.footer(
      "Exit status: 0 ok, 1 the policy is wrong or the instance not healthy, 2 wrong usage,\n"
      "3 denied (explain), 4 could not start.");

  try {
    app.parse(argument_count, argument_values);
  } catch (const CLI::ParseError& error) {
    // Asking for help is no mistake; CLI11 has a number of its own for each that is.
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitStatus::WrongUsage);
  }
  return static_cast<int>(chosen());
}
