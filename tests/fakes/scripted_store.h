// A Store that is the test: what is asked waits there until the test answers it.
#pragma once

#include <algorithm>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "proxy/store.h"

namespace tests {

struct ScriptedStore final : proxy::Store {
  struct Asked {
    std::vector<std::string> words;
    Answer answer;
  };
  std::vector<Resident*> residents;
  std::deque<Asked> asked;
  bool open = false;
  bool full = false;
  bool may_be_given_up = false;
  std::string given_up;  // why
  unsigned settlements = 0;

  void attach(Resident& resident) override { residents.push_back(&resident); }
  void settled() override { ++settlements; }
  void give_up(std::string_view reason) override {
    REQUIRE(may_be_given_up);
    given_up = reason;
  }
  bool ask(std::span<const std::string_view> command, Answer answer) override {
    if (!open || full) return false;
    asked.push_back({{command.begin(), command.end()}, std::move(answer)});
    return true;
  }

  void up() {
    open = true;
    for (auto* resident : residents) resident->on_up();
  }
  void down() {
    open = false;
    for (auto& each : std::exchange(asked, {})) each.answer(nullptr);
    for (auto* resident : residents) resident->on_down();
  }

  // The oldest question without an answer; empty: there is none.
  std::string next() const {
    return asked.empty() ? "" : fmt::format("{}", fmt::join(asked.front().words, " "));
  }

  // That one is answered so, as Redis writes it (RESP2).
  void answer(std::string_view reply) {
    REQUIRE_FALSE(asked.empty());
    auto question = std::move(asked.front());
    asked.pop_front();
    proxy::RedisReader reader;
    reader.feed(reply);
    const auto read = reader.next();
    REQUIRE(read);
    REQUIRE(*read);
    question.answer(&**read);
  }
  void answer_numbers(const std::vector<int>& numbers) {
    std::string reply = fmt::format("*{}\r\n", numbers.size());
    for (const int number : numbers) reply += fmt::format(":{}\r\n", number);
    answer(reply);
  }
  // To SCRIPT LOAD.
  void answer_load() {
    REQUIRE_FALSE(asked.empty());
    CHECK(asked.front().words.at(0) == "SCRIPT");
    answer("$6\r\ndigest\r\n");
  }

  // What is behind the number of keys in the oldest question, which runs the script: keys, then
  // arguments.
  std::vector<std::string> keys_asked() const {
    const auto& words = run_asked();
    return {words.begin() + 3, words.begin() + 3 + std::stoi(words.at(2))};
  }
  std::vector<std::string> arguments_asked() const {
    const auto& words = run_asked();
    return {words.begin() + 3 + std::stoi(words.at(2)), words.end()};
  }

 private:
  const std::vector<std::string>& run_asked() const {
    REQUIRE_FALSE(asked.empty());
    const auto& words = asked.front().words;
    REQUIRE(words.size() >= 3);
    CHECK(words[0] == "EVALSHA");
    CHECK(words[1] == "digest");
    return words;
  }
};

}  // namespace tests
