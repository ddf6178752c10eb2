#include "proxy/target.h"

#include <algorithm>
#include <optional>

#include "proxy/utf8.h"

namespace proxy {

namespace {

int hexadecimal(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Does a percent-encoding (RFC 3986 section 2.1) begin here?
bool encoded_at(std::string_view text, std::size_t at) {
  return text.size() - at >= 3 && text[at] == '%' && hexadecimal(text[at + 1]) >= 0 &&
         hexadecimal(text[at + 2]) >= 0;
}

// None: a '%' that begins no percent-encoding, or one that stands for a delimiter of the target.
std::optional<std::string> decode_once(std::string_view raw) {
  std::string decoded;
  decoded.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '%') {
      decoded.push_back(raw[i]);
      continue;
    }
    if (!encoded_at(raw, i)) return std::nullopt;
    const auto octet = static_cast<char>(hexadecimal(raw[i + 1]) * 16 + hexadecimal(raw[i + 2]));
    if (octet == '/' || octet == '?') return std::nullopt;
    decoded.push_back(octet);
    i += 2;
  }
  return decoded;
}

bool ambiguous_octet(char c) {
  const auto octet = static_cast<unsigned char>(c);
  return octet < 0x20 || octet == 0x7F || c == '\\' || c == '#';
}

bool encoded_twice(std::string_view path) {
  for (auto at = path.find('%'); at != path.npos; at = path.find('%', at + 1)) {
    if (encoded_at(path, at)) return true;
  }
  return false;
}

// `path` begins with '/'.
bool ambiguous_segment(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto end = std::min(path.find('/'), path.size());
    const auto segment = path.substr(0, end);
    path.remove_prefix(end);
    const auto name = segment.substr(0, segment.find(';'));
    const bool last = path.empty();
    if (name == "." || name == ".." || (name.empty() && !last)) return true;
  }
  return false;
}

bool visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

}  // namespace

std::expected<Target, TargetError> parse_target(std::string_view target) {
  // RFC 9112 sections 3.2.2 to 3.2.4: absolute-form, authority-form and "*" are not for us.
  if (!target.starts_with('/')) return std::unexpected(TargetError::NotOriginForm);
  if (!visible(target) || target.contains('#')) return std::unexpected(TargetError::Ambiguous);

  Target parsed;
  const auto question = target.find('?');
  parsed.raw_path = target.substr(0, question);
  if (question != target.npos) {
    parsed.has_query = true;
    parsed.raw_query = target.substr(question + 1);
  }

  auto path = decode_once(parsed.raw_path);
  if (!path || std::any_of(path->begin(), path->end(), ambiguous_octet) || encoded_twice(*path) ||
      ambiguous_segment(*path) || !valid_utf8(*path)) {
    return std::unexpected(TargetError::Ambiguous);
  }
  parsed.path = *std::move(path);
  return parsed;
}

}  // namespace proxy
