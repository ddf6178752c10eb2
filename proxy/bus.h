// Publish and subscribe between instances: texts on channels, in one order per channel for all who
// are subscribed.
#pragma once

#include <string_view>

namespace proxy {

class Bus {
 public:
  // Called from the loop, never from within a call of the Bus.
  class Observer {
   public:
    // Answers subscribe(); also when the channel is subscribed again after the bus was away.
    // Not confirmed: this channel is refused, and is subscribed no more.
    virtual void on_subscribed(std::string_view channel, bool confirmed) = 0;

    virtual void on_publication(std::string_view channel, std::string_view text) = 0;

    // Once for each publish() that was taken, in their order. False: it is not known to have
    // arrived, and is not sent again.
    virtual void on_published(bool arrived) = 0;

    // `reason`: a word for the log, until the call returns. Called again, still away, when the
    // reason is another one.
    virtual void on_away(std::string_view reason) = 0;
    virtual void on_back() = 0;  // every channel is subscribed

   protected:
    ~Observer() = default;
  };

  virtual ~Bus() = default;

  virtual void start(
      Observer& observer) = 0;    // on the loop's thread or before it runs; away so far
  virtual bool away() const = 0;  // publish() is of no use

  // Whether on_subscribed() will answer what is subscribed now, or on_away() come instead: so it is
  // shortly before the bus is back too, so that what is published then finds its subscribers.
  virtual bool confirms() const = 0;

  // Remembered while the bus is away. A channel is subscribed once at a time.
  virtual void subscribe(std::string_view channel) = 0;
  virtual void unsubscribe(std::string_view channel) = 0;

  // False: away, or about to be, or too much waits for an answer already; it was not sent.
  [[nodiscard]] virtual bool publish(std::string_view channel, std::string_view text) = 0;
};

}  // namespace proxy
