#include "gateway/worker_counters.h"

#include <algorithm>

#include <fmt/format.h>

#include "gateway/conversation.h"
#include "gateway/refusal.h"

namespace gateway {
namespace {

using namespace std::string_view_literals;

// "other": what a backend chose to refuse with.
constexpr std::array answer_words{"101"sv, "400"sv, "401"sv, "403"sv, "404"sv, "408"sv, "426"sv,
                                  "429"sv, "431"sv, "502"sv, "503"sv, "504"sv, "none"sv};

constexpr std::array own_answer_words{"201"sv, "204"sv, "400"sv, "401"sv, "403"sv,
                                      "404"sv, "405"sv, "408"sv, "411"sv, "413"sv,
                                      "415"sv, "429"sv, "503"sv, "none"sv};

// RFC 6455 section 7.4.1, the IANA registry, and CONTRACT section 4; "none": without a Close.
constexpr std::array close_words{"1000"sv, "1001"sv, "1002"sv, "1003"sv, "1005"sv, "1007"sv,
                                 "1008"sv, "1009"sv, "1010"sv, "1011"sv, "1012"sv, "1013"sv,
                                 "1014"sv, "4401"sv, "4403"sv, "4408"sv, "4410"sv, "4429"sv,
                                 "3xxx"sv, "4xxx"sv, "none"sv};

// Applications may close with any of 2 000 codes of their own (RFC 6455 section 7.4.2).
std::string_view class_of(std::uint16_t code) {
  if (code == 0) return "none";
  return code < 4'000 ? "3xxx" : "4xxx";
}

void add_status(WordCounters& words, int status) {
  const fmt::format_int text(status);
  words.add(status == 0 ? "none"sv : std::string_view(text.data(), text.size()));
}

template <typename Enum>
std::size_t index_of(Enum value) {
  return static_cast<std::size_t>(value);
}

}  // namespace

WordCounters::WordCounters(std::span<const std::string_view> words)
    : words_(words), counts_(std::make_unique<proxy::Counter[]>(words.size() + 1)) {}

void WordCounters::add(std::string_view word) {
  const auto known = std::ranges::find(words_, word);
  counts_[static_cast<std::size_t>(known - words_.begin())].add();
}

WorkerCounters::WorkerCounters()
    : answers(answer_words),
      own_answers(own_answer_words),
      refusals(refusal_reasons()),
      messages_refused(message_refusal_reasons()),
      joins(join_outcomes()),
      closes{WordCounters(close_words), WordCounters(close_words), WordCounters(close_words)} {}

void WorkerCounters::answered(int status) { add_status(answers, status); }

void WorkerCounters::served(int status) { add_status(own_answers, status); }

void WorkerCounters::limit_hit(AuditedLimit limit, LimitAction action) {
  limits[index_of(limit)][index_of(action)].add();
}

void WorkerCounters::session_asked(SessionStore::Answer::Kind answer) {
  session_questions[index_of(answer)].add();
}

void WorkerCounters::closed(ClosedBy by, std::uint16_t code) {
  const fmt::format_int text(code);
  const std::string_view word(text.data(), text.size());
  const bool known = std::ranges::find(close_words, word) != close_words.end();
  closes[index_of(by)].add(known ? word : class_of(code));
}

}  // namespace gateway
