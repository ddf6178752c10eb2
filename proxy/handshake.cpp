#include "proxy/handshake.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "proxy/random.h"

namespace proxy {

namespace {

constexpr std::string_view websocket_guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // section 1.3
constexpr std::string_view websocket_version = "13";
constexpr int no_content = 204;
constexpr std::size_t key_octets = 16;
constexpr std::size_t key_characters = 24;  // base64 of 16 octets, two of them padding

constexpr std::array<std::string_view, 14> hop_by_hop_names = {
    "connection",
    "keep-alive",
    "proxy",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "content-length",
    "expect",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-extensions",
    "sec-websocket-accept",
};
constexpr std::string_view proxy_prefix = "proxy-";
constexpr std::array<std::string_view, 3> end_to_end_names = {"host", "origin",
                                                              "sec-websocket-protocol"};

template <std::size_t size>
std::string base64(const std::array<unsigned char, size>& octets) {
  std::array<unsigned char, (size + 2) / 3 * 4 + 1> text;  // OpenSSL terminates it
  const auto characters = EVP_EncodeBlock(text.data(), octets.data(), static_cast<int>(size));
  return {text.begin(), text.begin() + characters};
}

bool is_base64(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

// RFC 6455 section 4.2.1, item 5: base64 that decodes to 16 octets. Canonical: the last character
// carries two bits, so the other four are zero and it is one of "AQgw".
bool well_formed_key(std::string_view key) {
  constexpr std::size_t padding = 2;
  if (key.size() != key_characters || !key.ends_with("==")) return false;
  const auto digits = key.substr(0, key_characters - padding);
  return std::all_of(digits.begin(), digits.end(), is_base64) &&
         std::string_view("AQgw").contains(digits.back());
}

char folded(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c + 32);
  return c == '_' ? '-' : c;
}

// Looked at without a branch, so that the compiler takes many octets at a time.
bool stays_on_one_line(std::string_view text) {
  bool ends_a_line = false;
  for (char c : text) ends_a_line |= (c == '\r') | (c == '\n') | (c == '\0');
  return !ends_a_line;
}

void append_field(std::string& head, std::string_view name, std::string_view value) {
  // Past this point a line end in a value is a second request: nobody gets that far.
  assert(is_token(name) && stays_on_one_line(value));
  head.append(name).append(": ").append(value).append("\r\n");
}

// The value of a field that is there exactly once.
const std::string_view* find_single(const Fields& fields, std::string_view name) {
  return fields.count(name) == 1 ? fields.find(name) : nullptr;
}

bool is_hop_by_hop(std::string_view name) {
  return aliases(name.substr(0, proxy_prefix.size()), proxy_prefix) ||
         std::any_of(hop_by_hop_names.begin(), hop_by_hop_names.end(),
                     [&](std::string_view other) { return aliases(name, other); });
}

// What Connection names, but what the handshake cannot do without.
std::vector<std::string_view> connection_options(const Fields& fields) {
  std::vector<std::string_view> options;
  for (const auto& field : fields) {
    if (!equals_ignoring_case(field.name, "connection")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const auto comma = std::min(rest.find(','), rest.size());
      const auto option = trimmed(rest.substr(0, comma));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      const bool needed = std::any_of(end_to_end_names.begin(), end_to_end_names.end(),
                                      [&](std::string_view name) { return aliases(option, name); });
      if (!option.empty() && !needed) options.push_back(option);
    }
  }
  return options;
}

}  // namespace

std::expected<std::string, UpgradeError> check_upgrade(const RequestHead& request) {
  const auto& fields = request.fields;
  // Section 4.2.1, items 1, 3 and 4. Among several protocols (RFC 9110 section 7.8) the choice is
  // ours; "websocket/13" is another one.
  if (request.method != "GET" || !fields.has_token("upgrade", "websocket") ||
      !fields.has_token("connection", "upgrade")) {
    return std::unexpected(UpgradeError::NotWebSocket);
  }
  // Item 6.
  const auto* version = find_single(fields, "sec-websocket-version");
  if (!version || *version != websocket_version) {
    return std::unexpected(UpgradeError::WrongVersion);
  }
  // Item 5. Section 11.3.1: not more than once.
  const auto* key = find_single(fields, "sec-websocket-key");
  if (!key || !well_formed_key(*key)) return std::unexpected(UpgradeError::BadKey);
  return std::string(*key);
}

std::string accept_of(std::string_view key) {
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  // Fetching the algorithm costs more than the digest of 60 octets.
  static const std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> sha1(
      EVP_MD_fetch(nullptr, "SHA1", nullptr), EVP_MD_free);
  thread_local const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(
      EVP_MD_CTX_new(), EVP_MD_CTX_free);
  bool made = EVP_DigestInit_ex2(context.get(), sha1.get(), nullptr) == 1 &&
              EVP_DigestUpdate(context.get(), key.data(), key.size()) == 1 &&
              EVP_DigestUpdate(context.get(), websocket_guid.data(), websocket_guid.size()) == 1 &&
              EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1;
  assert(made);
  (void)made;
  return base64(digest);
}

std::string write_switching_protocols(std::string_view key, std::string_view subprotocol) {
  constexpr std::string_view begin =
      "HTTP/1.1 101 Switching Protocols\r\n"
      "Upgrade: websocket\r\n"
      "Connection: Upgrade\r\n";
  constexpr std::size_t more_octets = 96;  // both fields with their names
  std::string head;
  head.reserve(begin.size() + more_octets + subprotocol.size());
  head.append(begin);
  append_field(head, "Sec-WebSocket-Accept", accept_of(key));
  if (!subprotocol.empty()) append_field(head, "Sec-WebSocket-Protocol", subprotocol);
  head.append("\r\n");
  return head;
}

std::string write_response(int status, std::span<const Field> fields, std::string_view body) {
  const auto phrase = reason_phrase(status);
  auto line = std::string(body.empty() ? phrase : body);
  assert(stays_on_one_line(line));
  return write_response(status, fields, {"text/plain; charset=utf-8", line += '\n'});
}

std::string write_response(int status, std::span<const Field> fields, const Content& content) {
  assert(status >= 200 && status <= 599);
  auto answer = fmt::format("HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  if (status == 426) {
    // RFC 9110 section 15.5.22 wants Upgrade, its section 7.8 the option with it, and RFC 6455
    // section 4.2.2 the version.
    append_field(answer, "Upgrade", "websocket");
    append_field(answer, "Connection", "close, Upgrade");
    append_field(answer, "Sec-WebSocket-Version", websocket_version);
  } else {
    append_field(answer, "Connection", "close");
  }
  for (const auto& field : fields) append_field(answer, field.name, field.value);
  // RFC 9110 sections 8.6 and 15.3.5: not even its length is said.
  if (status == no_content) return answer.append("\r\n");
  append_field(answer, "Content-Type", content.type);
  append_field(answer, "Content-Length", std::to_string(content.octets.size()));
  answer.append("\r\n");
  if (!content.of_head_request) answer.append(content.octets);
  return answer;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 451:
      return "Unavailable For Legal Reasons";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      break;
  }
  // A backend may refuse with any 4xx. RFC 9110 section 15: read as the x00 of its class.
  return status < 500 ? "Bad Request" : "Internal Server Error";
}

std::optional<std::string> make_key() {
  std::array<unsigned char, key_octets> octets;
  if (!fill_random(octets)) return std::nullopt;
  return base64(octets);
}

void FieldLines::add(std::string_view name, std::string_view value) {
  append_field(text_, name, value);
  if (equals_ignoring_case(name, "host")) ++hosts_;
}

std::string write_upgrade_request(std::string_view target, const FieldLines& fields,
                                  std::string_view key) {
  assert(target.starts_with('/') && stays_on_one_line(target) && !target.contains(' '));
  assert(well_formed_key(key) && fields.has_one_host());
  constexpr std::size_t own_octets = 160;  // what is written here, but for the target
  std::string head;
  head.reserve(own_octets + target.size() + fields.text().size());
  head.append("GET ").append(target).append(" HTTP/1.1\r\n").append(fields.text());
  append_field(head, "Connection", "Upgrade");
  append_field(head, "Upgrade", "websocket");
  append_field(head, "Sec-WebSocket-Version", websocket_version);
  append_field(head, "Sec-WebSocket-Key", key);
  head.append("\r\n");
  return head;
}

UpgradeAnswer check_answer(const ResponseHead& response, std::string_view key,
                           std::span<const std::string_view> offered, std::string& subprotocol) {
  subprotocol.clear();
  if (response.status >= 400 && response.status < 500) return UpgradeAnswer::Refused;
  if (response.status != 101) return UpgradeAnswer::Wrong;

  const auto& fields = response.fields;
  const auto* upgrade = find_single(fields, "upgrade");
  if (!upgrade || !equals_ignoring_case(*upgrade, "websocket")) return UpgradeAnswer::Wrong;
  if (!fields.has_token("connection", "upgrade")) return UpgradeAnswer::Wrong;
  const auto* accept = find_single(fields, "sec-websocket-accept");
  if (!accept || *accept != accept_of(key)) return UpgradeAnswer::Wrong;
  // No extension is ever offered.
  if (fields.count("sec-websocket-extensions") > 0) return UpgradeAnswer::Wrong;

  const auto selections = fields.count("sec-websocket-protocol");
  if (selections == 0) return UpgradeAnswer::Switched;
  const auto* selected = find_single(fields, "sec-websocket-protocol");
  if (!selected || std::find(offered.begin(), offered.end(), *selected) == offered.end()) {
    return UpgradeAnswer::Wrong;
  }
  subprotocol.assign(*selected);
  return UpgradeAnswer::Switched;
}

Fields without_hop_by_hop(const Fields& fields) {
  const auto options = connection_options(fields);
  Fields kept;
  kept.reserve(fields.size());
  for (const auto& field : fields) {
    const bool named = std::any_of(options.begin(), options.end(), [&](std::string_view option) {
      return aliases(field.name, option);
    });
    if (!named && !is_hop_by_hop(field.name)) kept.add(field.name, field.value);
  }
  return kept;
}

bool aliases(std::string_view name, std::string_view ours) {
  return std::equal(name.begin(), name.end(), ours.begin(), ours.end(),
                    [](char a, char b) { return folded(a) == folded(b); });
}

}  // namespace proxy
