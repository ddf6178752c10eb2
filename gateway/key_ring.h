// A worker's KnownKeys, and its clients whose tokens name a key that is not among them: they wait
// while it is looked for where the authenticator's keys come from. Keys change between two events
// of the worker, never while one is verified with.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "gateway/known_keys.h"
#include "proxy/timers.h"

namespace gateway {

class KeyRing {
 public:
  // Asks the thread that fetches for a key that this authenticator's tokens name. Each time is
  // answered by news of it, at the latest when no more come of what is being fetched.
  using Ask = std::function<void(const std::shared_ptr<const Authenticator>&)>;

  KeyRing(proxy::Timers& timers, Ask ask);
  KeyRing(const KeyRing&) = delete;
  KeyRing& operator=(const KeyRing&) = delete;

  // Who waits for keys. The ring outlives it. How many there are is bounded by those of whom they
  // are a part.
  class Waiter {
   public:
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

   protected:
    Waiter() = default;
    ~Waiter() { stop_waiting(); }
    void stop_waiting();

   private:
    friend class KeyRing;
    virtual void on_keys() = 0;  // once for each wait_for(): it may wait again

    std::list<Waiter*>* among_ = nullptr;  // null: it does not wait
    std::list<Waiter*>::iterator place_;
  };

  const KnownKeys& known() const { return known_; }

  // Asks for a key that this authenticator's tokens name, if that is of use. False: there will be
  // no news of it.
  bool look_for(const Authenticator& authenticator);

  // False: there is nothing to wait for. `on_keys` comes from the loop and never from here.
  bool wait_for(const Authenticator& authenticator, Waiter& waiter);

  void learn(KeyNews news);  // from the loop

  // Another policy is in force, and this is all that is known of the keys of its authenticators.
  // Whoever waits is woken, to ask by it. From the loop.
  void adopt(std::vector<KeyNews> news);

 private:
  // A flood of tokens with keys that do not exist is answered by the slice, so that it delays
  // nobody else.
  static constexpr std::size_t woken_per_turn = 64;

  struct Queue {
    std::list<Waiter*> waiters;
    std::size_t due = 0;  // of them, from the front: to be woken
    bool asked = false;   // and no news since
  };

  void wake();

  KnownKeys known_;
  Ask ask_;
  std::map<const Authenticator*, Queue> queues_;
  proxy::Timers& timers_;
  proxy::Timer next_turn_;
};

}  // namespace gateway
