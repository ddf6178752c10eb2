#include "proxy/fetch_url.h"

#include <algorithm>
#include <charconv>

#include "proxy/address.h"
#include "proxy/host.h"

namespace proxy {
namespace {

// RFC 3986 section 2: every URL is of visible ASCII. A '\' is a '/' to some parsers.
bool well_formed(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < '\x7f' && !std::string_view("\\\"<>^`{|}").contains(c);
  });
}

bool read_port(std::string_view digits, std::uint16_t& port) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return error == std::errc() && end == digits.data() + digits.size() && port != 0;
}

bool read_authority(std::string_view text, FetchUrl& url) {
  if (!well_formed_host(text)) return false;
  const auto bracket = text.find(']');
  const auto colon = text.find(':', bracket == text.npos ? 0 : bracket);
  if (colon != text.npos && !read_port(text.substr(colon + 1), url.port)) return false;
  text = text.substr(0, colon);
  if (text.starts_with('[')) text = text.substr(1, text.size() - 2);
  for (const char c : text) url.host += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return !url.host.empty();
}

}  // namespace

std::string FetchUrl::origin() const {
  const bool literal = host.contains(':');
  return std::string(secure ? "https://" : "http://") + (literal ? "[" : "") + host +
         (literal ? "]" : "") + (port == (secure ? 443 : 80) ? "" : ":" + std::to_string(port));
}

bool FetchUrl::same_origin(const FetchUrl& other) const {
  return secure == other.secure && host == other.host && port == other.port;
}

bool FetchUrl::loopback() const {
  const auto address = IpAddress::parse(host);
  return address ? address->loopback() : host == "localhost";
}

std::expected<FetchUrl, std::string> parse_fetch_url(std::string_view text) {
  if (text.size() > fetch_url_octets_max) {
    return std::unexpected("a URL of more than " + std::to_string(fetch_url_octets_max) +
                           " octets");
  }
  if (!well_formed(text)) return std::unexpected("a URL has visible ASCII characters alone");
  FetchUrl url;
  url.text = text;
  url.secure = text.starts_with("https://");
  if (!url.secure && !text.starts_with("http://")) {
    return std::unexpected("expected a URL such as https://id.example.com/keys");
  }
  url.port = url.secure ? 443 : 80;
  auto rest = text.substr(text.find("//") + 2);
  if (rest.contains('#')) return std::unexpected("a URL that is fetched has no fragment ('#')");
  const auto authority = rest.substr(0, rest.find_first_of("/?"));
  if (authority.contains('@')) {
    return std::unexpected("a URL that is fetched has no user and password ('@')");
  }
  if (!read_authority(authority, url)) {
    return std::unexpected("no host: expected a URL such as https://id.example.com/keys");
  }
  if (!url.secure && !url.loopback()) {
    return std::unexpected(
        "'http://' only to loopback: on a network, whoever answers decides which keys are good");
  }
  return url;
}

}  // namespace proxy
