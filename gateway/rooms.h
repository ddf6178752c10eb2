// Who is in which room on this worker: joins and leaves, publications out and in. On the worker's
// thread alone; what the other workers have to do with it goes through the Exchange.
//
// Between Joined, or on_joined(confirmed), and leaving, a member gets every publication of the room
// once, in the one order that all members on all workers get them in, and nothing before it. A
// member's own publications come back to it in that order too.
//
// A join, a leave and a lookup cost the same however many rooms there are; a publication costs what
// its room's members on this worker cost, and is one letter to the Exchange.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/room_letters.h"
#include "gateway/room_table.h"
#include "proxy/counter.h"
#include "proxy/octets.h"

namespace gateway {

class Rooms final : public WorkerPort {
  struct Room;
  struct Registration;

 public:
  // One member in one room: 16 octets here and 16 in the room. Kept by the Member.
  class Membership {
   public:
    std::string_view key() const;  // of the room; until the member leaves it
    bool joined() const;           // false: the answer is pending

   private:
    friend class Rooms;
    Room* room_;
    std::uint32_t seat_;
  };

  // What a member is told comes from the loop, but for deliver() and on_unpublished(), which may
  // come from its own publish() too. Destroyed, it has left its rooms.
  class Member {
   public:
    Member();
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    // A publication of the room. To be queued: within this call nobody joins, leaves or is
    // destroyed.
    virtual void deliver(std::string_view key, const proxy::SharedOctets& frame) = 0;

    // Answers a join() that said Pending. Not confirmed: it is in that room no more.
    virtual void on_joined(std::string_view key, bool confirmed) = 0;

    // More publications waited for this worker than it may leave unread, and one of this room was
    // dropped. Nobody is left with a gap that it does not know of: the member has been taken out of
    // the room and has to be told.
    virtual void on_starved(std::string_view key) = 0;

    // A publication of its own that was taken is lost; `id` as it gave it to publish(). It may have
    // left the room since, but not all of them by leave_all().
    virtual void on_unpublished(std::string_view key, std::string_view id) = 0;

    // Those joined and those pending, in no order. Until the next join or leave.
    std::span<const Membership> memberships() const { return memberships_; }

   protected:
    ~Member();

   private:
    friend class Rooms;
    std::vector<Membership> memberships_;
    std::unique_ptr<Registration> registration_;  // null: it published nothing that might be lost
  };

  // `worker`: the number that the Exchange knows it by. `losing`: publications may be lost after
  // they were taken, and then whose they are is told.
  Rooms(unsigned worker, ExchangePort& exchange, bool losing = false)
      : worker_(worker), losing_(losing), exchange_(exchange) {}
  Rooms(const Rooms&) = delete;
  Rooms& operator=(const Rooms&) = delete;
  ~Rooms();  // after its members

  enum class Join : std::uint8_t { Joined, Pending, Refused };
  Join join(Member& member, std::string_view key);  // a member already: as it is, again

  // Gives up a pending join too. Not a member: nothing.
  void leave(Member& member, std::string_view key);
  // `membership` is one of the member's; in its place is its last one afterwards.
  void leave(Member& member, const Membership& membership);
  void leave_all(Member& member);

  // None: neither joined nor pending. Reads the shorter of the two lists, the room's members or
  // the member's rooms, which the policy bounds by rooms_per_connection. Until the next join or
  // leave of the member.
  const Membership* find(const Member& member, std::string_view key) const;

  // `frame`: the encoded frame that all members get; `id`: for on_unpublished(). False: the
  // Exchange has too much waiting, or refuses, and nobody gets it.
  [[nodiscard]] bool publish(const Membership& membership, proxy::SharedOctets frame,
                             std::string_view id = {});                         // joined
  [[nodiscard]] bool publish(std::string_view key, proxy::SharedOctets frame);  // by a non-member

  std::size_t rooms() const { return rooms_.size(); }
  std::size_t members(std::string_view key) const;  // that have joined

  // For going through the rooms: each has one place, below places(), as long as it lives.
  struct Listed {
    std::string_view key;
    std::size_t members;  // that have joined
  };
  std::size_t places() const { return rooms_.slots(); }
  std::optional<Listed> at(std::size_t place) const;  // none: there is none

  // From any thread: members of all rooms; publications, once for each member that they were handed
  // to, and the octets of their frames.
  std::uint64_t memberships() const { return static_cast<std::uint64_t>(memberships_.value()); }
  std::uint64_t deliveries() const { return delivered_.messages.value(); }
  std::uint64_t delivered_octets() const { return delivered_.octets.value(); }

  // From any thread: from when the Exchange handed a publication out to when the last member here
  // had it in its queue.
  const proxy::LatencyHistogram& delivery_durations() const { return delivery_durations_; }

  // At the end of the process, after the loop's last run: from here on nothing is said to the
  // Exchange, so that workers and their members may be destroyed in any order.
  void stop() { stopped_ = true; }

  bool post(ToWorker letter) override;  // from the Exchange

 private:
  // A member in the room's list, and which of the member's own list this is.
  struct Seat {
    Member* member;
    std::uint32_t membership;
  };

  // Of a member, so that what is lost finds it as long as it is there.
  struct Registration {
    Registration(Rooms& owner, std::uint64_t given) : rooms(owner), number(given) {}
    ~Registration() { rooms.publishers_.erase(number); }
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;

    Rooms& rooms;
    const std::uint64_t number;
  };

  // Whether it is confirmed, its exchange_room says. Seats of those who have joined come first,
  // then those who have not been told yet: these get no publications. A room that has ended is no
  // longer in the table, and its members are being told.
  struct Room : TabledRoom<Rooms> {
    Rooms* rooms = nullptr;
    ExchangeRoomId exchange_room;
    std::uint32_t joined = 0;
    bool ended = false;
    std::vector<Seat> seats;

    bool confirmed() const { return exchange_room != ExchangeRoomId{}; }
    Member* unseat_last();  // null: there is none
    void swap_seats(std::uint32_t a, std::uint32_t b);
    void remove_seat(std::uint32_t seat);
  };

  void read(const Subscribed& letter);
  void read(const Publication& letter);
  void read(const Starved& letter);
  void read(const Unpublished& letter);
  void read(const Refusing& letter) { refusing_ = letter.on; }

  std::unique_ptr<Publisher> publisher(const Membership& membership, std::string_view id);

  static const Membership* find(const Member& member, const Room& room);
  void seat(Member& member, Room& room);
  void unseat(Member& member, const Membership& membership);
  std::unique_ptr<Room> end(Room& room);
  void end_if_empty(Room& room);
  void say(ToExchange letter);

  const unsigned worker_;
  const bool losing_;
  ExchangePort& exchange_;
  RoomTable<Room, Rooms> rooms_;
  std::unordered_map<std::uint64_t, Member*> publishers_;  // by their Registration's number
  std::uint64_t publisher_number_ = 0;                     // the latest
  bool refusing_ = false;
  bool delivering_ = false;
  bool stopped_ = false;
  proxy::Gauge memberships_;
  proxy::TrafficCounters delivered_;
  proxy::LatencyHistogram delivery_durations_;
};

}  // namespace gateway
