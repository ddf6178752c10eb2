#include "proxy/flush_list.h"

#include <functional>
#include <memory>
#include <string>

#include <doctest/doctest.h>

namespace tests {

namespace {

class Writer final : public proxy::FlushList::Member {
 public:
  Writer(proxy::FlushList& list, char name, std::string& written)
      : Member(list), name_(name), written_(written) {}
  void ask() { flush_later(); }

  std::function<void()> before = [] {};

 private:
  void flush() override {
    before();
    written_ += name_;
  }

  char name_;
  std::string& written_;
};

struct Fixture {
  proxy::FlushList list;
  std::string written;
  Writer a{list, 'a', written};
  Writer b{list, 'b', written};
  Writer c{list, 'c', written};
};

}  // namespace

TEST_SUITE("flush list") {
  TEST_CASE_FIXTURE(Fixture, "who asked is flushed once, in the order of asking") {
    b.ask();
    a.ask();
    b.ask();
    list.flush();
    CHECK(written == "ba");
  }

  TEST_CASE_FIXTURE(Fixture, "who did not ask again is not flushed again") {
    a.ask();
    list.flush();
    list.flush();
    b.ask();
    list.flush();
    CHECK(written == "ab");
  }

  TEST_CASE_FIXTURE(Fixture, "who is asked for by one that is flushed is flushed too") {
    a.before = [&] { c.ask(), b.ask(); };
    a.ask();
    b.ask();
    list.flush();
    CHECK(written == "abc");
    list.flush();
    CHECK(written == "abc");
  }

  TEST_CASE_FIXTURE(Fixture, "who is gone is not flushed") {
    auto gone = std::make_unique<Writer>(list, 'x', written);
    gone->ask();
    a.ask();
    gone.reset();
    list.flush();
    CHECK(written == "a");
  }
}

}  // namespace tests
