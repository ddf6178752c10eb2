// A Lua script that the instances' Redis runs for us: loaded once for each time that Redis is up,
// and again where Redis has forgotten it. Where Redis refuses it, it is of no use for a while, and
// the log says so once.
//
// On the Store's thread.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "gateway/audit.h"
#include "proxy/store.h"
#include "proxy/timers.h"

namespace gateway {

class StoredScript {
 public:
  static constexpr std::chrono::seconds retry_after{5};

  // Called from the loop, never from within a call of the script.
  class Observer {
   public:
    virtual void on_usable() = 0;
    virtual void on_useless() = 0;  // after on_usable()

   protected:
    ~Observer() = default;
  };

  // `text` and `what`, which the log calls it, are of static life; the others outlive it.
  StoredScript(proxy::Timers& timers, proxy::Store& store, Audit& audit, std::string_view what,
               std::string_view text, Observer& observer);

  // As the owner, a resident of the store, is told.
  void on_up();
  void on_down();

  // False: it was not asked, and there is no answer. To the answer null is all that is no reply of
  // the script's own.
  [[nodiscard]] bool run(std::span<const std::string_view> keys,
                         std::span<const std::string_view> arguments, proxy::Store::Answer answer);

 private:
  void load();
  void on_loaded(const proxy::RedisReply* reply);
  void on_success();
  void on_error(std::string_view error);
  void refuse(std::string_view reason);
  void set_usable(bool usable);

  proxy::Store& store_;
  Audit& audit_;
  const std::string_view what_;
  const std::string_view text_;
  Observer& observer_;
  std::string digest_;   // as Redis calls it
  std::string refused_;  // the reason that the log knows
  bool up_ = false;
  bool usable_ = false;
  bool reloaded_ = false;  // since the script ran last
  proxy::Timer retry_;
};

}  // namespace gateway
