// Where an application keeps its login sessions. Another kind of store is one more class.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "gateway/inquiry.h"

namespace gateway {

class SessionStore {
 public:
  static constexpr std::size_t answers = 3;  // kinds of them

  struct Answer {
    enum class Kind : std::uint8_t {
      Found,
      Missing,
      Away,  // nobody can say
    };
    Kind kind = Kind::Away;
    std::string_view record = {};  // of Found; cut off somewhere beyond session_record_octets_max
    std::optional<std::chrono::milliseconds> time_to_live = {};  // of Found; none: kept for ever
  };

  class Asker {
   public:
    // From the loop, once for each ask() unless its Inquiry is gone before. What is viewed is good
    // until the call returns.
    virtual void on_session(const Answer& answer) = 0;

   protected:
    ~Asker() = default;
  };

  virtual ~SessionStore() = default;  // after every Inquiry

  // `id`: signed by the application (auth/session_cookie.h). Null: away, or too many questions wait
  // already.
  virtual std::unique_ptr<Inquiry> ask(std::string_view id, Asker& asker) = 0;
};

}  // namespace gateway
