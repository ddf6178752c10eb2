#include "gateway/worker.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace gateway {

namespace {

using std::chrono::seconds;

// Where the instance is full, this many clients of a worker are still read, to be told so.
constexpr std::size_t uncounted_max = 64;

const proxy::UnixSocket& socket_of(const proxy::ListenAddress& address,
                                   std::span<const std::unique_ptr<proxy::UnixSocket>> sockets) {
  return **std::ranges::find(sockets, address.path, &proxy::UnixSocket::path);
}

}  // namespace

Worker::Worker(unsigned index, std::shared_ptr<const ServedPolicy> served, Ledger& ledger,
               const Revocations& revocations, Log& log, ExchangePort& exchange,
               KeyRing::Ask ask_for_key, std::function<void()> on_drained)
    : index_(index),
      served_(std::move(served)),
      ledger_(ledger),
      revocations_(revocations),
      audit_(log),
      refusals_(audit_),
      on_drained_(std::move(on_drained)),
      mailbox_(loop_),
      rooms_(index, exchange, served_->policy->redis.has_value()),
      counting_(index),
      depositing_(index),
      key_ring_(loop_.timers(), std::move(ask_for_key)),
      session_stores_(loop_, audit_, counters_),
      drain_(loop_.timers(), sessions_),
      second_(loop_.timers(), [this] { on_second(); }) {
  for (const auto& authenticator : authenticators_of(*served_->policy)) {
    if (authenticator->session) session_stores_.of(authenticator->session->redis);
  }
  second_.arm(seconds(1));
}

Worker::~Worker() { entrances_.clear(); }  // they hand over what they have, while there is a taker

void Worker::share(PermitsPort& permits, CountsPort& counts) {
  room_services_.permits = &permits;
  counting_.join(counts);
}

std::expected<void, std::string> Worker::listen(
    std::span<const std::unique_ptr<proxy::UnixSocket>> sockets) {
  for (const auto& [address, tls, proxied] : served_->policy->listen) {
    auto& entrance = *entrances_.emplace_back(std::make_unique<Entrance>(*this, address));
    auto listener = address.is_unix()
                        ? proxy::Listener::open(loop_, socket_of(address, sockets), entrance)
                        : proxy::Listener::open(loop_, address.socket, entrance);
    if (!listener) {
      return std::unexpected(
          fmt::format("cannot listen on {}: {}", address.to_string(), listener.error()));
    }
    entrance.listener = std::move(*listener);
  }
  return {};
}

void Worker::run() {
  loop_.run();
  refusals_.finish();
  rooms_.stop();
  counting_.stop();
}

void Worker::drain() {
  mailbox_.post([this] { on_drain(); });
}

// What it has to say is written at the end of the iteration: it stops in the next.
void Worker::stop() {
  mailbox_.post([this] {
    drain_.hasten();
    mailbox_.post([this] { loop_.stop(); });
  });
}

void Worker::survey(Survey survey) {
  mailbox_.post([this, survey = std::move(survey)]() mutable {
    if (survey({sessions_, rooms_, loop_.timers().now()})) this->survey(std::move(survey));
  });
}

void Worker::learn(KeyNews news) {
  mailbox_.post([this, news = std::move(news)]() mutable { key_ring_.learn(std::move(news)); });
}

void Worker::adopt(std::shared_ptr<const ServedPolicy> served, std::vector<KeyNews> news,
                   AdoptionAnswer answer) {
  mailbox_.post([this, served = std::move(served), news = std::move(news),
                 answer = std::move(answer)]() mutable {
    served_ = std::move(served);
    rule_of_room_.forget();
    adoptions_ = {};
    key_ring_.adopt(std::move(news));
    survey(AdoptionWalk([this, answer = std::move(answer)]() mutable { answer(adoptions_); }));
  });
}

void Worker::on_accept(const Entrance& entrance, std::unique_ptr<proxy::Transport> transport,
                       const proxy::IpAddress& peer) {
  const auto* listener = find_listener(*served_->policy, entrance.address);
  if (!listener) return;
  Admission::Host& host = *this;
  auto admission =
      std::make_unique<Admission>(host, *listener, std::move(transport), peer, ledger_.accept());
  if (!admission->counted()) ++uncounted_;
  admissions_.push_back(std::move(admission));
  admissions_.back()->place = std::prev(admissions_.end());
  make_room();
}

// Clients that dawdle before their 101 must not keep others out: the oldest goes (SECURITY 11).
void Worker::make_room() {
  if (ledger_.admitting_crowded()) admissions_.front()->give_way();
  if (uncounted_ <= uncounted_max) return;
  auto uncounted = std::ranges::find_if(admissions_, [](auto& a) { return !a->counted(); });
  if (uncounted != admissions_.end()) (*uncounted)->give_way();
}

void Worker::on_admitted(AdmittedClient client) {
  auto early_from_client = std::move(client.early_from_client);
  auto early_from_backend = std::move(client.early_from_backend);
  Session::Host& host = *this;
  auto& session = *sessions_.emplace_back(std::make_unique<Session>(host, std::move(client)));
  session.place = sessions_.size() - 1;
  session.start(early_from_client, early_from_backend);
  if (drain_.begun()) session.drain(Drain::reason());
}

void Worker::retire(Admission& admission) {
  if (!admission.counted()) --uncounted_;
  auto place = admission.place;
  loop_.retire(std::move(*place));
  admissions_.erase(place);
  check_drained();
}

void Worker::retire(Session& session) {
  auto place = session.place;
  loop_.retire(std::move(sessions_[place]));
  if (place + 1 != sessions_.size()) {
    sessions_[place] = std::move(sessions_.back());
    sessions_[place]->place = place;
  }
  sessions_.pop_back();
  check_drained();
}

void Worker::on_second() {
  second_.arm(seconds(1));
  refusals_.tick(loop_.timers().now().monotonic);
  for (auto& session : sessions_) session->check_time();
}

void Worker::on_drain() {
  if (drain_.begun()) return;
  entrances_.clear();  // each takes what the kernel has queued, so that it gets its answer
  for (auto& admission : admissions_) admission->drain();
  drain_.begin(served_->policy->drain.spread);
  check_drained();
}

void Worker::check_drained() {
  if (!drain_.begun() || drained_ || !admissions_.empty() || !sessions_.empty()) return;
  drained_ = true;
  on_drained_();
}

}  // namespace gateway
