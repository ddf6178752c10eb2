// A SessionStore that is the test: what is asked waits there until the test answers it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "gateway/session_store.h"

namespace tests {

struct ScriptedSessionStore final : gateway::SessionStore {
  std::vector<std::string> asked;  // ids, those that were refused not among them
  bool open = true;
  Asker* asker = nullptr;  // who waits: one at a time

  struct Asked final : gateway::Inquiry {
    explicit Asked(ScriptedSessionStore& its) : store(its) {}
    ~Asked() override { store.asker = nullptr; }
    ScriptedSessionStore& store;
  };
  std::unique_ptr<gateway::Inquiry> ask(std::string_view id, Asker& its) override {
    if (!open) return nullptr;
    REQUIRE_FALSE(asker);
    asked.emplace_back(id);
    asker = &its;
    return std::make_unique<Asked>(*this);
  }

  void answer(const Answer& answer) {
    REQUIRE(asker);
    asker->on_session(answer);
  }
  void find(std::string_view record, std::optional<std::chrono::milliseconds> time_to_live = {}) {
    answer({Answer::Kind::Found, record, time_to_live});
  }
  void miss() { answer({Answer::Kind::Missing}); }
  void go_away() { answer({Answer::Kind::Away}); }
};

}  // namespace tests
