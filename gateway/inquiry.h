// What a client waits for that only somebody else can answer, later and from the loop. Destroying
// it takes the question back: whoever asked hears no more of it.
#pragma once

namespace gateway {

class Inquiry {
 public:
  Inquiry(const Inquiry&) = delete;
  Inquiry& operator=(const Inquiry&) = delete;
  virtual ~Inquiry() = default;

 protected:
  Inquiry() = default;
};

}  // namespace gateway
