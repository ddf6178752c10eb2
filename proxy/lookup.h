// The addresses of a server's name, looked up off the loop.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "proxy/address.h"
#include "proxy/loop.h"

namespace proxy {

// Destroying it gives it up; nothing is called then.
class Lookup {
 public:
  static constexpr std::size_t addresses_max = 4;  // of one name, in the resolver's order

  using OnFound = std::move_only_function<void(std::vector<IpAddress>)>;  // empty: none found

  // `on_found` is called once, from the loop and never from here.
  Lookup(Loop& loop, const std::string& name, OnFound on_found);
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

 private:
  struct Request;  // owned by libuv while it is under way

  Loop& loop_;
  OnFound on_found_;
  Request* request_ = nullptr;
  Timer failed_;  // due at once: where not even the asking succeeded
};

}  // namespace proxy
