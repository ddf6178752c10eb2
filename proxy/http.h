// HTTP/1.1 message heads (RFC 9110, RFC 9112), both directions, without I/O. Strict: what two
// parsers could read differently is refused here, whatever the installed llhttp lets through.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace proxy {

inline constexpr std::size_t head_octets_max = 32 * 1024;  // from the first octet to the empty line
inline constexpr std::size_t head_fields_max = 100;
inline constexpr std::size_t field_octets_max = 16 * 1024;  // a field line without its CRLF
// What all Connection fields together may name: no more fields could be there.
inline constexpr std::size_t connection_options_max = head_fields_max;

// Views: of a head that was read, into its text.
struct Field {
  std::string_view name;   // as it came
  std::string_view value;  // without the white space around it
};

bool equals_ignoring_case(std::string_view a, std::string_view b);  // ASCII
std::string lower_case(std::string_view text);                      // ASCII
std::string_view trimmed(std::string_view text);  // of SP and HTAB: OWS, RFC 9110 section 5.6.3
bool is_token(std::string_view text);             // RFC 9110 section 5.6.2

class Fields {
 public:
  void reserve(std::size_t fields) { fields_.reserve(fields); }
  void add(std::string_view name, std::string_view value) { fields_.push_back({name, value}); }
  std::size_t count(std::string_view name) const;
  // The first one's value; null: none. Names in any case.
  const std::string_view* find(std::string_view name) const;
  // Is `token` one of the comma-separated tokens of all fields of this name, in any case?
  bool has_token(std::string_view name, std::string_view token) const;

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }

 private:
  std::vector<Field> fields_;
};

// `fields` have exactly one Host; of HTTP/1.0, at most one.
struct RequestHead {
  std::string_view method;
  std::string_view target;
  Fields fields;
  bool has_body = false;                   // Transfer-Encoding, or a Content-Length that is not 0
  std::unique_ptr<char[]> text = nullptr;  // that all views are into
};

struct ResponseHead {
  int status = 0;  // 100 to 999
  Fields fields;
  std::unique_ptr<char[]> text = nullptr;  // that all views are into
};

enum class HttpError : std::uint8_t {
  Malformed,       // 400
  FieldsTooLarge,  // 431
};

// Reads one head and stops there. Feed it until it is Complete or Failed; however its octets are
// cut into pieces, the answer is the same. A head that comes in one piece is read where it is;
// otherwise at most head_octets_max are held.
class HeadParser {
 public:
  enum class Kind : std::uint8_t { Request, Response };
  enum class State : std::uint8_t { NeedsMore, Complete, Failed };

  // Which request targets may be asked for in HTTP/1.0, by clients that cannot be told to speak
  // HTTP/1.1. For all others, and where there is no such question, it is malformed.
  using HearsHttp10 = bool (*)(std::string_view target);

  explicit HeadParser(Kind kind, HearsHttp10 hears_http_1_0 = nullptr)
      : kind_(kind), hears_http_1_0_(hears_http_1_0) {}
  HeadParser(const HeadParser&) = delete;
  HeadParser& operator=(const HeadParser&) = delete;

  // Takes octets off the front of `input`; what is left after Complete belongs to what follows the
  // head. After Complete or Failed it must not be called again.
  State receive(std::string_view& input);

  HttpError error() const;       // after Failed
  RequestHead take_request();    // after Complete, kind Request; once
  ResponseHead take_response();  // after Complete, kind Response; once

 private:
  State scan(std::string_view octets);
  bool end_line(std::string_view octets, std::size_t end);
  State parse(std::string_view head);
  State fail(HttpError error);

  const Kind kind_;
  const HearsHttp10 hears_http_1_0_;  // null: none
  State state_ = State::NeedsMore;
  HttpError error_ = HttpError::Malformed;
  bool head_ended_ = false;
  std::uint32_t head_begin_ = 0;  // 2 behind an empty line that is ignored
  std::uint32_t line_begin_ = 0;  // of the line that is being scanned
  std::uint32_t scanned_ = 0;     // octets of which nothing more is to be found out
  std::uint32_t field_lines_ = 0;
  std::string held_;  // a head of which the end has not come yet
  RequestHead request_;
  ResponseHead response_;
};

}  // namespace proxy
