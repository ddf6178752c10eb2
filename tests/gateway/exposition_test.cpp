#include "gateway/exposition.h"

#include <array>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using gateway::Exposition;
using Type = Exposition::Type;

TEST_SUITE("Prometheus text exposition format 0.0.4") {
  TEST_CASE("a family is one HELP line, one TYPE line and its samples, each line ended") {
    Exposition exposition;
    exposition.family("gatehouse_a_total", Type::Counter, "How many.");
    exposition.sample(std::uint64_t{1}, {{"side", "client"}});
    exposition.sample(std::uint64_t{18'446'744'073'709'551'615u},
                      {{"side", "backend"}, {"x", "y"}});
    exposition.family("gatehouse_b", Type::Gauge, "Another.");
    exposition.sample(std::uint64_t{0});
    CHECK(exposition.text() ==
          "# HELP gatehouse_a_total How many.\n"
          "# TYPE gatehouse_a_total counter\n"
          "gatehouse_a_total{side=\"client\"} 1\n"
          "gatehouse_a_total{side=\"backend\",x=\"y\"} 18446744073709551615\n"
          "# HELP gatehouse_b Another.\n"
          "# TYPE gatehouse_b gauge\n"
          "gatehouse_b 0\n");
  }

  TEST_CASE("nothing is written of a family without samples") {
    Exposition exposition;
    exposition.family("gatehouse_none", Type::Gauge, "Nothing.");
    exposition.family("gatehouse_some", Type::Gauge, "Something.");
    exposition.sample(std::uint64_t{7});
    CHECK(exposition.text() ==
          "# HELP gatehouse_some Something.\n# TYPE gatehouse_some gauge\ngatehouse_some 7\n");
  }

  TEST_CASE("a label's value has backslash, quote and line feed escaped, and nothing else") {
    Exposition exposition;
    exposition.family("g", Type::Gauge, "h");
    exposition.sample(std::uint64_t{1}, {{"route", "/a\\b\"c\nd{e},=\xC3\xA9"}});
    CHECK(exposition.text() ==
          "# HELP g h\n# TYPE g gauge\ng{route=\"/a\\\\b\\\"c\\nd{e},=\xC3\xA9\"} 1\n");
  }

  TEST_CASE("a label without a value is none") {
    Exposition exposition;
    exposition.family("g", Type::Gauge, "h");
    exposition.sample(std::uint64_t{1}, {{"host", ""}, {"route", "/"}});
    exposition.sample(std::uint64_t{2}, {{"host", ""}});
    CHECK(exposition.text() == "# HELP g h\n# TYPE g gauge\ng{route=\"/\"} 1\ng 2\n");
  }

  TEST_CASE("a fraction keeps its digits") {
    Exposition exposition;
    exposition.family("g", Type::Gauge, "h");
    exposition.sample(1'700'000'000.125);
    exposition.sample(0.0, {{"a", "b"}});
    CHECK(exposition.text() == "# HELP g h\n# TYPE g gauge\ng 1700000000.125\ng{a=\"b\"} 0\n");
  }

  TEST_CASE("a histogram is cumulative over all its parts, and its last bucket is its count") {
    proxy::LatencyHistogram one;
    proxy::LatencyHistogram other;
    one.observe(0ms);
    one.observe(1ms);  // a bound is in its bucket
    other.observe(1ms + 1ns);
    other.observe(10s);
    Exposition exposition;
    exposition.family("g_seconds", Type::Histogram, "h");
    const std::array<const proxy::LatencyHistogram*, 2> parts{&one, &other};
    exposition.histogram(parts, {{"worker", "0"}});
    CHECK(exposition.text() ==
          "# HELP g_seconds h\n# TYPE g_seconds histogram\n"
          "g_seconds_bucket{worker=\"0\",le=\"0.001\"} 2\n"
          "g_seconds_bucket{worker=\"0\",le=\"0.005\"} 3\n"
          "g_seconds_bucket{worker=\"0\",le=\"0.025\"} 3\n"
          "g_seconds_bucket{worker=\"0\",le=\"0.1\"} 3\n"
          "g_seconds_bucket{worker=\"0\",le=\"0.5\"} 3\n"
          "g_seconds_bucket{worker=\"0\",le=\"2.5\"} 3\n"
          "g_seconds_bucket{worker=\"0\",le=\"+Inf\"} 4\n"
          "g_seconds_sum{worker=\"0\"} 10.002000001\n"
          "g_seconds_count{worker=\"0\"} 4\n");
  }

  TEST_CASE("a histogram without labels has those of its buckets alone") {
    const proxy::LatencyHistogram histogram;
    Exposition exposition;
    exposition.family("g", Type::Histogram, "h");
    const auto* part = &histogram;
    exposition.histogram({&part, 1});
    CHECK(exposition.text().contains("g_bucket{le=\"0.001\"} 0\n"));
    CHECK(exposition.text().contains("g_sum 0\ng_count 0\n"));
  }
}
