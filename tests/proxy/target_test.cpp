#include "proxy/target.h"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace {

using proxy::parse_target;
using proxy::TargetError;
using namespace std::literals;

bool ambiguous(std::string_view target) {
  const auto parsed = parse_target(target);
  return !parsed && parsed.error() == TargetError::Ambiguous;
}

bool not_origin_form(std::string_view target) {
  const auto parsed = parse_target(target);
  return !parsed && parsed.error() == TargetError::NotOriginForm;
}

// The decoded path, or what it is not.
std::string path_of(std::string_view target) {
  const auto parsed = parse_target(target);
  if (parsed) return parsed->path;
  return parsed.error() == TargetError::Ambiguous ? "(ambiguous)" : "(not origin-form)";
}

}  // namespace

TEST_SUITE("SECURITY 20: a path that all read alike") {
  TEST_CASE("routes see the path decoded once, the backend what came") {
    const auto target = "/caf%C3%a9/a%20b?x=%2F&y=a/../b"s;
    const auto parsed = parse_target(target);
    REQUIRE(parsed);
    CHECK(parsed->path == "/caf\xC3\xA9/a b");
    CHECK(parsed->raw_path == "/caf%C3%a9/a%20b");
    CHECK(parsed->has_query);
    CHECK(parsed->raw_query == "x=%2F&y=a/../b");
  }

  TEST_CASE("a query may be missing, empty, or contain what a path may not") {
    CHECK_FALSE(parse_target("/a")->has_query);
    CHECK(parse_target("/a")->raw_query.empty());
    CHECK(parse_target("/a?")->has_query);
    CHECK(parse_target("/a?")->raw_query.empty());
    CHECK(parse_target("/?a?b")->raw_query == "a?b");
    CHECK(parse_target("/?/../%2e%2e//\\%zz%00%252e")->raw_query == "/../%2e%2e//\\%zz%00%252e");
  }

  TEST_CASE("only origin-form is a target") {
    for (const std::string target :
         {"", "*", "a", "app/x", "http://example.com/", "HTTP://example.com/app", "wss://a/b",
          "example.com:443", "?x", "#", "%2Fapp", "\\app", ".", "..", " /"}) {
      CAPTURE(target);
      CHECK(not_origin_form(target));
    }
    CHECK(path_of("/") == "/");
    CHECK(path_of("/http://a") == "(ambiguous)");  // an empty segment
    CHECK(path_of("/http:a") == "/http:a");
  }

  TEST_CASE("a segment that goes up or stays is refused, however it is written") {
    for (const std::string target :
         {"/app/../admin", "/app/..", "/..", "/../", "/.", "/./", "/app/./x", "/app/.",
          "/app/%2e%2e/admin", "/app/%2E%2e/admin", "/app/.%2e/admin", "/app/%2e./admin",
          "/app/%2e/x", "/%2e", "/app/%2e%2e", "/app/..?x", "/app/.?"}) {
      CAPTURE(target);
      CHECK(ambiguous(target));
    }
    for (const std::string target : {"/app/...", "/app/..a", "/app/a..", "/.well-known", "/a.b",
                                     "/app/.a.", "/a%2eb", "/..%20", "/app/....//"}) {
      CAPTURE(target);
      CHECK(ambiguous(target) == ("/app/....//"s == target));
    }
    CHECK(path_of("/a%2eb") == "/a.b");
  }

  TEST_CASE("a parameter does not hide a segment that goes up, stays, or is empty") {
    for (const std::string target :
         {"/app/..;/admin", "/app/..;x/admin", "/app/.;x/admin", "/app/..;", "/..;a=b",
          "/app/..%3bx/admin", "/app/%2e%2e;x/admin", "/app/..;x;y/z", "/;/admin", "/;x/admin",
          "/app/;/x"}) {
      CAPTURE(target);
      CHECK(ambiguous(target));
    }
    CHECK(path_of("/app/x;v=1/y") == "/app/x;v=1/y");
    CHECK(path_of("/app/a..;x") == "/app/a..;x");
    CHECK(path_of("/;jsessionid=1") == "/;jsessionid=1");
    CHECK(path_of("/app/;x") == "/app/;x");
  }

  TEST_CASE("an empty segment is refused, but for the last") {
    for (const std::string target : {"//", "//admin", "/app//admin", "/app//", "///", "/app///x"}) {
      CAPTURE(target);
      CHECK(ambiguous(target));
    }
    CHECK(path_of("/app/") == "/app/");
    CHECK(path_of("/app") == "/app");
    CHECK(path_of("/app?//") == "/app");
  }

  TEST_CASE("a delimiter of the target stands for itself: it is never encoded") {
    for (const std::string target :
         {"/app/..%2fadmin", "/app%2Fadmin", "/%2f", "/app/x%5c..%5cadmin", "/app%5Cx", "/app%3fx",
          "/app%3Fx", "/app%23x"}) {
      CAPTURE(target);
      CHECK(ambiguous(target));
    }
    CHECK(path_of("/app%3Ax%40y%26z") == "/app:x@y&z");
  }

  TEST_CASE("a backslash or a number sign is refused as it is, too") {
    for (const std::string target :
         {"/app\\admin", "/app/..\\admin", "/\\", "/app#x", "/#", "/app?x#y"}) {
      CAPTURE(target);
      CHECK(ambiguous(target));
    }
    CHECK(path_of("/app?x\\y") == "/app");
  }

  TEST_CASE("no control character, encoded or not, stands in a path") {
    for (int octet = 0; octet < 0x80; ++octet) {
      constexpr auto digits = "0123456789abcdef"sv;
      const auto encoded = "/a%"s + digits[static_cast<std::size_t>(octet / 16)] +
                           digits[static_cast<std::size_t>(octet % 16)] + "b";
      CAPTURE(encoded);
      const bool refused = octet < 0x20 || octet == 0x7F || octet == '/' || octet == '\\' ||
                           octet == '#' || octet == '?';
      CHECK(ambiguous(encoded) == refused);
      const auto raw = "/a"s + static_cast<char>(octet) + "b";
      const bool not_itself = octet == '?' || octet == '/';
      CHECK(ambiguous(raw) == (octet == ' ' || octet == '%' || (refused && !not_itself)));
    }
  }

  TEST_CASE("a target is visible ASCII, in its query too") {
    for (const auto& target :
         {"/caf\xC3\xA9"s, "/\x80"s, "/?\xFF"s, "/? "s, "/?\t"s, "/?a\0"s, "/?\x7F"s, "/a b"s}) {
      CAPTURE(target);
      CHECK(ambiguous(target));
    }
    CHECK(path_of("/~a!$&'()*+,=:@|^\"<>[]{}`") == "/~a!$&'()*+,=:@|^\"<>[]{}`");
  }

  TEST_CASE("a percent sign begins an encoding") {
    for (const std::string target : {"/%", "/%2", "/%zz", "/%2g", "/%5g", "/%g2", "/a%", "/%%",
                                     "/%-1", "/% 1", "/%u002e", "/a%2"}) {
      CAPTURE(target);
      CHECK(ambiguous(target));
    }
  }

  TEST_CASE("an encoding that the end of the target cuts is none, whatever lies behind it") {
    CHECK(ambiguous("/a%41"sv.substr(0, 4)));
    CHECK(ambiguous("/a%41"sv.substr(0, 3)));
    CHECK(path_of("/a%25%34%31"sv.substr(0, 5)) == "/a%");
  }

  TEST_CASE("what is encoded twice is refused: it decodes to something else each time") {
    for (const std::string target :
         {"/app/%252e%252e/admin", "/%252f", "/%25%32%65", "/a%2561", "/%2500", "/x%2525%32%35"}) {
      CAPTURE(target);
      CHECK(ambiguous(target));
    }
    CHECK(path_of("/100%25") == "/100%");
    CHECK(path_of("/100%25/2e") == "/100%/2e");
    CHECK(path_of("/%25zz") == "/%zz");
    CHECK(path_of("/%25%25") == "/%%");
    CHECK(path_of("/a?%252e") == "/a");
  }

  TEST_CASE("a path is UTF-8 once decoded") {
    for (const std::string target :
         {"/%80", "/%ff", "/%c3", "/%c3(", "/%c0%ae%c0%ae/admin", "/%c0%af", "/%e0%80%ae",
          "/%ed%a0%80", "/%f4%90%80%80", "/%f8%88%80%80%ae"}) {
      CAPTURE(target);
      CHECK(ambiguous(target));
    }
    CHECK(path_of("/%c3%a9%e2%82%ac%f0%9f%98%80") == "/\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  }

  TEST_CASE("case is kept") { CHECK(path_of("/App/%41dmin") == "/App/Admin"); }

  TEST_CASE("a long path is read in one pass") {
    std::string path;
    for (int i = 0; i < 8'000; ++i) path += "/a%25";
    CHECK(parse_target(path)->path.size() == 3 * 8'000);
  }
}
