// The admin API as a table (CONTRACT section 6): which method and path is answered by whom. What is
// let in at all, admin_request.h says; how it comes in and goes out, admin.h.
//
// A row whose answer is text that is made at once:
//   api.add({"GET", "/metrics", answer_with("text/plain; version=0.0.4", [] { return text; })});
// and one that asks others first:
//   api.add({"POST", "/v1/revocations", [](AdminCall call, AdminReply reply) { … }});
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/address.h"

namespace gateway {

// A whole answer.
struct AdminAnswer {
  int status = 200;
  std::string content;
  std::string_view content_type = "application/json";  // of static life
  std::vector<std::pair<std::string_view, std::string>> fields = {};
};

// {"error":"…"}; `what` says nothing of the request but what is known to be harmless.
AdminAnswer admin_error(int status, std::string_view what);

// The parameters behind the '?', decoded. None is there twice.
class AdminQuery {
 public:
  static constexpr std::size_t parameters_max = 16;

  bool add(std::string name, std::string value);  // false: it is there, or there are too many
  const std::string* find(std::string_view name) const;  // null: it was not given

  // A parameter that a row does not know is a mistake, and would have no effect.
  bool only(std::initializer_list<std::string_view> known) const;

 private:
  std::vector<std::pair<std::string, std::string>> parameters_;
};

// What a row is told of a request.
struct AdminCall {
  std::vector<std::string> captured;  // what each {…} of the row's path stands for, decoded
  AdminQuery query;
  std::string body;  // said to be JSON, and not read yet; empty: there was none
  proxy::IpAddress peer;
};

// Answers a call: once, on the thread of the admin listener, from within the handler or later.
// Where nobody waits for it any more it does nothing. It may travel through other threads; dropped,
// or too late, the request ends with 503.
using AdminReply = std::move_only_function<void(AdminAnswer)>;

using AdminHandler = std::function<void(AdminCall, AdminReply)>;

// For what can be said at once.
AdminHandler answer_with(std::string_view content_type, std::function<std::string()> content);

struct AdminRow {
  std::string_view method;  // GET answers HEAD too
  std::string_view path;    // "/v1/rooms/{room}/messages": {…} is one segment, and not empty
  AdminHandler handler;
  bool needs_token = true;  // where the policy has one; of all rows of a path alike
};

class AdminApi {
 public:
  // Views of static life.
  void add(AdminRow row) { rows_.push_back(std::move(row)); }

  struct Match {
    const AdminRow* row = nullptr;      // null: none, or none of that method
    std::vector<std::string> captured;  // of the row
    std::string allow;                  // the methods of the path (RFC 9110 section 10.2.1)
    bool needs_token = true;            // of the path; also of one that is none
  };
  // `segments`: of the path, decoded.
  Match find(std::string_view method, const std::vector<std::string>& segments) const;

 private:
  std::vector<AdminRow> rows_;
};

}  // namespace gateway
