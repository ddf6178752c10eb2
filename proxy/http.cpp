// The one door to llhttp. A head is read twice: a scan finds its lines and refuses every octet that
// may not stand in them, and llhttp parses the whole of it at once. Both must accept it, and they
// must agree on what it says. Debian 12's llhttp 8.1 takes what 9.2 refuses, and both take things
// that no gateway should pass on; what they may let through is checked here, not trusted.
#include "proxy/http.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <optional>

#include <llhttp.h>

#include "proxy/host.h"

namespace proxy {

namespace {

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

constexpr auto token_characters = [] {
  std::array<bool, 256> table{};
  for (unsigned char c = '0'; c <= '9'; ++c) table[c] = true;
  for (unsigned char c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (unsigned char c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (unsigned char c : std::string_view("!#$%&'*+-.^_`|~")) table[c] = true;
  return table;
}();

// RFC 9110 section 5.5: a field value has no control character but HTAB.
bool is_control(char c) {
  const auto octet = static_cast<unsigned char>(c);
  return (octet < 0x20 && c != '\t') || octet == 0x7F;
}

// Eight octets at once: may one of them be below 0x20, or 0x7F? HTAB counts as one.
bool may_have_control(std::uint64_t word) {
  constexpr std::uint64_t each = 0x0101010101010101;
  constexpr std::uint64_t high = each * 0x80;
  const auto not_below_space = (word | high) - each * 0x20;
  const auto not_delete = ((word ^ (each * 0x7F)) & ~high) + each * 0x7F;
  return ~(not_below_space & not_delete) & ~word & high;
}

// The place of the first control character from `from` on, or the size.
std::size_t find_control(std::string_view octets, std::size_t from) {
  for (; octets.size() - from >= sizeof(std::uint64_t); from += sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, octets.data() + from, sizeof word);
    if (!may_have_control(word)) continue;
    const auto in_word = octets.substr(from, sizeof word);
    const auto found = std::find_if(in_word.begin(), in_word.end(), is_control);
    if (found != in_word.end()) return from + static_cast<std::size_t>(found - in_word.begin());
  }
  while (from < octets.size() && !is_control(octets[from])) ++from;
  return from;
}

// What llhttp has to say about a head. Its spans are contiguous, since the head is.
struct LlhttpReading {
  std::string_view target;
  std::string_view name;
  std::string_view value;
  Fields fields;
  bool complete = false;

  static LlhttpReading& of(llhttp_t* parser) { return *static_cast<LlhttpReading*>(parser->data); }

  static void extend(std::string_view& span, const char* at, std::size_t size) {
    const char* begin = span.data() ? span.data() : at;
    span = {begin, static_cast<std::size_t>(at + size - begin)};
  }
};

int on_url(llhttp_t* parser, const char* at, std::size_t size) noexcept {
  LlhttpReading::extend(LlhttpReading::of(parser).target, at, size);
  return 0;
}

int on_header_field(llhttp_t* parser, const char* at, std::size_t size) noexcept {
  LlhttpReading::extend(LlhttpReading::of(parser).name, at, size);
  return 0;
}

int on_header_value(llhttp_t* parser, const char* at, std::size_t size) noexcept {
  LlhttpReading::extend(LlhttpReading::of(parser).value, at, size);
  return 0;
}

int on_header_value_complete(llhttp_t* parser) noexcept {
  auto& reading = LlhttpReading::of(parser);
  reading.fields.add(reading.name, trimmed(reading.value));
  reading.name = {};
  reading.value = {};
  return 0;
}

int on_headers_complete(llhttp_t* parser) noexcept {
  LlhttpReading::of(parser).complete = true;
  return 0;
}

// False: llhttp refuses it.
bool read_with_llhttp(llhttp_type_t type, std::string_view head, LlhttpReading& reading) {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t callbacks;
    llhttp_settings_init(&callbacks);
    callbacks.on_url = on_url;
    callbacks.on_header_field = on_header_field;
    callbacks.on_header_value = on_header_value;
    callbacks.on_header_value_complete = on_header_value_complete;
    callbacks.on_headers_complete = on_headers_complete;
    return callbacks;
  }();
  llhttp_t parser;
  llhttp_init(&parser, type, &settings);
  parser.data = &reading;
  const auto error = llhttp_execute(&parser, head.data(), head.size());
  return (error == HPE_OK || error == HPE_PAUSED_UPGRADE) && reading.complete;
}

struct RequestLine {
  std::string_view method;
  std::string_view target;
  bool http_1_0 = false;
};

// RFC 9112 section 3, without the leniency of its section 3.2 towards white space: exactly one SP
// between the parts. llhttp skips runs of them, and takes HTTP/0.9 to 2.0 and obs-text in targets.
std::optional<RequestLine> parse_request_line(std::string_view line) {
  constexpr std::string_view version = " HTTP/1.1";
  constexpr std::string_view old_version = " HTTP/1.0";
  const bool http_1_0 = line.ends_with(old_version);
  if (!http_1_0 && !line.ends_with(version)) return std::nullopt;
  line.remove_suffix(version.size());
  const auto space = line.find(' ');
  if (space == line.npos) return std::nullopt;
  const RequestLine parts{line.substr(0, space), line.substr(space + 1), http_1_0};
  const bool target_visible = std::all_of(parts.target.begin(), parts.target.end(),
                                          [](char c) { return c > ' ' && c < 0x7F; });
  if (!is_token(parts.method) || parts.target.empty() || !target_visible) return std::nullopt;
  return parts;
}

// RFC 9112 section 3.2: exactly one Host. HTTP/1.0 need not have one.
bool has_well_formed_host(const Fields& fields, const RequestLine& line) {
  const auto hosts = fields.count("host");
  if (hosts == 0) return line.http_1_0;
  return hosts == 1 && well_formed_host(*fields.find("host"));
}

// RFC 9112 section 6.1: with a transfer coding its framing is faulty.
bool may_be_http_1_0(const RequestLine& line, const Fields& fields, HeadParser::HearsHttp10 hears) {
  return hears && hears(line.target) && fields.count("transfer-encoding") == 0;
}

// RFC 9112 section 4. HTTP/1.0 may refuse, but has no 101 (RFC 9110 section 15.2).
std::optional<int> parse_status_line(std::string_view line) {
  constexpr int switching_protocols = 101;
  const bool current = line.starts_with("HTTP/1.1 ");
  if (!current && !line.starts_with("HTTP/1.0 ")) return std::nullopt;
  line.remove_prefix(9);
  const auto digits = line.substr(0, 3);
  int status = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    status = status * 10 + (c - '0');
  }
  if (status < 100 || (line.size() > 3 && line[3] != ' ')) return std::nullopt;
  if (!current && status == switching_protocols) return std::nullopt;
  return status;
}

// RFC 9110 section 8.6, as one number: "5, 5" and "+5" are not one. As long as any real one.
bool well_formed_length(std::string_view value) {
  constexpr std::size_t digits_max = 18;
  return !value.empty() && value.size() <= digits_max &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::size_t count_elements(const Fields& fields, std::string_view name) {
  std::size_t elements = 0;
  for (const auto& field : fields) {
    if (!equals_ignoring_case(field.name, name)) continue;
    elements +=
        1 + static_cast<std::size_t>(std::count(field.value.begin(), field.value.end(), ','));
  }
  return elements;
}

// RFC 9112 section 6: where a body ends must have one answer. Two lengths, even equal ones, or a
// length beside a transfer coding, or a coding other than chunked alone, have more than one.
bool unambiguous_framing(const Fields& fields) {
  const auto codings = fields.count("transfer-encoding");
  const auto lengths = fields.count("content-length");
  if (codings + lengths > 1) return false;
  if (codings) return equals_ignoring_case(*fields.find("transfer-encoding"), "chunked");
  return !lengths || well_formed_length(*fields.find("content-length"));
}

bool announces_body(const Fields& fields) {
  if (fields.count("transfer-encoding")) return true;
  const auto* length = fields.find("content-length");
  return length && length->find_first_not_of('0') != length->npos;
}

std::optional<HttpError> check_fields(const Fields& fields) {
  for (const auto& field : fields) {
    // llhttp 8.1 takes an empty name, and without strict mode "Host :".
    if (!is_token(field.name)) return HttpError::Malformed;
  }
  if (!unambiguous_framing(fields)) return HttpError::Malformed;
  if (count_elements(fields, "connection") > connection_options_max) {
    return HttpError::FieldsTooLarge;
  }
  return std::nullopt;
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return x == y || to_lower(x) == to_lower(y); });
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), to_lower);
  return lower;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return token_characters[static_cast<unsigned char>(c)];
  });
}

std::size_t Fields::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(fields_.begin(), fields_.end(),
                    [&](const Field& field) { return equals_ignoring_case(field.name, name); }));
}

const std::string_view* Fields::find(std::string_view name) const {
  for (const auto& field : fields_) {
    if (equals_ignoring_case(field.name, name)) return &field.value;
  }
  return nullptr;
}

bool Fields::has_token(std::string_view name, std::string_view token) const {
  for (const auto& field : fields_) {
    if (!equals_ignoring_case(field.name, name)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const auto comma = std::min(rest.find(','), rest.size());
      if (equals_ignoring_case(trimmed(rest.substr(0, comma)), token)) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

HeadParser::State HeadParser::fail(HttpError error) {
  error_ = error;
  return State::Failed;
}

HeadParser::State HeadParser::receive(std::string_view& input) {
  assert(state_ == State::NeedsMore);
  const auto held_before = held_.size();
  std::string_view octets = input;
  if (held_before > 0) {
    held_.append(input.substr(0, head_octets_max + 1 - held_before));
    octets = held_;
  }

  state_ = scan(octets);
  if (state_ == State::NeedsMore) {
    if (held_before == 0) held_ = input;
    input = {};
  }
  if (state_ != State::Complete) return state_;

  state_ = parse(octets.substr(0, scanned_));
  input.remove_prefix(scanned_ - held_before);
  held_ = {};
  return state_;
}

// Looks for the end of the head, line by line. Each octet is looked at once, and what is wrong is
// found at the same octet however the input was cut.
HeadParser::State HeadParser::scan(std::string_view octets) {
  const auto within = octets.substr(0, head_octets_max);
  while (!head_ended_) {
    const auto control = find_control(within, scanned_);
    // The start line may be longer: only the head as a whole bounds it.
    const bool in_fields = line_begin_ > head_begin_;
    if (in_fields && control - line_begin_ > field_octets_max) {
      return fail(HttpError::FieldsTooLarge);
    }
    scanned_ = static_cast<std::uint32_t>(control);
    const bool cut = control == within.size() || control + 1 == within.size();
    if (control < within.size() && within[control] != '\r') return fail(HttpError::Malformed);
    if (cut && octets.size() > within.size()) return fail(HttpError::FieldsTooLarge);
    if (cut) return State::NeedsMore;
    // RFC 9112 section 2.2: a bare CR is no line's end and no part of one.
    if (within[control + 1] != '\n') return fail(HttpError::Malformed);
    if (!end_line(within, control)) return State::Failed;
  }
  return State::Complete;
}

// `end`: where the line's CRLF is. False: error_ says why.
bool HeadParser::end_line(std::string_view octets, std::size_t end) {
  const auto line = octets.substr(line_begin_, end - line_begin_);
  const bool first = line_begin_ == head_begin_;
  scanned_ = static_cast<std::uint32_t>(end + 2);
  line_begin_ = scanned_;

  if (line.empty()) {
    // RFC 9112 section 2.2: one empty line may come before a request line.
    if (first && kind_ == Kind::Request && head_begin_ == 0) {
      head_begin_ = scanned_;
      return true;
    }
    head_ended_ = true;
    return true;
  }
  if (first) return true;
  // RFC 9112 section 5.2: obs-fold.
  if (line.front() == ' ' || line.front() == '\t') {
    fail(HttpError::Malformed);
    return false;
  }
  if (++field_lines_ > head_fields_max) {
    fail(HttpError::FieldsTooLarge);
    return false;
  }
  return true;
}

// The whole head, its empty line included.
HeadParser::State HeadParser::parse(std::string_view head) {
  head.remove_prefix(head_begin_);
  auto text = std::make_unique_for_overwrite<char[]>(head.size());
  head.copy(text.get(), head.size());
  head = {text.get(), head.size()};
  const auto start_line = head.substr(0, head.find("\r\n"));
  const bool request = kind_ == Kind::Request;
  const auto request_line = request ? parse_request_line(start_line) : std::nullopt;
  const auto status = request ? std::nullopt : parse_status_line(start_line);
  if (!request_line && !status) return fail(HttpError::Malformed);

  LlhttpReading reading;
  reading.fields.reserve(field_lines_);
  if (!read_with_llhttp(request ? HTTP_REQUEST : HTTP_RESPONSE, head, reading) ||
      reading.fields.size() != field_lines_) {
    return fail(HttpError::Malformed);
  }
  if (const auto error = check_fields(reading.fields)) return fail(*error);
  if (!request) {
    response_ = {*status, std::move(reading.fields), std::move(text)};
    return State::Complete;
  }

  const auto& fields = reading.fields;
  if (reading.target != request_line->target || !has_well_formed_host(fields, *request_line)) {
    return fail(HttpError::Malformed);
  }
  if (request_line->http_1_0 && !may_be_http_1_0(*request_line, fields, hears_http_1_0_)) {
    return fail(HttpError::Malformed);
  }
  const bool has_body = announces_body(fields);
  request_ = {request_line->method, request_line->target, std::move(reading.fields), has_body,
              std::move(text)};
  return State::Complete;
}

HttpError HeadParser::error() const {
  assert(state_ == State::Failed);
  return error_;
}

RequestHead HeadParser::take_request() {
  assert(state_ == State::Complete && kind_ == Kind::Request);
  return std::move(request_);
}

ResponseHead HeadParser::take_response() {
  assert(state_ == State::Complete && kind_ == Kind::Response);
  return std::move(response_);
}

}  // namespace proxy
