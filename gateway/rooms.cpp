#include "gateway/rooms.h"

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>

namespace gateway {
namespace {

// A list that was long once gives its memory back: at a quarter, down to half, so that the copying
// is paid for by those who left.
template <typename T>
void shrink_if_sparse(std::vector<T>& list) {
  constexpr std::size_t kept = 16;
  if (list.capacity() <= kept || list.size() > list.capacity() / 4) return;
  std::vector<T> smaller;
  smaller.reserve(list.capacity() / 2);
  smaller.assign(list.begin(), list.end());
  list = std::move(smaller);
}

}  // namespace

std::string_view Rooms::Membership::key() const { return room_->key; }

bool Rooms::Membership::joined() const { return seat_ < room_->joined; }

Rooms::Member::Member() = default;

Rooms::Member::~Member() {
  if (!memberships_.empty()) memberships_.back().room_->rooms->leave_all(*this);
}

Rooms::~Rooms() { assert(rooms_.size() == 0); }

Rooms::Join Rooms::join(Member& member, std::string_view key) {
  assert(!delivering_);
  if (refusing_ && !find(member, key)) return Join::Refused;
  auto [room, added] = rooms_.find_or_add(key);
  if (added) {
    room->rooms = this;
    const WorkerRoomId id = room->id;
    say(Subscribe{worker_, id, room->key});  // an Exchange on this thread answers within the call
    if (!rooms_.find(id)) return Join::Refused;
  } else if (const auto* known = find(member, *room)) {
    return known->joined() ? Join::Joined : Join::Pending;
  }
  seat(member, *room);
  return member.memberships_.back().joined() ? Join::Joined : Join::Pending;
}

void Rooms::leave(Member& member, std::string_view key) {
  if (const auto* membership = find(member, key)) leave(member, *membership);
}

void Rooms::leave(Member& member, const Membership& membership) {
  assert(!delivering_);
  Room& room = *membership.room_;
  unseat(member, membership);
  end_if_empty(room);
}

void Rooms::leave_all(Member& member) {
  while (!member.memberships_.empty()) leave(member, member.memberships_.back());
  member.registration_.reset();
}

const Rooms::Membership* Rooms::find(const Member& member, std::string_view key) const {
  const Room* room = rooms_.find(key);
  return room ? find(member, *room) : nullptr;
}

const Rooms::Membership* Rooms::find(const Member& member, const Room& room) {
  const auto& own = member.memberships_;
  if (own.size() <= room.seats.size()) {
    const auto found = std::ranges::find(own, &room, &Membership::room_);
    return found == own.end() ? nullptr : &*found;
  }
  const auto found = std::ranges::find(room.seats, &member, &Seat::member);
  return found == room.seats.end() ? nullptr : &own[found->membership];
}

bool Rooms::publish(const Membership& membership, proxy::SharedOctets frame, std::string_view id) {
  assert(membership.joined() && !delivering_);
  if (refusing_) return false;
  auto publisher = losing_ ? this->publisher(membership, id) : nullptr;
  return exchange_.post(
      Publish{membership.room_->exchange_room, std::move(frame), std::move(publisher)});
}

bool Rooms::publish(std::string_view key, proxy::SharedOctets frame) {
  assert(!delivering_);
  if (refusing_) return false;
  return exchange_.post(Publish{std::string(key), std::move(frame)});
}

std::size_t Rooms::members(std::string_view key) const {
  const Room* room = rooms_.find(key);
  return room ? room->joined : 0;
}

std::optional<Rooms::Listed> Rooms::at(std::size_t place) const {
  const Room* room = rooms_.in_slot(place);
  if (!room) return std::nullopt;
  return Listed{room->key, room->joined};
}

bool Rooms::post(ToWorker letter) {
  std::visit([this](const auto& received) { read(received); }, letter);
  return true;
}

void Rooms::read(const Subscribed& letter) {
  Room* room = rooms_.find(letter.room);
  if (!room) return;  // given up since
  if (!letter.confirmed) {
    const auto refused = end(*room);
    while (Member* member = refused->unseat_last()) member->on_joined(refused->key, false);
    return;
  }
  room->exchange_room = letter.exchange_room;
  if (room->seats.empty()) return;  // join() is at it
  // Whoever is told may join, leave and publish, and the room may be gone after it.
  const std::string key = room->key;
  while (room && room->joined < room->seats.size()) {
    memberships_.add(1);
    room->seats[room->joined++].member->on_joined(key, true);
    room = rooms_.find(letter.room);
  }
}

void Rooms::read(const Publication& letter) {
  Room* room = rooms_.find(letter.room);
  if (!room) return;  // everybody has left since
  delivering_ = true;
  const std::span joined(room->seats.data(), room->joined);
  for (const Seat& seat : joined) seat.member->deliver(room->key, letter.frame);
  delivering_ = false;
  delivered_.messages.add(joined.size());
  delivered_.octets.add(joined.size() * letter.frame->size());
  // The loop's clock stands still meanwhile.
  delivery_durations_.observe(std::chrono::steady_clock::now() - letter.since);
}

// The room ends here, and whoever joins it again does so by a new subscription.
void Rooms::read(const Starved& letter) {
  Room* room = rooms_.find(letter.room);
  if (!room) return;
  const auto starved = end(*room);
  say(Unsubscribe{worker_, starved->id, starved->key});
  while (Member* member = starved->unseat_last()) member->on_starved(starved->key);
}

void Rooms::read(const Unpublished& letter) {
  const auto known = publishers_.find(letter.publisher->member);
  if (known == publishers_.end()) return;  // gone since
  known->second->on_unpublished(letter.publisher->key, letter.publisher->id);
}

std::unique_ptr<Publisher> Rooms::publisher(const Membership& membership, std::string_view id) {
  Member& member = *membership.room_->seats[membership.seat_].member;
  if (!member.registration_) {
    member.registration_ = std::make_unique<Registration>(*this, ++publisher_number_);
    publishers_.emplace(publisher_number_, &member);
  }
  auto publisher = std::make_unique<Publisher>();
  *publisher = {worker_, member.registration_->number, membership.room_->key, std::string(id)};
  return publisher;
}

void Rooms::seat(Member& member, Room& room) {
  const auto seat = static_cast<std::uint32_t>(room.seats.size());
  room.seats.push_back({&member, static_cast<std::uint32_t>(member.memberships_.size())});
  Membership& membership = member.memberships_.emplace_back();
  membership.room_ = &room;
  membership.seat_ = seat;
  // While others are still being told that they are in, this one already is.
  if (!room.confirmed()) return;
  memberships_.add(1);
  room.swap_seats(seat, room.joined++);
}

void Rooms::unseat(Member& member, const Membership& membership) {
  auto& own = member.memberships_;
  const auto place = static_cast<std::uint32_t>(&membership - own.data());
  if (membership.joined()) memberships_.add(-1);
  membership.room_->remove_seat(membership.seat_);
  if (place + 1 != own.size()) {
    own[place] = own.back();
    own[place].room_->seats[own[place].seat_].membership = place;
  }
  own.pop_back();
  shrink_if_sparse(own);
}

// Out of the table, so that who joins that key from now on makes a new one.
std::unique_ptr<Rooms::Room> Rooms::end(Room& room) {
  room.ended = true;
  return rooms_.take(room);
}

void Rooms::end_if_empty(Room& room) {
  if (!room.seats.empty() || room.ended) return;
  const auto ended = end(room);
  say(Unsubscribe{worker_, ended->id, std::move(ended->key)});
}

void Rooms::say(ToExchange letter) {
  if (!stopped_) exchange_.post(std::move(letter));
}

Rooms::Member* Rooms::Room::unseat_last() {
  if (seats.empty()) return nullptr;
  const auto [member, membership] = seats.back();
  rooms->unseat(*member, member->memberships_[membership]);
  return member;
}

void Rooms::Room::swap_seats(std::uint32_t a, std::uint32_t b) {
  std::swap(seats[a], seats[b]);
  for (const auto seat : {a, b}) {
    seats[seat].member->memberships_[seats[seat].membership].seat_ = seat;
  }
}

// The last of those who have joined takes the place, and the last of all takes that one's.
void Rooms::Room::remove_seat(std::uint32_t seat) {
  if (seat < joined) {
    swap_seats(seat, --joined);
    seat = joined;
  }
  swap_seats(seat, static_cast<std::uint32_t>(seats.size() - 1));
  seats.pop_back();
  shrink_if_sparse(seats);
}

}  // namespace gateway
