#include "gateway/redis_session_store.h"

#include <utility>

#include <fmt/format.h>

#include "auth/session_record.h"

namespace gateway {
namespace {

// What PTTL says instead of a time.
constexpr std::int64_t never_ends = -1;
constexpr std::int64_t not_there = -2;

// One octet more than a record may have, so that one that is too long shows.
const std::string& last_octet() {
  static const std::string text = fmt::to_string(auth::session_record_octets_max);
  return text;
}

}  // namespace

class RedisSessionStore::Asked final : public Inquiry {
 public:
  Asked(RedisSessionStore& store, std::uint64_t question) : store_(store), question_(question) {}
  ~Asked() override { store_.waiting_.erase(question_); }

 private:
  RedisSessionStore& store_;
  const std::uint64_t question_;
};

RedisSessionStore::RedisSessionStore(proxy::Timers& timers, proxy::FlushList& flushes,
                                     proxy::Dialer& dialer, const SessionRedis& redis, Audit& audit,
                                     WorkerCounters& counters)
    : timers_(timers),
      redis_(redis),
      audit_(audit),
      counters_(counters),
      client_(timers, flushes, dialer, redis.server, redis.timeout, *this) {
  client_.start();
}

// GETRANGE, so that Redis sends no more of a record than is read. PTTL before it: where the record
// goes between the two, it is gone.
std::unique_ptr<Inquiry> RedisSessionStore::ask(std::string_view id, Asker& asker) {
  const std::string key = redis_.prefix + std::string(id);
  const auto question = ++latest_;
  const bool sent = client_.ask({"PTTL", key}, [this, question](const auto* reply) {
    on_time_to_live(question, reply);
  }) && client_.ask({"GETRANGE", key, "0", last_octet()}, [this, question](const auto* reply) {
    on_record(question, reply);
  });
  if (!sent) {
    counters_.session_asked(Answer::Kind::Away);
    return nullptr;
  }
  waiting_.emplace(question, Waiting{&asker, timers_.now().monotonic});
  return std::make_unique<Asked>(*this, question);
}

void RedisSessionStore::on_time_to_live(std::uint64_t question, const proxy::RedisReply* reply) {
  const auto waiting = waiting_.find(question);
  if (waiting == waiting_.end() || !reply) return;
  waiting->second.time_to_live = reply->integer();
  if (const auto error = reply->error()) report(*error);
}

void RedisSessionStore::on_record(std::uint64_t question, const proxy::RedisReply* reply) {
  const auto found = waiting_.find(question);
  if (found == waiting_.end()) return;  // whoever asked has left
  const Waiting waiting = found->second;
  waiting_.erase(found);
  const auto answer = read(waiting, reply);
  counters_.session_asked(answer.kind);
  counters_.session_answers.observe(timers_.now().monotonic - waiting.since);
  waiting.asker->on_session(answer);
}

SessionStore::Answer RedisSessionStore::read(const Waiting& waiting,
                                             const proxy::RedisReply* reply) {
  if (!reply) return {Answer::Kind::Away};
  const auto record = reply->text();
  if (const auto error = reply->error()) report(*error);
  if (!record || !waiting.time_to_live) return {Answer::Kind::Away};
  if (record->empty() || *waiting.time_to_live == not_there) return {Answer::Kind::Missing};
  Answer answer{Answer::Kind::Found, *record};
  if (*waiting.time_to_live != never_ends) answer.time_to_live.emplace(*waiting.time_to_live);
  return answer;
}

// Once, not for each question.
void RedisSessionStore::report(std::string_view refused) {
  if (refused == refused_) return;
  refused_ = refused;
  audit_.session_store_away(proxy::show_redis_url(redis_.server), refused);
}

void RedisSessionStore::on_away(std::string_view reason) {
  refused_.clear();
  audit_.session_store_away(proxy::show_redis_url(redis_.server), reason);
}

void RedisSessionStore::on_back() {
  audit_.session_store_back(proxy::show_redis_url(redis_.server));
}

}  // namespace gateway
