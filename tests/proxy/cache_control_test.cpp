#include "proxy/cache_control.h"

#include <doctest/doctest.h>

using proxy::fresh_for;
using std::chrono::seconds;

TEST_SUITE("RFC 9111 section 4.2: freshness") {
  TEST_CASE("an answer that does not say is of unknown freshness") {
    for (const char* field : {"", "public", "must-revalidate, private", "s-maxage=60", ",,",
                              R"(x="max-age=5, no-store")", "max-age5"}) {
      CAPTURE(field);
      CHECK(fresh_for(field, "") == std::nullopt);
    }
  }

  TEST_CASE("max-age is how long, in any case, quoted or not, among others") {
    for (const char* field :
         {"max-age=600", "public, max-age=600, must-revalidate", "MAX-AGE=600", R"(max-age="600")",
          "public,\tmax-age=600\t,", R"(ext="a,b", max-age=600)"}) {
      CAPTURE(field);
      CHECK(fresh_for(field, "") == seconds(600));
    }
  }

  TEST_CASE("what may not be kept is fresh for no time") {
    for (const char* field : {"no-store", "max-age=600, no-store", "no-cache, max-age=600",
                              R"(No-Cache="set-cookie")", "max-age=0"}) {
      CAPTURE(field);
      CHECK(fresh_for(field, "") == seconds(0));
    }
  }

  TEST_CASE("of two, and of what cannot be read, it is the shorter") {
    CHECK(fresh_for("max-age=600, max-age=60", "") == seconds(60));
    CHECK(fresh_for("max-age=60, max-age=600", "") == seconds(60));
    for (const char* field : {"max-age=", "max-age", "max-age=-1", "max-age=1e3", "max-age=6 0",
                              "max-age=600, max-age=x", R"(max-age=")"}) {
      CAPTURE(field);
      CHECK(fresh_for(field, "") == seconds(0));
    }
  }

  TEST_CASE("the time in other caches is taken off") {
    CHECK(fresh_for("max-age=600", "100") == seconds(500));
    CHECK(fresh_for("max-age=600", "600") == seconds(0));
    CHECK(fresh_for("max-age=600", "99999999999999999999") == seconds(0));
    CHECK(fresh_for("max-age=600", "soon") == seconds(600));
    CHECK(fresh_for("", "100") == std::nullopt);
  }

  TEST_CASE("a number without bound is the largest that there is") {
    CHECK(fresh_for("max-age=99999999999999999999999999", "") == proxy::freshness_max);
  }
}
