#include "gateway/exposition.h"

#include <array>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace gateway {
namespace {

std::string_view name_of(Exposition::Type type) {
  switch (type) {
    case Exposition::Type::Counter:
      return "counter";
    case Exposition::Type::Gauge:
      return "gauge";
    case Exposition::Type::Histogram:
      return "histogram";
  }
  return "untyped";
}

// In quotes a line feed, a backslash and the quote itself are escaped, and nothing else is.
void append_label_value(std::string& text, std::string_view value) {
  for (const char octet : value) {
    switch (octet) {
      case '\n':
        text += "\\n";
        break;
      case '\\':
      case '"':
        text += '\\';
        [[fallthrough]];
      default:
        text += octet;
    }
  }
}

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

void Exposition::family(std::string_view name, Type type, std::string_view help) {
  name_ = name;
  type_ = type;
  help_ = help;
  header_written_ = false;
}

void Exposition::sample(std::uint64_t value, Labels labels) {
  begin_sample({}, labels);
  finish_sample(value);
}

void Exposition::sample(double value, Labels labels) {
  begin_sample({}, labels);
  finish_sample(value);
}

// Buckets are cumulative, and the last of them, which everything is in, is the count.
void Exposition::histogram(std::span<const proxy::LatencyHistogram* const> parts, Labels labels) {
  std::uint64_t count = 0;
  std::chrono::nanoseconds sum{0};
  for (const auto* part : parts) sum += part->sum();
  for (std::size_t bucket = 0; bucket < proxy::LatencyHistogram::buckets; ++bucket) {
    for (const auto* part : parts) count += part->count(bucket);
    const bool last = bucket == proxy::LatencyHistogram::bounds.size();
    begin_sample(
        "_bucket", labels,
        last ? "+Inf" : fmt::format("{}", seconds(proxy::LatencyHistogram::bounds[bucket])));
    finish_sample(count);
  }
  begin_sample("_sum", labels);
  finish_sample(seconds(sum));
  begin_sample("_count", labels);
  finish_sample(count);
}

// `bound`: of a bucket; empty: it is none.
void Exposition::begin_sample(std::string_view suffix, Labels labels, std::string_view bound) {
  write_header();
  text_.append(name_).append(suffix);
  char before = '{';
  const auto append = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    text_ += before;
    text_.append(name).append("=\"");
    append_label_value(text_, value);
    text_ += '"';
    before = ',';
  };
  for (const auto& [name, value] : labels) append(name, value);
  append("le", bound);
  if (before == ',') text_ += '}';
}

void Exposition::finish_sample(std::uint64_t value) {
  fmt::format_to(std::back_inserter(text_), " {}\n", value);
}

void Exposition::finish_sample(double value) {
  fmt::format_to(std::back_inserter(text_), " {}\n", value);
}

void Exposition::write_header() {
  if (std::exchange(header_written_, true)) return;
  fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name_, help_, name_,
                 name_of(type_));
}

}  // namespace gateway
