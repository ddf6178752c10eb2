#include "gateway/shared_counts.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "gateway/random_text.h"

namespace gateway {
namespace {

// KEYS: of counts. ARGV: what stands before an instance's id in its key, our id, ids that are void,
// for how many milliseconds an instance lives and a count is kept; then for each count how many are
// ours, and how many there may be with those of others (0: any number). The answer: whether we
// lived, then for each count whether there are no more than that; if there are, it stays as it was.
constexpr std::string_view script = R"(
local alive, me, former = ARGV[1], ARGV[2], ARGV[3]
for id in string.gmatch(former, '%S+') do redis.call('DEL', alive .. id) end
local answer = { redis.call('EXISTS', alive .. me) }
redis.call('SET', alive .. me, '', 'PX', ARGV[4])
local lives = { [me] = true }
for i = 1, #KEYS do
  local own, most = tonumber(ARGV[4 + 2 * i]), tonumber(ARGV[5 + 2 * i])
  local all = own
  local kept = redis.call('HGETALL', KEYS[i])
  for j = 1, #kept, 2 do
    local id = kept[j]
    if lives[id] == nil then lives[id] = redis.call('EXISTS', alive .. id) == 1 end
    if not lives[id] then
      redis.call('HDEL', KEYS[i], id)
    elseif id ~= me then
      all = all + (tonumber(kept[j + 1]) or 0)
    end
  end
  local within = most == 0 or all <= most
  if within and own == 0 then
    redis.call('HDEL', KEYS[i], me)
  elseif within then
    redis.call('HSET', KEYS[i], me, own)
    redis.call('PEXPIRE', KEYS[i], ARGV[5])
  end
  answer[i + 1] = within and 1 or 0
end
return answer
)";

std::string in_milliseconds(std::chrono::milliseconds time) { return std::to_string(time.count()); }

}  // namespace

SharedCounts::SharedCounts(proxy::Timers& timers, proxy::FlushList& flushes, proxy::Store& store,
                           Audit& audit, std::string_view prefix)
    : proxy::FlushList::Member(flushes),
      timers_(timers),
      store_(store),
      alive_prefix_(fmt::format("{}:instance:", prefix)),
      count_prefix_(fmt::format("{}:connections:", prefix)),
      script_(timers, store, audit, "connections", script, *this),
      renewal_(timers, [this] { renew(); }),
      late_(timers, [this] { answer_late_ones(); }) {
  store.attach(*this);
}

// --- clients ---

bool SharedCounts::post(ToSharedCounts letter) {
  std::visit([this](const auto& received) { read(received); }, letter);
  flush_later();
  return true;
}

void SharedCounts::read(const CountWanted& letter) {
  const auto count = counts_.try_emplace(letter.key, 0).first;
  ++count->second;
  clients_.emplace(letter.id, Client{count, letter.worker, true});
  questions_.push_back({letter.id, {letter.key, count->second, letter.connections_max}});
}

void SharedCounts::read(const CountReleased& letter) {
  const auto client = clients_.find(letter.id);
  if (client != clients_.end()) drop(client);
}

void SharedCounts::drop(std::unordered_map<std::uint64_t, Client>::iterator client) {
  const auto count = client->second.count;
  clients_.erase(client);
  changed_.insert(count->first);
  if (--count->second == 0) counts_.erase(count);
  flush_later();
}

// One that has left has given its count back. One that was told that nobody can say stays, whatever
// is said now, and Redis has to know of it.
void SharedCounts::answer(std::uint64_t id, bool within) {
  const auto client = clients_.find(id);
  if (client == clients_.end()) return;
  const unsigned worker = client->second.worker;
  if (std::exchange(client->second.waits, false)) {
    if (!within) drop(client);
    workers_[worker]->post(Counted{id, within});
  } else if (!within) {
    changed_.insert(client->second.count->first);
    flush_later();
  }
}

void SharedCounts::answer_late_ones() {
  const auto now = timers_.now().monotonic;
  for (; !waiting_.empty(); waiting_.pop_front()) {
    const auto client = clients_.find(waiting_.front().id);
    if (client == clients_.end() || !client->second.waits) continue;
    if (now - waiting_.front().since < answer_late) break;
    answer(client->first, true);
  }
  if (!waiting_.empty()) late_.arm(waiting_.front().since + answer_late - now);
}

// --- what Redis is told and asked ---

// Nobody has to wait until all is written: each question says how many are ours.
void SharedCounts::on_up() {
  script_.on_up();
  store_.settled();
}

void SharedCounts::on_usable() {
  renewal_.arm(renewed_every);
  begin();
}

void SharedCounts::begin() {
  const auto id = random_hexadecimal<32>();
  if (!id_.empty()) void_ids_.push_back(id_);
  if (void_ids_.size() > void_ids_max) void_ids_.pop_front();
  id_.assign(id.data(), id.size());
  ++epoch_;
  alive_ = doubtful_ = false;
  write_all();
}

void SharedCounts::renew() {
  renewal_.arm(renewed_every);
  if (doubtful_) return begin();
  if (timers_.now().monotonic - all_written_at_ >= written_every) return write_all();
  run({}, [](const proxy::RedisReply*) {});
}

void SharedCounts::write_all() {
  all_written_at_ = timers_.now().monotonic;
  written_to_.clear();
  write_next();
}

// One batch waits for the answer to the other: questions go between them. Where it begins again
// meanwhile the two go on together, each from where the other has come to.
void SharedCounts::write_next() {
  std::vector<Entry> entries;
  auto next = counts_.upper_bound(written_to_);
  for (; next != counts_.end() && entries.size() < batch_max; ++next) {
    entries.push_back({next->first, next->second, 0});
  }
  if (entries.empty() && alive_) return;
  if (!entries.empty()) written_to_ = entries.back().key;
  run(entries, [this](const proxy::RedisReply* reply) {
    if (reply) write_next();
  });
}

// Questions first: who has left since it asked is among the changes, and those say how it is now.
void SharedCounts::flush() {
  const auto questions = std::exchange(questions_, {});
  for (auto rest = std::span(questions); !rest.empty();) {
    const auto batch = rest.first(std::min(batch_max, rest.size()));
    rest = rest.subspan(batch.size());
    ask(batch);
  }

  const auto changed = std::exchange(changed_, {});
  std::vector<Entry> entries;
  for (const auto& key : changed) {
    const auto count = counts_.find(key);
    entries.push_back({key, count == counts_.end() ? 0 : count->second, 0});
    if (entries.size() == batch_max) run(std::exchange(entries, {}), {});
  }
  if (!entries.empty()) run(entries, {});
}

void SharedCounts::ask(std::span<const Question> questions) {
  std::vector<Entry> entries;
  std::vector<std::uint64_t> ids;
  const auto now = timers_.now().monotonic;
  for (const auto& [id, entry] : questions) {
    entries.push_back(entry);
    ids.push_back(id);
    waiting_.push_back({id, now});
  }
  if (!late_.armed()) late_.arm(answer_late);
  run(entries, [this, ids = std::move(ids)](const proxy::RedisReply* reply) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      answer(ids[i], !reply || reply->at(i + 1).integer() != 0);
    }
  });
}

// Its first answer under an id says that we did not live yet; a later one that does says that Redis
// has forgotten us, or that we were given up.
void SharedCounts::run(std::span<const Entry> entries, proxy::Store::Answer on_answer) {
  std::vector<std::string> words;  // all before any is viewed
  words.reserve(5 + 3 * entries.size());
  for (const auto& entry : entries) words.push_back(count_prefix_ + entry.key);
  words.insert(words.end(), {alive_prefix_, id_, fmt::format("{}", fmt::join(void_ids_, " ")),
                             in_milliseconds(alive_for), in_milliseconds(kept_for)});
  for (const auto& entry : entries) {
    words.push_back(std::to_string(entry.own));
    words.push_back(std::to_string(entry.connections_max));
  }
  const std::vector<std::string_view> views(words.begin(), words.end());
  const auto keys = std::span(views).first(entries.size());
  const auto arguments = std::span(views).subspan(entries.size());
  const bool first = !std::exchange(alive_, true);
  auto answered = [this, first, epoch = epoch_, size = entries.size() + 1,
                   on_answer = std::move(on_answer)](const proxy::RedisReply* reply) mutable {
    if (reply && reply->elements() != size) reply = nullptr;
    if (on_answer) on_answer(reply);
    if (epoch != epoch_) return;
    if (!reply) doubtful_ = true;
    if (!reply) return;
    void_ids_.clear();
    if (!first && reply->at(0).integer() == 0) begin();
  };
  // Needed for a no as well as for the answer.
  auto shared = std::make_shared<decltype(answered)>(std::move(answered));
  if (!script_.run(keys, arguments, [shared](const auto* reply) { (*shared)(reply); })) {
    (*shared)(nullptr);
  }
}

}  // namespace gateway
