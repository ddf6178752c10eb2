// The clients of a worker that are counted over all instances (CONTRACT section 2, `scope:
// global`), and who of them waits to hear whether there is room.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "gateway/shared_letters.h"

namespace gateway {

class Counting final : public CountedPort {
 public:
  class Asker {
   public:
    // From the loop, once for each count() unless its Ticket is gone before.
    virtual void on_counted(bool within) = 0;

   protected:
    ~Asker() = default;
  };

  // A client is counted as long as this is there. Not after its Counting.
  class Ticket {
   public:
    Ticket(Counting& counting, std::uint64_t id) : counting_(counting), id_(id) {}
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    ~Ticket() { counting_.release(id_); }

   private:
    Counting& counting_;
    const std::uint64_t id_;
  };

  explicit Counting(unsigned worker) : worker_(worker) {}

  void join(CountsPort& port) { port_ = &port; }  // before count(); outlives the last letter
  void stop() { port_ = nullptr; }                // what is released from here on nobody is told

  // `key`: shared_key().
  std::unique_ptr<Ticket> count(Asker& asker, std::string key, std::uint32_t connections_max);

  bool post(Counted counted) override;

 private:
  void release(std::uint64_t id);

  const unsigned worker_;
  CountsPort* port_ = nullptr;
  std::uint64_t latest_ = 0;
  std::unordered_map<std::uint64_t, Asker*> waiting_;
};

}  // namespace gateway
