#include "auth/session_cookie.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace auth;

namespace {

// As npm's cookie-signature and cookie write them.
constexpr auto hello = "s%3Ahello.DGDUkGlIkCzPz%2BC0B064FNgHdEjox7ch8tOBGslZ5QI";
constexpr auto generated =
    "s%3AQ7mEr0R3gS1gZ0v0F9s8GZ6m-4tGkJ0k.EF%2B24bP%2B78F%2Fh5qxiFur0GUWh1EhJGcPHAsl4VvuSSY";
const std::vector<std::string> secrets = {"keyboard cat", "tobiiscool"};

std::string without(std::string_view text, std::string_view part) {
  std::string all(text);
  return all.erase(all.find(part), part.size());
}

// As a policy's list of secrets is gone through.
std::optional<std::string> by_any(std::string_view cookie) {
  for (const auto& secret : secrets) {
    if (auto id = session_id(cookie, secret)) return id;
  }
  return std::nullopt;
}

}  // namespace

TEST_SUITE("Session cookies") {
  TEST_CASE("the id of one that any of the secrets signed, percent-encoded or not") {
    CHECK(by_any(hello) == "hello");
    CHECK(by_any(generated) == "Q7mEr0R3gS1gZ0v0F9s8GZ6m-4tGkJ0k");
    CHECK(by_any("s:hello.DGDUkGlIkCzPz+C0B064FNgHdEjox7ch8tOBGslZ5QI") == "hello");
  }

  TEST_CASE("nothing that another secret signed") {
    CHECK_FALSE(session_id(hello, "keyboard cat"));
    CHECK_FALSE(session_id(hello, ""));
  }

  TEST_CASE("nothing whose id or signature is another one") {
    const std::string good = "s:hello.DGDUkGlIkCzPz+C0B064FNgHdEjox7ch8tOBGslZ5QI";
    for (std::size_t i = 2; i < good.size(); ++i) {
      CAPTURE(i);
      auto other = good;
      other[i] = other[i] == 'x' ? 'y' : 'x';
      CHECK_FALSE(by_any(other));
    }
  }

  TEST_CASE("nothing that is not of this form") {
    CHECK_FALSE(by_any(""));
    CHECK_FALSE(by_any("s:"));
    CHECK_FALSE(by_any("s:hello"));
    CHECK_FALSE(by_any("s:hello."));
    CHECK_FALSE(by_any("s:.DGDUkGlIkCzPz+C0B064FNgHdEjox7ch8tOBGslZ5QI"));
    CHECK_FALSE(by_any(without(hello, "s%3A")));
    CHECK_FALSE(by_any(std::string(hello) + "="));
    CHECK_FALSE(by_any(std::string(hello) + "%"));
    CHECK_FALSE(by_any("j%3A{}"));
  }

  TEST_CASE("no id but of visible ASCII characters, whoever signed it") {
    CHECK(by_any("s:a%7E%21.9cNPCACQ1l6lGPFyYNYQ715sS4zPIEisSohf69QacfU") == "a~!");
    CHECK_FALSE(by_any("s:a%20b.QFgmOPpdiH8tAwkqVEd//S3T/IaQCbPKHmJwEwT0svg"));
    CHECK_FALSE(by_any("s:a%0D%0Ab.fOQ4eRSdoGPISj0gzo7gaAMri%2B7h0LfkjZNHyUiX7%2BA"));
    CHECK_FALSE(by_any("s:a%00b.qhoPtq9sPC06YVpXUBYUbkiipcafoELRP7FvaOCgISU"));
    CHECK_FALSE(by_any("s:a%7Fb.jaRVJWVWxeTKOqUt4O6frdqYzcAyuyKig6ev6xtvpfQ"));
    CHECK_FALSE(by_any("s:Ã%A9.Q3vg40CIsIhwNhGiK4zZy0dYZlFtSxOCWP22ibsJB5k"));
  }

  TEST_CASE("an id of up to 256 octets, in a cookie of up to 4096") {
    const auto signs_nothing = [](std::size_t octets) {
      return by_any("s:" + std::string(octets, 'a') + '.' + std::string(43, 'A'));
    };
    CHECK_FALSE(signs_nothing(256));
    CHECK_FALSE(signs_nothing(257));
    CHECK_FALSE(signs_nothing(5'000));
    const std::string of_256 =
        "s:" + std::string(256, 'a') + ".fGUECK/oijbP59wgJEJCHZgO7pIEDPy82N+soHL+H6o";
    const std::string of_257 =
        "s:" + std::string(257, 'a') + ".uZPCmehrZYphiUvpVyfhb9dorIT46rkAxJNLJ/rb4Jo";
    CHECK(by_any(of_256) == std::string(256, 'a'));
    CHECK_FALSE(by_any(of_257));
  }
}
