#include "gateway/log_line.h"

#include <array>
#include <cmath>
#include <limits>
#include <memory>

#include <doctest/doctest.h>
#include <jansson.h>

using namespace gateway;

namespace {

// 2026-01-02T03:04:05.678Z
const LogTime moment{std::chrono::milliseconds(1'767'323'045'678)};

std::string line_of(LogFormat format, std::initializer_list<LogField> fields) {
  std::string line;
  append_log_line(line, format, moment, LogLevel::Info, "event", {fields.begin(), fields.size()});
  return line;
}

// What a reader of the JSON line gets for a value that was written.
std::string read_back(std::string_view value) {
  const std::string line = line_of(LogFormat::Json, {{"v", value}, {"w", "x"}});
  const std::unique_ptr<json_t, decltype(&json_decref)> object(
      json_loadb(line.data(), line.size(), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, nullptr),
      json_decref);
  REQUIRE(object);
  const json_t* text = json_object_get(object.get(), "v");
  return text ? std::string(json_string_value(text), json_string_length(text)) : std::string();
}

// The value as it stands between its quotes.
std::string written(std::string_view value, LogFormat format = LogFormat::Json) {
  const std::string line = line_of(format, {{"v", value}});
  const std::size_t begin = line.find(format == LogFormat::Json ? "\"v\":\"" : "v=\"");
  const std::size_t quote = line.find('"', begin + 2) + (format == LogFormat::Json ? 2 : 0);
  return line.substr(quote + 1, line.rfind('"') - quote - 1);
}

}  // namespace

TEST_SUITE("a line of the log") {
  TEST_CASE("JSON has time, level, event and the fields in their order") {
    CHECK(line_of(LogFormat::Json, {{"subject", "alice"},
                                    {"worker", 3U},
                                    {"offset", -7},
                                    {"octets", std::numeric_limits<std::uint64_t>::max()},
                                    {"share", 0.25},
                                    {"tls", false}}) ==
          R"({"time":"2026-01-02T03:04:05.678Z","level":"info","event":"event","subject":"alice",)"
          R"("worker":3,"offset":-7,"octets":18446744073709551615,"share":0.25,"tls":false})"
          "\n");
  }

  TEST_CASE("text has the same") {
    CHECK(line_of(LogFormat::Text, {{"subject", "al ice"}, {"worker", 3U}, {"tls", true}}) ==
          "2026-01-02T03:04:05.678Z info event subject=\"al ice\" worker=3 tls=true\n");
  }

  TEST_CASE("an event without fields is a line too") {
    CHECK(line_of(LogFormat::Text, {}) == "2026-01-02T03:04:05.678Z info event\n");
    CHECK(line_of(LogFormat::Json, {}) ==
          "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\",\"event\":\"event\"}\n");
  }

  TEST_CASE("levels have the names of the policy") {
    for (const auto& [level, name] : {std::pair{LogLevel::Debug, "debug"},
                                      {LogLevel::Info, "info"},
                                      {LogLevel::Warn, "warn"},
                                      {LogLevel::Error, "error"}}) {
      std::string line;
      append_log_line(line, LogFormat::Text, moment, level, "e", {});
      CHECK(line == std::string("2026-01-02T03:04:05.678Z ") + name + " e\n");
    }
  }

  TEST_CASE("times are RFC 3339 in UTC, with every digit") {
    const auto text_of = [](std::int64_t ms) {
      std::string line;
      append_log_line(line, LogFormat::Text, LogTime{std::chrono::milliseconds(ms)}, LogLevel::Info,
                      "e", {});
      return line.substr(0, line.find(' '));
    };
    CHECK(text_of(0) == "1970-01-01T00:00:00.000Z");
    CHECK(text_of(951'782'399'999) == "2000-02-28T23:59:59.999Z");
    CHECK(text_of(951'782'400'001) == "2000-02-29T00:00:00.001Z");
    CHECK(text_of(1'798'761'599'050) == "2026-12-31T23:59:59.050Z");
  }

  TEST_CASE("a string that is empty is left out, a zero is not") {
    CHECK(line_of(LogFormat::Text, {{"subject", ""}, {"code", 0}}) ==
          "2026-01-02T03:04:05.678Z info event code=0\n");
    CHECK(line_of(LogFormat::Json, {{"subject", ""}}) == line_of(LogFormat::Json, {}));
  }

  TEST_CASE("JSON has no infinities and no NaN") {
    const double infinity = std::numeric_limits<double>::infinity();
    CHECK(line_of(LogFormat::Text, {{"a", infinity}, {"b", -infinity}, {"c", std::nan("")}}) ==
          "2026-01-02T03:04:05.678Z info event a=null b=null c=null\n");
  }

  TEST_CASE("a line is appended to what is there") {
    std::string lines = "before\n";
    append_log_line(lines, LogFormat::Text, moment, LogLevel::Info, "e", {});
    append_log_line(lines, LogFormat::Text, moment, LogLevel::Info, "f", {});
    CHECK(lines == "before\n2026-01-02T03:04:05.678Z info e\n2026-01-02T03:04:05.678Z info f\n");
  }
}

TEST_SUITE("what a peer sent, in a line") {
  TEST_CASE("every octet is read back, and none acts on what reads the line") {
    for (const LogFormat format : {LogFormat::Json, LogFormat::Text}) {
      for (int octet = 0; octet < 0x80; ++octet) {
        CAPTURE(octet);
        const std::string value = std::string("a") + static_cast<char>(octet) + "b";
        CHECK(read_back(value) == value);
        const std::string line = line_of(format, {{"v", value}});
        CHECK(line.back() == '\n');
        for (std::size_t i = 0; i + 1 < line.size(); ++i) {
          CHECK((static_cast<unsigned char>(line[i]) >= 0x20 && line[i] != 0x7f));
        }
      }
      for (int octet = 0x80; octet < 0x100; ++octet) {
        CHECK(read_back(std::string(1, static_cast<char>(octet))) == "\uFFFD");
      }
    }
  }

  TEST_CASE("quotes and line ends do not make another field or another line") {
    CHECK(written("a\" b=\"c") == "a\\\" b=\\\"c");
    CHECK(written("a\" b=\"c", LogFormat::Text) == "a\\\" b=\\\"c");
    CHECK(written("x\r\n2026-01-02T03:04:05.678Z info forged", LogFormat::Text) ==
          "x\\r\\n2026-01-02T03:04:05.678Z info forged");
    CHECK(written("\\") == "\\\\");
    CHECK(written(std::string_view("\0\t\x1b\x7f", 4)) == "\\u0000\\t\\u001b\\u007f");
  }

  TEST_CASE("characters pass as they are, but not those that act on a terminal or a viewer") {
    CHECK(written("é€😀") == "é€😀");
    CHECK(written("\u00a0") == "\u00a0");
    CHECK(written("\u009b2J") == "\\u009b2J");
    CHECK(written("\u2028\u2029") == "\\u2028\\u2029");
    CHECK(written("\u202euser\u202c") == "\\u202euser\\u202c");
    CHECK(written("\u2066\u2069\u200e\u200f\u061c\ufeff") ==
          "\\u2066\\u2069\\u200e\\u200f\\u061c\\ufeff");
    CHECK(written("\u202f\u2065\u206a\u200d") == "\u202f\u2065\u206a\u200d");  // their neighbours
    CHECK(read_back("\u202eé\u2028") == "\u202eé\u2028");
  }

  TEST_CASE("what is not UTF-8 becomes one U+FFFD for each broken character") {
    const std::array<std::pair<std::string_view, std::string_view>, 16> cases{{
        {"\xff", "\uFFFD"},
        {"a\x80z", "a\uFFFDz"},
        {"\xc0\xaf", "\uFFFD\uFFFD"},  // overlong '/'
        {"\xc1\xbf", "\uFFFD\uFFFD"},
        {"\xe0\x9f\xbf", "\uFFFD\uFFFD\uFFFD"},  // overlong
        {"\xe0\xa0\x80", "\u0800"},
        {"\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD"},  // a surrogate
        {"\xed\x9f\xbf", "\ud7ff"},
        {"\xf0\x8f\xbf\xbf", "\uFFFD\uFFFD\uFFFD\uFFFD"},
        {"\xf0\x90\x80\x80", "\U00010000"},
        {"\xf4\x8f\xbf\xbf", "\U0010ffff"},
        {"\xf4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
        {"\xf5\x80", "\uFFFD\uFFFD"},
        {"\xe2\x82", "\uFFFD"},  // cut off
        {"\xf0\x9f\x98"
         "A",
         "\uFFFD"
         "A"},
        {"\xe2\x82\xe2\x82\xac", "\uFFFD€"},
    }};
    for (const auto& [value, expected] : cases) {
      CAPTURE(expected);
      CHECK(read_back(value) == expected);
    }
  }

  TEST_CASE("a value that just fits is whole, a longer one is cut and says so") {
    const std::string fits(log_value_octets_max, 'x');
    CHECK(written(fits) == fits);
    CHECK(written(fits + 'x') == fits + "…");
    CHECK(written(std::string(1 << 20, 'x')) == fits + "…");
  }

  TEST_CASE("the bound is on what is written, and no character is cut in two") {
    const std::string before(log_value_octets_max - 2, 'x');
    CHECK(written(before + "é") == before + "é");
    CHECK(written(before + "€") == before + "…");
    CHECK(written(before + "\n") == before + "\\n");
    CHECK(written(before + "\x01") == before + "…");
    CHECK(written(std::string(log_value_octets_max, '\x01')).size() <
          log_value_octets_max + std::string_view("…").size());
    CHECK(read_back(before + "€uro") == before + "…");
  }
}
