#include "gateway/stored_script.h"

#include <utility>
#include <vector>

namespace gateway {

StoredScript::StoredScript(proxy::Timers& timers, proxy::Store& store, Audit& audit,
                           std::string_view what, std::string_view text, Observer& observer)
    : store_(store),
      audit_(audit),
      what_(what),
      text_(text),
      observer_(observer),
      retry_(timers, [this] { load(); }) {}

void StoredScript::on_up() {
  up_ = true;
  load();
}

void StoredScript::on_down() {
  up_ = reloaded_ = false;
  retry_.disarm();
  set_usable(false);
}

// Not taken: there is too much that waits for Redis already.
void StoredScript::load() {
  const bool asked = store_.ask({"SCRIPT", "LOAD", text_},
                                [this](const proxy::RedisReply* reply) { on_loaded(reply); });
  if (!asked) retry_.arm(retry_after);
}

void StoredScript::on_loaded(const proxy::RedisReply* reply) {
  if (!reply) return;  // on_down() follows
  if (const auto error = reply->error()) return refuse(*error);
  const auto digest = reply->text();
  if (!digest) return refuse("bad_reply");
  digest_ = *digest;
  set_usable(true);
}

bool StoredScript::run(std::span<const std::string_view> keys,
                       std::span<const std::string_view> arguments, proxy::Store::Answer answer) {
  if (!usable_) return false;
  const std::string count = std::to_string(keys.size());
  std::vector<std::string_view> command{"EVALSHA", digest_, count};
  command.insert(command.end(), keys.begin(), keys.end());
  command.insert(command.end(), arguments.begin(), arguments.end());
  return store_.ask(command, [this, answer = std::move(answer)](const auto* reply) mutable {
    const auto error = reply ? reply->error() : std::nullopt;
    if (error) on_error(*error);
    if (reply && !error) on_success();
    answer(error ? nullptr : reply);
  });
}

void StoredScript::on_success() {
  reloaded_ = false;
  if (!std::exchange(refused_, {}).empty()) audit_.sharing_back(what_);
}

// Those that were asked before the first of them was refused have errors too.
void StoredScript::on_error(std::string_view error) {
  if (!up_ || !usable_) return;
  // Once: where it is forgotten as soon as it is loaded, loading it again is no way.
  if (error != "NOSCRIPT" || std::exchange(reloaded_, true)) return refuse(error);
  set_usable(false);
  load();
}

void StoredScript::refuse(std::string_view reason) {
  if (refused_ != reason) {
    refused_ = reason;
    audit_.sharing_refused(what_, refused_);
  }
  retry_.arm(retry_after);
  set_usable(false);
}

void StoredScript::set_usable(bool usable) {
  if (std::exchange(usable_, usable) == usable) return;
  usable ? observer_.on_usable() : observer_.on_useless();
}

}  // namespace gateway
