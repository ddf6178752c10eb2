#include "gateway/shared_buckets.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace gateway {
namespace {

// KEYS: of buckets. ARGV, for each: permits a second, the most that it holds, what is owed, what is
// wanted. The answer, for each: what is granted, and in how many milliseconds there is a permit
// again where that is less than what is wanted.
constexpr std::string_view script = R"(
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local answer = {}
for i = 1, #KEYS do
  local rate, burst = tonumber(ARGV[4 * i - 3]), tonumber(ARGV[4 * i - 2])
  local owed, wanted = tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i])
  local permits = burst
  local kept = redis.call('GET', KEYS[i])
  if kept then
    local held, at = string.match(kept, '^(%S+) (%S+)$')
    held, at = tonumber(held), tonumber(at)
    if held and at then permits = held + math.max(0, now - at) * rate / 1000000 end
  end
  permits = math.min(burst, math.min(burst, permits) - owed)
  local granted = math.max(0, math.min(wanted, math.floor(permits)))
  permits = permits - granted
  local wait = 0
  if granted < wanted then wait = math.ceil(math.max(0, 1 - permits) / rate * 1000) end
  local full_in = math.ceil((burst - permits) / rate * 1000)
  if full_in > 0 then
    redis.call('SET', KEYS[i], string.format('%.17g %.0f', permits, now), 'PX',
               string.format('%.0f', full_in))
  else
    redis.call('DEL', KEYS[i])
  end
  answer[2 * i - 1], answer[2 * i] = granted, wait
end
return answer
)";

constexpr std::int64_t wait_ms_max = 24 * 60 * 60 * 1000;  // as a bucket of our own says at most

std::optional<Lease::Answer> answer_to(const Lease::Question& question,
                                       const proxy::RedisReply& granted,
                                       const proxy::RedisReply& wait) {
  if (!granted.integer() || !wait.integer()) return std::nullopt;
  return Lease::Answer{
      std::clamp<std::int64_t>(*granted.integer(), 0, question.wanted),
      std::chrono::milliseconds(std::clamp<std::int64_t>(*wait.integer(), 0, wait_ms_max))};
}

}  // namespace

SharedBuckets::SharedBuckets(proxy::Timers& timers, proxy::FlushList& flushes, proxy::Store& store,
                             Ledger& ledger, Audit& audit, std::string_view prefix)
    : proxy::FlushList::Member(flushes),
      timers_(timers),
      store_(store),
      ledger_(ledger),
      prefix_(fmt::format("{}:limit:", prefix)),
      script_(timers, store, audit, "messages", script, *this) {
  store.attach(*this);
}

// What is to be shared is so as soon as the script is there: nobody has to wait for it.
void SharedBuckets::on_up() {
  script_.on_up();
  store_.settled();
}

void SharedBuckets::set_sharing(bool on) {
  sharing_.store(on, std::memory_order_relaxed);
  ledger_.set_sharing(on);
}

bool SharedBuckets::post(PermitsWanted wanted) {
  wanted_.push_back(std::move(wanted));
  flush_later();
  return true;
}

void SharedBuckets::flush() {
  const auto wanted = std::exchange(wanted_, {});
  for (auto rest = std::span(wanted); !rest.empty();) {
    const auto batch = rest.first(std::min(batch_max, rest.size()));
    rest = rest.subspan(batch.size());
    ask({batch.begin(), batch.end()});
  }
}

void SharedBuckets::ask(Batch batch) {
  asked_.fetch_add(batch.size(), std::memory_order_relaxed);
  std::vector<std::string> words;  // all before any is viewed
  words.reserve(5 * batch.size());
  for (const auto& [route, key, subject_octets, limit, question] : batch) {
    words.push_back(prefix_ + key);
  }
  for (const auto& [route, key, subject_octets, limit, question] : batch) {
    words.push_back(fmt::format("{:.17g}", limit.permits_per_second));
    words.push_back(fmt::format("{:.17g}", limit.permits_max));
    words.push_back(std::to_string(question.owed));
    words.push_back(std::to_string(question.wanted));
  }
  const std::vector<std::string_view> views(words.begin(), words.end());
  const auto keys = std::span(views).first(batch.size());
  const auto arguments = std::span(views).subspan(batch.size());
  // The batch is needed for a no as well as for the answer.
  auto asked = std::make_shared<Batch>(std::move(batch));
  if (!script_.run(keys, arguments, [this, asked](const auto* reply) { read(*asked, reply); })) {
    read(*asked, nullptr);
  }
}

void SharedBuckets::read(Batch& batch, const proxy::RedisReply* reply) {
  const bool answered = reply && reply->elements() == 2 * batch.size();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    settle(batch[i], answered ? answer_to(batch[i].question, reply->at(2 * i), reply->at(2 * i + 1))
                              : std::nullopt);
  }
}

void SharedBuckets::settle(PermitsWanted& wanted, const std::optional<Lease::Answer>& answer) {
  if (!answer) unanswered_.fetch_add(1, std::memory_order_relaxed);
  const auto name = ledger_.shared_subject_name(wanted.route, wanted.subject());
  const auto more = ledger_.settle(name, wanted.limit, answer, timers_.now().monotonic);
  if (!more) return;
  wanted.question = *more;
  post(std::move(wanted));
}

}  // namespace gateway
