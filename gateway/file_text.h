// Reading a whole file of bounded size, at start-up only: it blocks.
#pragma once

#include <cstddef>
#include <expected>
#include <string>

namespace gateway {

// The error is what the system says, or that it is no file, or too large.
std::expected<std::string, std::string> read_file(const std::string& path, std::size_t octets_max);

}  // namespace gateway
