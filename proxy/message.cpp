#include "proxy/message.h"

#include <cstring>

#include "proxy/utf8.h"

namespace proxy {

namespace {

void copy_unmasked(std::string_view octets, const FrameHeader& header, std::uint64_t offset,
                   char* out) {
  if (header.masked) return unmask(octets, header.masking_key, offset % 4, out);
  std::memcpy(out, octets.data(), octets.size());
}

}  // namespace

std::string_view unmasked_copy(std::string_view payload, const FrameHeader& header) {
  thread_local std::string copy;
  if (copy.size() < payload.size() + message_padding_octets) {
    copy.resize(payload.size() + message_padding_octets);
  }
  copy_unmasked(payload, header, 0, copy.data());
  return {copy.data(), payload.size()};
}

void MessageAssembly::append(std::string_view octets, const FrameHeader& header,
                             std::uint64_t offset) {
  payload_.resize(size_ + octets.size() + message_padding_octets);
  copy_unmasked(octets, header, offset, payload_.data() + size_);
  size_ += octets.size();
}

}  // namespace proxy
