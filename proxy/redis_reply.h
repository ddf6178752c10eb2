// What is said to a Redis and what it says: RESP2. hiredis reads it; its client is not used, which
// aborts the process at replies that it does not expect (0.14.1, async.c), cannot tell a SUBSCRIBE
// that was refused from a lost connection, and does not notice a socket that failed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct redisReader;
struct redisReply;

namespace proxy {

// An array of bulk strings: no octet of `words` means anything to the protocol.
void append_redis_command(std::string& out, std::span<const std::string_view> words);

// One reply, or one part of it. Until the next call of the reader that it came from.
class RedisReply {
 public:
  explicit RedisReply(const redisReply& raw) : raw_(&raw) {}

  std::optional<std::string_view> text() const;  // none: it is neither a string nor a status
  std::optional<std::int64_t> integer() const;
  bool list() const;             // it is an array, which may be empty; a null one is none
  std::size_t elements() const;  // 0: it is no array
  RedisReply at(std::size_t element) const;

  // Of an error its first word, such as WRONGPASS; "ERR" where that is no upper-case word. The rest
  // of it may repeat what was sent, a password too, and is for nobody. None: it is no error.
  std::optional<std::string_view> error() const;

 private:
  const redisReply* raw_;
};

class RedisReader {
 public:
  // A Redis that says more in one reply, or makes it of more parts, is left. More octets than Redis
  // lets wait for a subscriber by default (client-output-buffer-limit pubsub 32mb): a publication
  // that is too long for members ends no connection. No reply that is asked for has more than some
  // 500 parts.
  static constexpr std::size_t reply_octets_max = 33 * 1024 * 1024;
  static constexpr std::size_t elements_max = 1024;

  RedisReader();
  ~RedisReader();
  RedisReader(const RedisReader&) = delete;
  RedisReader& operator=(const RedisReader&) = delete;

  void feed(std::string_view octets);

  struct BadReply {};
  // The next whole reply, none as long as it is not all there. After BadReply: nothing any more.
  std::expected<std::optional<RedisReply>, BadReply> next();

 private:
  std::unique_ptr<redisReader, void (*)(redisReader*)> reader_;
  std::unique_ptr<redisReply, void (*)(redisReply*)> reply_;
  std::size_t reply_octets_ = 0;  // that have come of the next reply, and behind it
};

}  // namespace proxy
