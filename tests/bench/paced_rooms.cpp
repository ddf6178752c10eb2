#include "tests/bench/paced_rooms.h"

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "tests/bench/joins.h"
#include "tests/bench/latencies.h"
#include "tests/bench/stages.h"

namespace tests::bench {

namespace {

std::vector<Messages> messages_of(const PacedRoomsSettings& settings) {
  const RunSettings& run = settings.rooms.run;
  std::vector<Messages> messages;
  for (std::uint32_t room = 0; room < settings.count; ++room) {
    const Publication publication{.protocol = settings.rooms.protocol,
                                  .room = paced_room_name(room),
                                  .from = subject_of(settings.rooms, room),
                                  .octets = run.message_octets};
    messages.emplace_back(sent_layout(publication), received_layout(publication), 1);
  }
  return messages;
}

// Publication n is message n / rooms of room n modulo rooms.
class PacedRooms : public Crowd::Observer {
 public:
  PacedRooms(std::uint32_t rooms, double publications_per_second)
      : rooms_(rooms), interval_ns_(to_ns(1 / publications_per_second)) {}

  // Publishes what is due, waits for the next, until `end_ns`.
  void keep(Crowd& crowd, std::int64_t end_ns) {
    for (std::int64_t now = now_ns(); now < end_ns && crowd.fault_count() == 0; now = now_ns()) {
      first_due_ns_ = first_due_ns_ == 0 ? now : first_due_ns_;
      while (due_ns_of(published_) <= now) {
        publish(crowd);
      }
      crowd.turn(due_ns_of(published_) - now_ns());
    }
  }

  // From here on latencies are taken.
  void begin() { measured_from_ = published_; }

  std::uint64_t deliveries() const { return deliveries_; }
  Latencies& latencies() { return latencies_; }

  void on_echoes(Client& client, std::uint32_t messages) override {
    const std::int64_t now = now_ns();
    deliveries_ += messages;
    for (std::uint32_t sequence = client.echoed - messages; sequence != client.echoed; ++sequence) {
      const std::uint64_t publication = std::uint64_t{sequence} * rooms_ + client.index % rooms_;
      if (publication >= measured_from_) {
        latencies_.add(now - due_ns_of(publication));
      }
    }
  }

 private:
  void publish(Crowd& crowd) {
    const std::size_t room = published_ % rooms_;
    for (std::size_t i = room; i < crowd.clients().size(); i += rooms_) {
      crowd.expect(crowd.clients()[i], 1);
    }
    crowd.publish(crowd.clients()[room], static_cast<std::uint32_t>(published_ / rooms_), 1);
    ++published_;
  }

  std::int64_t due_ns_of(std::uint64_t publication) const {
    return first_due_ns_ + static_cast<std::int64_t>(publication) * interval_ns_;
  }

  const std::uint32_t rooms_;
  const std::int64_t interval_ns_;
  std::int64_t first_due_ns_ = 0;
  std::uint64_t published_ = 0;
  std::uint64_t measured_from_ = 0;
  std::uint64_t deliveries_ = 0;
  Latencies latencies_;
};

std::expected<void, std::string> fill(Crowd& crowd, const PacedRoomsSettings& settings) {
  if (!crowd.open_all(now_ns() + open_ns_max)) {
    return faults_of(crowd);
  }
  const RoomOf room_of = [&settings](const Client& client, std::size_t number) {
    const auto room = static_cast<std::uint32_t>(client.index % settings.count);
    return number == 0 ? std::optional{paced_room_name(room)} : std::nullopt;
  };
  return join_all(crowd, settings.rooms.protocol, room_of, JoinAnswers::Joined);
}

}  // namespace

std::string paced_room_name(std::uint32_t room) { return fmt::format("t{}:main", room); }

RunOutcome run_paced_rooms(const PacedRoomsSettings& settings) {
  const RunSettings& run = settings.rooms.run;
  if (settings.count > run.clients) {
    return std::unexpected("there are more rooms than members");
  }
  std::vector<Messages> messages = messages_of(settings);
  PacedRooms rooms{settings.count, run.messages_per_second};
  Crowd crowd{run.target, messages, rooms, run.clients, run.waiting};
  if (const auto filled = fill(crowd, settings); !filled) {
    return std::unexpected(filled.error());
  }
  rooms.keep(crowd, now_ns() + to_ns(run.warm_up_seconds));
  say_established(crowd);
  rooms.begin();
  const Window window{run, rooms.deliveries()};
  rooms.keep(crowd, now_ns() + to_ns(run.seconds));
  RunResult result = window.end(rooms.deliveries());
  const RunOutcome finished = finish(crowd, result);
  if (!finished) {
    return finished;
  }
  take_latencies(rooms.latencies(), result);
  return result;
}

}  // namespace tests::bench
