// A text with what an EnvelopeReader wants behind it: octets that would change its meaning if they
// were read.
#pragma once

#include <string>
#include <string_view>

#include "gateway/envelope.h"

class Padded {
 public:
  explicit Padded(std::string_view text) : size_(text.size()), octets_(text) {
    while (octets_.size() < size_ + gateway::EnvelopeReader::padding_octets) octets_ += "\"}]1\\";
  }
  std::string_view text() const { return {octets_.data(), size_}; }

 private:
  std::size_t size_;
  std::string octets_;
};
