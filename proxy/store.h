// What the instances of a gateway keep together in Redis, besides what they say to each other over
// the Bus: asked for by commands, pipelined on the bus's one command connection.
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>

#include "proxy/redis_reply.h"

namespace proxy {

class Store {
 public:
  // Part of an instance that has its share in what is kept. Called from the loop, never from within
  // a call of the Store.
  class Resident {
   public:
    // Of texts that are for it, subscribed before all others; empty: there are none. Without
    // permission for it there is no bus.
    virtual std::string_view channel() const = 0;
    virtual void on_text(std::string_view text) = 0;

    // The store can be asked, and what is said on the channel is heard from here on. The bus is not
    // back before settled() has been called, once, then or later.
    virtual void on_up() = 0;

    // After on_up(), and after the answers to what has none. Texts that were on their way may still
    // be heard.
    virtual void on_down() = 0;

   protected:
    ~Resident() = default;
  };

  // To the question's own asker. Null: the connection was lost, and whether the command was carried
  // out is not known. The reply is good until the call returns, and may be an error.
  using Answer = std::move_only_function<void(const RedisReply* reply)>;

  virtual ~Store() = default;

  virtual void attach(Resident& resident) = 0;  // before the bus starts; outlives it
  virtual void settled() = 0;                   // by a resident, once after each on_up()

  // By a resident that cannot go on: the bus goes away and comes back anew. `reason`: a word for
  // the log.
  virtual void give_up(std::string_view reason) = 0;

  // Commands are carried out in the order asked, also among the Bus's publications. False: away, or
  // too much waits for an answer already; it was not sent and has no answer.
  [[nodiscard]] virtual bool ask(std::span<const std::string_view> command, Answer answer) = 0;
  [[nodiscard]] bool ask(std::initializer_list<std::string_view> command, Answer answer) {
    return ask(std::span(command.begin(), command.size()), std::move(answer));
  }
};

}  // namespace proxy
