#include "tests/bench/joins.h"

#include <vector>

#include "tests/bench/stages.h"

namespace tests::bench {

namespace {

// Of one client: a server may stop reading one that asks faster than it hears.
constexpr std::size_t under_way_max = 64;
constexpr std::int64_t join_ns_max = 60 * ns_per_second;

class Joins {
 public:
  Joins(Crowd& crowd, RoomProtocol protocol, const RoomOf& room_of, JoinAnswers answers)
      : crowd_(crowd),
        protocol_(protocol),
        room_of_(room_of),
        answers_(answers),
        begun_(crowd.clients().size()) {}

  // False: nothing is left to be sent.
  bool send_some() {
    bool some = false;
    for (Client& client : crowd_.clients()) {
      while (client.state == Client::State::Open && client.awaited.size() < under_way_max) {
        const auto room = room_of_(client, begun_[client.index]);
        if (!room) {
          break;
        }
        ++begun_[client.index];
        some = true;
        send(client, *room);
      }
    }
    return some;
  }

 private:
  void send(Client& client, const std::string& room) {
    crowd_.say(client, join_text(protocol_, room));
    crowd_.expect_text(client, joined_text(protocol_, room));
    if (answers_ == JoinAnswers::JoinedThenEcho) {
      crowd_.expect_text(client, join_text(protocol_, room));
    }
  }

  Crowd& crowd_;
  const RoomProtocol protocol_;
  const RoomOf& room_of_;
  JoinAnswers answers_;
  std::vector<std::size_t> begun_;  // by client
};

}  // namespace

std::expected<void, std::string> join_all(Crowd& crowd, RoomProtocol protocol,
                                          const RoomOf& room_of, JoinAnswers answers) {
  Joins joins{crowd, protocol, room_of, answers};
  const std::int64_t deadline_ns = now_ns() + join_ns_max;
  while (joins.send_some()) {
    if (const auto answered = await_echoes(crowd, deadline_ns); !answered) {
      return answered;
    }
  }
  return {};
}

}  // namespace tests::bench
