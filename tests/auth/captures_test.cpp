#include "auth/captures.h"

#include <array>
#include <utility>

#include <doctest/doctest.h>

using Capture = std::pair<std::string_view, std::string_view>;

namespace {

constexpr std::array<Capture, 3> captures = {{{"team", "red"}, {"user", "{team}"}, {"_9", "x"}}};

}  // namespace

TEST_SUITE("Captures in values") {
  TEST_CASE("{name} is what it captured, everywhere it stands") {
    CHECK(auth::substitute("{team}", captures) == "red");
    CHECK(auth::substitute("a-{team}-{_9}{team}", captures) == "a-red-xred");
    CHECK(auth::substitute("none", captures) == "none");
    CHECK(auth::substitute("", captures) == "");
  }

  TEST_CASE("what was captured is not read again") {
    CHECK(auth::substitute("{user}", captures) == "{team}");
  }

  TEST_CASE("a name that was not captured makes no value") {
    CHECK_FALSE(auth::substitute("{other}", captures));
    CHECK_FALSE(auth::substitute("{team}{other}", captures));
    CHECK_FALSE(auth::substitute("{Team}", captures));
    CHECK_FALSE(auth::substitute("{team}", {}));
  }

  TEST_CASE("braces around no name are only braces") {
    for (const char* text :
         {"{}", "{", "}", "{te am}", "{9}", "{\"a\":1}", "{team", "team}", "{a-b}"}) {
      CAPTURE(text);
      CHECK(auth::substitute(text, captures) == text);
      CHECK(auth::capture_names(text).empty());
    }
    CHECK(auth::substitute("{{team}}", captures) == "{red}");
    CHECK(auth::substitute("{a {team}", captures) == "{a red");
  }

  TEST_CASE("the names that a value asks for, in order") {
    using Names = std::vector<std::string_view>;
    CHECK(auth::capture_names("{team}:{user}-{team}") == Names{"team", "user", "team"});
    CHECK(auth::capture_names("plain").empty());
  }
}
