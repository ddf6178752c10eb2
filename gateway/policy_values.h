// The scalars of a policy that are more than text: durations, sizes, rates, server URLs.
// Each parser takes exactly one spelling and checks for overflow; bounds are the caller's.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/policy.h"

namespace gateway {

// Decimal without sign or leading zero: "010" is 8 to some readers of YAML and 10 to others.
std::optional<std::uint64_t> parse_number(std::string_view text);

std::optional<Milliseconds> parse_duration(std::string_view text);  // 500ms 5s 1m 24h
std::optional<std::uint64_t> parse_size(std::string_view text);     // 512B 64KiB 1MiB 1GiB
std::optional<double> parse_rate(std::string_view text);            // 10/s 600/m: per second
std::optional<double> parse_octet_rate(std::string_view text);      // 256KiB/s 1MiB/m: per second

// ws://host[:port][/base], or wss://…; the error is a sentence for the operator.
std::expected<BackendServer, std::string> parse_server(std::string_view url);

// As the policy would write it: 1500ms, 30s.
std::string show_duration(Milliseconds duration);
std::string show_size(std::uint64_t octets);

}  // namespace gateway
