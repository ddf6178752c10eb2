// Text in the Prometheus exposition format, version 0.0.4: families of samples, each with one HELP
// and one TYPE line. Without I/O.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "proxy/counter.h"

namespace gateway {

inline constexpr std::string_view exposition_content_type =
    "text/plain; version=0.0.4; charset=utf-8";

class Exposition {
 public:
  enum class Type : std::uint8_t { Counter, Gauge, Histogram };

  // A value may be any text; one that is empty is no label at all, and is left out.
  struct Label {
    std::string_view name;
    std::string_view value;
  };
  using Labels = std::initializer_list<Label>;

  // The samples that follow are of this family; of one that gets none nothing is written. `name`
  // and `help` are literals of ours; a name comes once.
  void family(std::string_view name, Type type, std::string_view help);

  // No two samples of a family have the same labels.
  void sample(std::uint64_t value, Labels labels = {});
  void sample(double value, Labels labels = {});

  // Of a family that is a Histogram; the sum over all `parts` is one histogram.
  void histogram(std::span<const proxy::LatencyHistogram* const> parts, Labels labels = {});

  const std::string& text() const { return text_; }

 private:
  void begin_sample(std::string_view suffix, Labels labels, std::string_view bound = {});
  void finish_sample(std::uint64_t value);
  void finish_sample(double value);
  void write_header();

  std::string text_;
  std::string_view name_;
  std::string_view help_;
  Type type_ = Type::Counter;
  bool header_written_ = false;
};

}  // namespace gateway
