#include "gateway/inbox.h"

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/loop.h"
#include "tests/fakes/room_member.h"

using namespace gateway;
using tests::frame;

namespace {

struct Reader final : Port<ToWorker> {
  std::vector<ToWorker> read;
  std::function<void()> when_read = [] {};

  bool post(ToWorker letter) override {
    read.push_back(std::move(letter));
    when_read();
    return true;
  }
};

struct OneInbox {
  proxy::Loop loop;
  proxy::Mailbox mailbox{loop};
  Reader reader;
  Inbox<ToWorker> inbox;

  explicit OneInbox(std::size_t octets_max) : inbox(mailbox, reader, octets_max) {}

  // Lets the reader read what waits.
  void run() {
    mailbox.post([this] { loop.stop(); });
    loop.run();
  }

  bool post(std::string_view octets) { return inbox.post(Publication{{1, 1}, frame(octets)}); }
};

constexpr std::size_t publication_octets = sizeof(ToWorker);  // of an empty frame

}  // namespace

TEST_SUITE("inbox") {
  TEST_CASE("letters are read in the order posted, from the loop") {
    OneInbox box(1'000);
    box.inbox.post(Subscribed{{1, 1}, {2, 1}, true});
    CHECK(box.post("1"));
    box.inbox.post(Starved{{1, 1}});
    CHECK(box.reader.read.empty());
    box.run();
    REQUIRE(box.reader.read.size() == 3);
    CHECK(std::holds_alternative<Subscribed>(box.reader.read[0]));
    CHECK(*std::get<Publication>(box.reader.read[1]).frame == "1");
    CHECK(std::holds_alternative<Starved>(box.reader.read[2]));
  }

  TEST_CASE("publications wait up to the bound, what they share counted for each") {
    OneInbox box(3 * (publication_octets + 10));
    const auto shared = frame("0123456789");
    for (int i = 0; i < 3; ++i) CHECK(box.inbox.post(Publication{{1, 1}, shared}));
    CHECK_FALSE(box.inbox.post(Publication{{1, 1}, shared}));
    CHECK_FALSE(box.post(""));  // a frame of no octets waits as a letter does
    box.run();
    CHECK(box.reader.read.size() == 3);
    for (int i = 0; i < 3; ++i) CHECK(box.post("0123456789"));
    CHECK_FALSE(box.post(""));
  }

  TEST_CASE("control letters are never refused, and take no publication's place") {
    OneInbox box(publication_octets);
    for (int i = 0; i < 100; ++i) CHECK(box.inbox.post(Starved{{1, 1}}));
    CHECK(box.post(""));
    CHECK_FALSE(box.post(""));
    CHECK(box.inbox.post(Starved{{1, 1}}));
  }

  TEST_CASE("one that is longer than the bound is refused") {
    OneInbox box(publication_octets + 9);
    CHECK_FALSE(box.post("0123456789"));
    CHECK(box.post("012345678"));
  }

  TEST_CASE("what is being read still waits, and what its reading posts comes after it") {
    OneInbox box(2 * publication_octets);
    int posted = 0;
    box.reader.when_read = [&] { posted += box.reader.read.size() == 1 && box.post(""); };
    CHECK(box.post(""));
    box.run();
    CHECK(posted == 1);
    box.run();
    CHECK(box.reader.read.size() == 2);

    box.reader.read.clear();
    CHECK(box.post(""));
    CHECK(box.post(""));
    posted = 0;
    box.run();
    CHECK(posted == 0);  // the two were both counted until their iteration was over
    CHECK(box.post(""));
  }

  TEST_CASE("a long batch is read in parts, an iteration each, in order") {
    OneInbox box(inbox_octets_max);
    std::size_t in_one_iteration = 0;
    SUBCASE("by octets") {
      const std::string half(inbox_octets_per_iteration / 2, 'x');
      for (int i = 0; i < 5; ++i) CHECK(box.post(half));
      in_one_iteration = 2;
    }
    SUBCASE("by letters") {
      for (std::size_t i = 0; i < 2 * inbox_letters_per_iteration + 1; ++i) {
        CHECK(box.inbox.post(Starved{{static_cast<std::uint32_t>(i), 1}}));
      }
      in_one_iteration = inbox_letters_per_iteration;
    }
    box.run();
    CHECK(box.reader.read.size() == in_one_iteration);
    CHECK(box.inbox.post(Subscribed{{1, 1}, {2, 1}, true}));  // comes behind them all
    box.run();
    CHECK(box.reader.read.size() == 2 * in_one_iteration);
    CHECK_FALSE(std::holds_alternative<Subscribed>(box.reader.read.back()));
    box.run();
    box.run();
    REQUIRE(box.reader.read.size() == 2 * in_one_iteration + 2);
    CHECK(std::holds_alternative<Subscribed>(box.reader.read.back()));
  }

  TEST_CASE("what nobody reads any more may be dropped with it") {
    OneInbox box(1'000);
    CHECK(box.post("1"));
    CHECK(box.post("2"));
  }
}
