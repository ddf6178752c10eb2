// HTTP/1.1 message heads (RFC 9110, RFC 9112), both directions, without I/O. Strict: what two parsers
// could read differently is refused here, whatever the installed llhttp lets through.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace proxy {

inline constexpr std::size_t head_octets_max = 32 * 1024;
inline constexpr std::size_t head_fields_max = 100;
inline constexpr std::size_t field_octets_max = 16 * 1024;  // name and value of one field

struct Field {
  std::string name;  // as it came
  std::string value;  // without the white space around it
};

bool equals_ignoring_case(std::string_view a, std::string_view b);

class Fields {
 public:
  void add(std::string name, std::string value) { fields_.push_back({std::move(name), std::move(value)}); }
  std::size_t count(std::string_view name) const;
  // The first one's value; null: none. Names in any case.
  const std::string* find(std::string_view name) const;
  // Is `token` one of the comma-separated tokens of all fields of this name, in any case?
  bool has_token(std::string_view name, std::string_view token) const;

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }

 private:
  std::vector<Field> fields_;
};

struct RequestHead {
  std::string method;
  std::string target;
  Fields fields;
  bool has_body = false;  // Transfer-Encoding, or a Content-Length that is not 0
};

struct ResponseHead {
  int status = 0;
  Fields fields;
};

enum class HttpError : std::uint8_t {
  Malformed,      // 400
  FieldsTooLarge,  // 431
};

// Reads one head and stops there. Feed it until it is Complete or Failed.
class HeadParser {
 public:
  enum class Kind : std::uint8_t { Request, Response };
  enum class State : std::uint8_t { NeedsMore, Complete, Failed };

  explicit HeadParser(Kind kind);
  ~HeadParser();
  HeadParser(const HeadParser&) = delete;
  HeadParser& operator=(const HeadParser&) = delete;

  // Takes octets off the front of `input`; what is left after Complete belongs to what follows the
  // head. After Complete or Failed it must not be called again.
  State receive(std::string_view& input);

  HttpError error() const;         // after Failed
  RequestHead take_request();      // after Complete, kind Request; once
  ResponseHead take_response();    // after Complete, kind Response; once

 private:
  struct Parsing;
  std::unique_ptr<Parsing> parsing_;
};

}  // namespace proxy
