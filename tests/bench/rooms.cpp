#include "tests/bench/rooms.h"

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include <fmt/core.h>

#include "tests/bench/echoes.h"
#include "tests/bench/joins.h"
#include "tests/bench/latencies.h"
#include "tests/bench/stages.h"

namespace tests::bench {

namespace {

constexpr const char* the_room = "r";
constexpr const char* bystanders_room = "elsewhere";

// Publications that are due at the same time, at most.
constexpr std::uint32_t due_at_once_max = 64;

bool joins_by_message(const RoomSettings& settings) {
  return settings.protocol != RoomProtocol::Nchan;
}

Target target_of(const RoomSettings& settings) {
  Target target = settings.run.target;
  target.first_path = settings.publisher_path;
  if (settings.protocol == RoomProtocol::SocketIo) {
    target.greeting = engine_open;
  }
  return target;
}

std::size_t clients_of(const RoomSettings& settings) {
  return settings.run.clients + (joins_by_message(settings) ? 0 : 1);
}

Messages messages_of(const Publication& publication, std::uint32_t frames_max,
                     std::uint32_t rooms = 1) {
  return {sent_layout(publication), received_layout(publication), frames_max, rooms};
}

Messages messages_of(const RoomSettings& settings, std::uint32_t frames_max) {
  return messages_of({.protocol = settings.protocol,
                      .room = the_room,
                      .from = subject_of(settings, 0),
                      .octets = settings.run.message_octets},
                     frames_max);
}

// One room with its members. Client 0 publishes.
class Room {
 public:
  Room(Crowd& crowd, const RoomSettings& settings)
      : crowd_(crowd),
        protocol_(settings.protocol),
        members_(crowd.clients()),
        publisher_is_member_(joins_by_message(settings)) {
    if (!publisher_is_member_) {
      members_ = members_.subspan(1);
    }
  }

  std::expected<void, std::string> fill() {
    if (!crowd_.open_all(now_ns() + open_ns_max)) {
      return faults_of(crowd_);
    }
    if (!publisher_is_member_) {
      return {};
    }
    if (protocol_ == RoomProtocol::SocketIo) {
      if (const auto connected = connect_sockets(); !connected) {
        return connected;
      }
    }
    const RoomOf room_of = [](const Client&, std::size_t number) {
      return number == 0 ? std::optional<std::string>{the_room} : std::nullopt;
    };
    return join_all(crowd_, protocol_, room_of, JoinAnswers::Joined);
  }

  void publish(std::uint32_t messages) {
    Client& publisher = crowd_.clients().front();
    for (Client& member : members_) {
      crowd_.expect(member, messages);
    }
    for (std::uint32_t i = 0; i < messages && !publisher_is_member_; ++i) {
      crowd_.expect_text(publisher, std::string{nchan_published});
    }
    crowd_.publish(publisher, published_, messages);
    published_ += messages;
  }

  std::size_t members() const { return members_.size(); }

 private:
  std::expected<void, std::string> connect_sockets() {
    for (Client& client : crowd_.clients()) {
      crowd_.say(client, socket_connect);
      crowd_.expect_text(client, std::string{socket_connected});
    }
    return await_echoes(crowd_, now_ns() + open_ns_max);
  }

  Crowd& crowd_;
  RoomProtocol protocol_;
  std::span<Client> members_;
  bool publisher_is_member_;
  std::uint32_t published_ = 0;
};

// Keeps so many publications under way.
class FanOut : public Crowd::Observer {
 public:
  explicit FanOut(std::uint32_t in_flight) : delivered_(in_flight) {}

  void begin(Room& room) {
    room_ = &room;
    running_ = true;
    room.publish(static_cast<std::uint32_t>(delivered_.size()));
  }
  void stop() { running_ = false; }
  std::uint64_t deliveries() const { return deliveries_; }

  void on_echoes(Client& client, std::uint32_t messages) override {
    deliveries_ += messages;
    std::uint32_t complete = 0;
    for (std::uint32_t sequence = client.echoed - messages; sequence != client.echoed; ++sequence) {
      std::size_t& delivered = delivered_[sequence % delivered_.size()];
      if (++delivered == room_->members()) {
        delivered = 0;
        ++complete;
      }
    }
    if (complete > 0 && running_) {
      room_->publish(complete);
    }
  }

 private:
  // Of publication n, to how many members: at n modulo the number under way.
  std::vector<std::size_t> delivered_;
  Room* room_ = nullptr;
  bool running_ = false;
  std::uint64_t deliveries_ = 0;
};

class PacedFanOut : public Crowd::Observer {
 public:
  explicit PacedFanOut(double publications_per_second)
      : interval_ns_(to_ns(1 / publications_per_second)) {}

  // Publishes what is due, waits for the next, until `end_ns`.
  void keep(Crowd& crowd, Room& room, std::int64_t end_ns) {
    for (std::int64_t now = now_ns(); now < end_ns && crowd.fault_count() == 0; now = now_ns()) {
      next_due_ns_ = next_due_ns_ == 0 ? now : next_due_ns_;
      std::uint32_t due = 0;
      for (; next_due_ns_ <= now && due < due_at_once_max; next_due_ns_ += interval_ns_) {
        due_ns_.push_back(next_due_ns_);
        ++due;
      }
      if (due > 0) {
        room.publish(due);
      }
      crowd.turn(next_due_ns_ - now_ns());
    }
  }

  std::uint64_t deliveries() const { return deliveries_; }
  Latencies& latencies() { return latencies_; }

  void on_echoes(Client& client, std::uint32_t messages) override {
    const std::int64_t now = now_ns();
    deliveries_ += messages;
    for (std::uint32_t sequence = client.echoed - messages; sequence != client.echoed; ++sequence) {
      latencies_.add(now - due_ns_[sequence]);
    }
  }

 private:
  std::vector<std::int64_t> due_ns_;  // by publication
  Latencies latencies_;
  std::int64_t interval_ns_;
  std::int64_t next_due_ns_ = 0;
  std::uint64_t deliveries_ = 0;
};

std::string room_of_publisher(std::size_t client) { return fmt::format("c{}-", client); }

// Of each publisher, since its room and its name stand in them.
std::vector<Messages> make_messages(const PublishSettings& settings) {
  std::vector<Messages> messages;
  const RunSettings& run = settings.rooms.run;
  for (std::size_t i = 0; i < run.clients; ++i) {
    messages.push_back(messages_of({.protocol = settings.rooms.protocol,
                                    .room = room_of_publisher(i),
                                    .numbered = true,
                                    .from = subject_of(settings.rooms, i),
                                    .octets = run.message_octets},
                                   run.in_flight, settings.published_each));
  }
  return messages;
}

RoomOf rooms_of(const PublishSettings& settings) {
  return [&settings](const Client& client, std::size_t number) -> std::optional<std::string> {
    const bool publishes = client.index < settings.rooms.run.clients;
    if (number >= (publishes ? settings.rooms_each : 1)) {
      return std::nullopt;
    }
    return publishes ? room_of_publisher(client.index) +
                           room_number_text(static_cast<std::uint32_t>(number))
                     : bystanders_room;
  };
}

}  // namespace

std::string subject_of(const RoomSettings& settings, std::size_t client) {
  const std::size_t tokens = std::max<std::size_t>(settings.run.target.tokens.size(), 1);
  return settings.subject_prefix + std::to_string(client % tokens);
}

RunOutcome run_fan_out(const RoomSettings& settings) {
  Messages messages = messages_of(settings, settings.run.in_flight);
  FanOut fan_out{settings.run.in_flight};
  Crowd crowd{
      target_of(settings), {&messages, 1}, fan_out, clients_of(settings), settings.run.waiting};
  Room room{crowd, settings};
  if (const auto filled = room.fill(); !filled) {
    return std::unexpected(filled.error());
  }
  fan_out.begin(room);
  const RunResult result =
      measure(crowd, settings.run, [&fan_out] { return fan_out.deliveries(); });
  fan_out.stop();
  return finish(crowd, result);
}

RunOutcome run_paced_fan_out(const RoomSettings& settings) {
  Messages messages = messages_of(settings, due_at_once_max);
  PacedFanOut fan_out{settings.run.messages_per_second};
  Crowd crowd{
      target_of(settings), {&messages, 1}, fan_out, clients_of(settings), settings.run.waiting};
  Room room{crowd, settings};
  if (const auto filled = room.fill(); !filled) {
    return std::unexpected(filled.error());
  }
  fan_out.keep(crowd, room, now_ns() + to_ns(settings.run.warm_up_seconds));
  fan_out.latencies().forget();
  const Window window{settings.run, fan_out.deliveries()};
  fan_out.keep(crowd, room, now_ns() + to_ns(settings.run.seconds));
  RunResult result = window.end(fan_out.deliveries());
  take_latencies(fan_out.latencies(), result);
  return finish(crowd, result);
}

RunOutcome run_publish(const PublishSettings& settings) {
  const RunSettings& run = settings.rooms.run;
  std::vector<Messages> messages = make_messages(settings);
  Echoes publications;
  Crowd crowd{run.target, messages, publications, run.clients + settings.bystanders, run.waiting};
  if (!crowd.open_all(now_ns() + open_ns_max)) {
    return faults_of(crowd);
  }
  if (const auto joined =
          join_all(crowd, settings.rooms.protocol, rooms_of(settings), JoinAnswers::Joined);
      !joined) {
    return std::unexpected(joined.error());
  }
  publications.begin(crowd, std::span{crowd.clients()}.first(run.clients), run.in_flight);
  const RunResult result = measure(crowd, run, [&publications] { return publications.count(); });
  publications.stop();
  return finish(crowd, result);
}

RunOutcome run_idle_members(const RoomSettings& settings) {
  Messages messages = messages_of(settings, std::max<std::uint32_t>(settings.run.in_flight, 1));
  Crowd::Observer nothing;
  Crowd crowd{
      target_of(settings), {&messages, 1}, nothing, clients_of(settings), settings.run.waiting};
  const Window window{settings.run, 0};
  Room room{crowd, settings};
  if (const auto filled = room.fill(); !filled) {
    return std::unexpected(filled.error());
  }
  if (settings.run.in_flight > 0) {
    room.publish(settings.run.in_flight);
  }
  if (const auto delivered = await_echoes(crowd, now_ns() + open_ns_max); !delivered) {
    return std::unexpected(delivered.error());
  }
  hold_until_input_ends(crowd);
  return finish(crowd, window.end(settings.run.clients));
}

RunOutcome run_room_echo(const RunSettings& settings, bool joins) {
  // What comes back has no `from`: it is the backend that says it, not another member.
  Messages messages = messages_of(
      {.protocol = RoomProtocol::Guide, .room = the_room, .octets = settings.message_octets},
      settings.in_flight);
  Echoes echoes;
  Crowd crowd{settings.target, {&messages, 1}, echoes, settings.clients, settings.waiting};
  if (!crowd.open_all(now_ns() + open_ns_max)) {
    return faults_of(crowd);
  }
  const RoomOf room_of = [joins](const Client&, std::size_t number) {
    return joins && number == 0 ? std::optional<std::string>{the_room} : std::nullopt;
  };
  if (const auto joined =
          join_all(crowd, RoomProtocol::Guide, room_of, JoinAnswers::JoinedThenEcho);
      !joined) {
    return std::unexpected(joined.error());
  }
  echoes.begin(crowd, crowd.clients(), settings.in_flight);
  const RunResult result = measure(crowd, settings, [&echoes] { return echoes.count(); });
  echoes.stop();
  return finish(crowd, result);
}

}  // namespace tests::bench
