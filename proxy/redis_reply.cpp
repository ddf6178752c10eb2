// The one door to hiredis.
#include "proxy/redis_reply.h"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>
#include <hiredis/hiredis.h>

namespace proxy {
namespace {

constexpr std::size_t error_word_octets_max = 32;

redisReplyObjectFunctions unbounded{};

// `elements` is an int in hiredis 0.14 and a size_t in 1.x. It is what was announced: hiredis would
// allocate it before any of it has come.
template <typename Count>
void* create_array(const redisReadTask* task, Count elements) {
  if (static_cast<std::size_t>(elements) > RedisReader::elements_max) return nullptr;
  return unbounded.createArray(task, elements);
}

redisReplyObjectFunctions* bounded(const redisReplyObjectFunctions& functions) {
  static redisReplyObjectFunctions table = [&] {
    unbounded = functions;
    auto changed = functions;
    changed.createArray = &create_array;
    return changed;
  }();
  return &table;
}

}  // namespace

void append_redis_command(std::string& out, std::span<const std::string_view> words) {
  fmt::format_to(std::back_inserter(out), "*{}\r\n", words.size());
  for (const auto word : words) {
    fmt::format_to(std::back_inserter(out), "${}\r\n", word.size());
    out += word;
    out += "\r\n";
  }
}

std::optional<std::string_view> RedisReply::text() const {
  if (raw_->type != REDIS_REPLY_STRING && raw_->type != REDIS_REPLY_STATUS) return std::nullopt;
  return std::string_view(raw_->str, raw_->len);
}

std::optional<std::int64_t> RedisReply::integer() const {
  if (raw_->type != REDIS_REPLY_INTEGER) return std::nullopt;
  return raw_->integer;
}

bool RedisReply::list() const { return raw_->type == REDIS_REPLY_ARRAY; }

std::size_t RedisReply::elements() const { return list() ? raw_->elements : 0; }

RedisReply RedisReply::at(std::size_t element) const {
  assert(element < elements());
  return RedisReply(*raw_->element[element]);
}

std::optional<std::string_view> RedisReply::error() const {
  if (raw_->type != REDIS_REPLY_ERROR) return std::nullopt;
  const std::string_view said(raw_->str, raw_->len);
  const auto word = said.substr(0, said.find(' '));
  const bool named = !word.empty() && word.size() <= error_word_octets_max &&
                     std::ranges::all_of(word, [](char c) { return c >= 'A' && c <= 'Z'; });
  return named ? word : std::string_view("ERR");
}

RedisReader::RedisReader()
    : reader_(redisReaderCreate(), redisReaderFree),
      reply_(nullptr, [](redisReply* reply) { freeReplyObject(reply); }) {
  if (reader_) reader_->fn = bounded(*reader_->fn);
}

RedisReader::~RedisReader() = default;

void RedisReader::feed(std::string_view octets) {
  if (!reader_) return;
  redisReaderFeed(reader_.get(), octets.data(), octets.size());
  reply_octets_ += octets.size();
}

std::expected<std::optional<RedisReply>, RedisReader::BadReply> RedisReader::next() {
  void* reply = nullptr;
  if (!reader_ || redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) {
    return std::unexpected(BadReply{});
  }
  reply_.reset(static_cast<redisReply*>(reply));
  if (reply_) {
    reply_octets_ = reader_->len - reader_->pos;
    return RedisReply(*reply_);
  }
  // Also what hiredis has read of it already, and keeps.
  if (reply_octets_ > reply_octets_max) return std::unexpected(BadReply{});
  return std::nullopt;
}

}  // namespace proxy
