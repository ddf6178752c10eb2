#include "gateway/exchange.h"

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>
#include <variant>

#include "gateway/room_key.h"
#include "proxy/frame.h"
#include "proxy/frame_writer.h"

namespace gateway {
namespace {

// Of a whole frame that we wrote, unmasked: the text in it.
std::string_view text_in(std::string_view frame) {
  proxy::FrameHeader header;
  const auto header_octets = proxy::parse_frame_header(frame, false, header);
  assert(header_octets && *header_octets > 0);
  return frame.substr(*header_octets);
}

}  // namespace

void Exchange::join_bus(proxy::Bus& bus, std::string_view prefix, WhenDown when_down,
                        Audit& audit) {
  outside_ = std::make_unique<Outside>(bus, prefix, when_down, audit);
  note_away();
  set_refusing(refusing());
  bus.start(*this);
}

bool Exchange::post(ToExchange letter) {
  std::visit([this](auto& received) { read(received); }, letter);
  return true;
}

// --- who is where ---

void Exchange::read(const Subscribe& letter) {
  auto& port = *workers_[letter.worker];
  if (refusing()) {
    port.post(Subscribed{letter.room, {}, false});
    return;
  }
  auto [room, added] = rooms_.find_or_add(letter.key);
  room->subscribers.push_back({letter.worker, letter.room});
  if (added) {
    counts_.rooms.add(1);
    if (outside_) outside_->bus.subscribe(outside_->channel(room->key));
    room->confirmed = !outside_ || !outside_->bus.confirms();
    if (!room->confirmed) outside_->pending.push_back(room->id);
  }
  if (!room->confirmed) return;
  // Last: a worker on this thread may answer with letters of its own at once, and end the room.
  port.post(Subscribed{letter.room, room->id, true});
}

void Exchange::read(const Unsubscribe& letter) {
  Room* room = rooms_.find(letter.key);
  if (!room) return;
  std::erase_if(room->subscribers, [&](const Subscriber& subscriber) {
    return subscriber.worker == letter.worker && subscriber.room == letter.room;
  });
  if (!room->subscribers.empty()) return;
  const auto ended = end(*room);
  if (!outside_) return;
  outside_->bus.unsubscribe(outside_->channel(ended->key));
  forget_settled();
}

void Exchange::on_subscribed(std::string_view channel, bool confirmed) {
  if (Room* room = room_on(channel)) confirmed ? confirm(*room) : refuse(*room);
  forget_settled();
}

// Answers come in the order of the questions; a room that is gone needs none.
void Exchange::forget_settled() {
  auto& pending = outside_->pending;
  const auto settled = [this](ExchangeRoomId id) {
    const Room* room = rooms_.find(id);
    return !room || room->confirmed;
  };
  while (!pending.empty() && settled(pending.front())) pending.pop_front();
}

Exchange::Room* Exchange::room_on(std::string_view channel) const {
  const std::string_view prefix = outside_->channel_prefix;
  return channel.starts_with(prefix) ? rooms_.find(channel.substr(prefix.size())) : nullptr;
}

std::unique_ptr<Exchange::Room> Exchange::end(Room& room) {
  counts_.rooms.add(-1);
  return rooms_.take(room);
}

// Whoever is told on this thread may leave, join and publish: the room may be gone after it, and
// its list another.
void Exchange::confirm(Room& room) {
  if (std::exchange(room.confirmed, true)) return;
  const auto id = room.id;
  const auto told = room.subscribers;
  for (const auto& subscriber : told) {
    workers_[subscriber.worker]->post(Subscribed{subscriber.room, id, true});
  }
}

// The room ends here; who joins it again asks again. Members who were told that they are in it have
// to hear that they hear nothing.
void Exchange::refuse(Room& room) {
  const auto refused = end(room);
  for (auto& subscriber : refused->subscribers) {
    if (!refused->confirmed) {
      workers_[subscriber.worker]->post(Subscribed{subscriber.room, {}, false});
    } else if (!subscriber.starved) {
      starve(subscriber);
    }
  }
}

// --- publications ---

void Exchange::read(Publish& letter) {
  counts_.published.add();
  Room* room = std::visit([this](const auto& which) { return rooms_.find(which); }, letter.room);
  if (!alone()) return publish(room, letter);
  if (room) deliver(*room, letter.frame);
}

bool Exchange::alone() const { return !outside_ || (outside_->bus.away() && !refusing()); }

void Exchange::publish(const Room* room, Publish& letter) {
  const auto* key = room ? &room->key : std::get_if<std::string>(&letter.room);
  if (!key) return;  // the room of a number that is gone: so is whoever published there
  if (!send(*key, *letter.frame)) return lose(std::move(letter.publisher));
  outside_->unanswered.push_back({std::move(letter.publisher), nullptr});
}

bool Exchange::send(std::string_view key, std::string_view frame) {
  const auto text = text_in(frame);
  return text.size() <= bus_text_octets_max && outside_->bus.publish(outside_->channel(key), text);
}

void Exchange::publish(std::string_view key, proxy::SharedOctets frame, Answer answer) {
  counts_.published.add();
  if (alone()) {
    if (Room* room = rooms_.find(key)) deliver(*room, frame);
    return answer(outside_ ? Reached::ThisInstance : Reached::Everyone);
  }
  if (!send(key, *frame)) {
    lose(nullptr);
    return answer(Reached::Nobody);
  }
  outside_->unanswered.push_back({nullptr, std::make_unique<Answer>(std::move(answer))});
}

void Exchange::on_published(bool arrived) {
  auto [publisher, answer] = std::move(outside_->unanswered.front());
  outside_->unanswered.pop_front();
  if (!arrived) lose(std::move(publisher));
  if (answer) (*answer)(arrived ? Reached::Everyone : Reached::Nobody);
}

void Exchange::lose(std::unique_ptr<Publisher> publisher) {
  counts_.lost.add();
  if (!publisher) return;
  auto& port = *workers_[publisher->worker];
  port.post(Unpublished{std::move(publisher)});
}

void Exchange::on_publication(std::string_view channel, std::string_view text) {
  Room* room = room_on(channel);
  if (!room) return;  // it has been left, and this was on its way
  if (!is_message(room_in(room->key), text)) return counts_.invalid.add();
  counts_.received.add();
  deliver(*room, proxy::share(proxy::write_frame(proxy::Role::Server, proxy::Opcode::Text, text)));
}

// Whoever can write to Redis can speak (SECURITY 23): in the channel's own room, and nothing that
// members would take for the gateway's word.
bool Exchange::is_message(std::string_view room, std::string_view text) {
  if (text.size() > bus_text_octets_max) return false;
  auto& padded = outside_->padded;
  padded.reserve(text.size() + EnvelopeReader::padding_octets);
  padded = text;
  return outside_->reader.read_from_bus(padded) == room;
}

// A worker on this thread only queues what it gets: the list stays as it is meanwhile.
void Exchange::deliver(Room& room, const proxy::SharedOctets& frame) {
  if (!room.confirmed) return;  // nobody is in it yet
  const auto since = std::chrono::steady_clock::now();
  for (Subscriber& subscriber : room.subscribers) {
    if (!subscriber.starved &&
        workers_[subscriber.worker]->post(Publication{subscriber.room, frame, since})) {
      continue;
    }
    counts_.dropped.add();
    if (!subscriber.starved) starve(subscriber);
  }
}

// Told once: what a worker that does not read is told must not pile up either.
void Exchange::starve(Subscriber& subscriber) {
  subscriber.starved = true;
  workers_[subscriber.worker]->post(Starved{subscriber.room});
}

// --- the bus comes and goes ---

bool Exchange::refusing() const {
  return outside_ && outside_->when_down == WhenDown::Refuse && outside_->bus.away();
}

void Exchange::set_refusing(bool on) {
  if (outside_->when_down != WhenDown::Refuse) return;
  refuses_.store(on, std::memory_order_relaxed);
  for (auto* worker : workers_) worker->post(Refusing{on});
}

void Exchange::note_away() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  counts_.bus_up.set(0);
  counts_.bus_away_since_ms.set(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

void Exchange::on_away(std::string_view reason) {
  if (bus_up()) note_away();
  outside_->audit.redis_away(reason);
  set_refusing(true);
  settle_pending();
}

// Joins that wait are answered as those that come from now on.
void Exchange::settle_pending() {
  for (const auto id : std::exchange(outside_->pending, {})) {
    Room* room = rooms_.find(id);
    if (!room || room->confirmed) continue;
    if (!refusing()) {
      confirm(*room);
      continue;
    }
    outside_->bus.unsubscribe(outside_->channel(room->key));
    refuse(*room);
  }
}

void Exchange::on_back() {
  counts_.bus_up.set(1);
  counts_.bus_returns.add();
  outside_->audit.redis_back(lost());
  set_refusing(false);
}

}  // namespace gateway
