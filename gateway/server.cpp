#include "gateway/server.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>

#include "gateway/admin.h"
#include "gateway/admin_connections.h"
#include "gateway/admin_health.h"
#include "gateway/admin_policy.h"
#include "gateway/admin_reload.h"
#include "gateway/admin_revocations.h"
#include "gateway/admin_rooms.h"
#include "gateway/audit.h"
#include "gateway/census.h"
#include "gateway/control.h"
#include "gateway/deposits_here.h"
#include "gateway/deposits_in_redis.h"
#include "gateway/exchange.h"
#include "gateway/exit_status.h"
#include "gateway/exposition.h"
#include "gateway/fetched_keys.h"
#include "gateway/inbox.h"
#include "gateway/ledger.h"
#include "gateway/log.h"
#include "gateway/metrics.h"
#include "gateway/policy_change.h"
#include "gateway/random_text.h"
#include "gateway/reload.h"
#include "gateway/revocations.h"
#include "gateway/served_policy.h"
#include "gateway/shared_buckets.h"
#include "gateway/shared_counts.h"
#include "gateway/supervision.h"
#include "gateway/surplus_memory.h"
#include "gateway/sweeps.h"
#include "gateway/worker.h"
#include "proxy/fetch.h"
#include "proxy/listener.h"
#include "proxy/loop.h"
#include "proxy/mailbox.h"
#include "proxy/redis_bus.h"
#include "proxy/redis_dialer.h"
#include "proxy/signals.h"

namespace gateway {

namespace {

// The admin listener's clients; besides epoll, the log, Redis, names being looked up and keys being
// fetched. Of a worker: its listeners, and the clients that are told that there is no room.
constexpr rlim_t descriptors_reserved_base = 64 + Admin::connections_max;
constexpr rlim_t descriptors_reserved_per_worker = 96;

unsigned worker_count(const Policy& policy) {
  return policy.workers ? policy.workers : std::max(1u, std::thread::hardware_concurrency());
}

// The client's, and its backend's where any client may have one.
rlim_t descriptors_per_connection(const Policy& policy) {
  return std::ranges::any_of(policy.routes, [](const Route& route) { return !!route.backend; }) ? 2
                                                                                                : 1;
}

// max_connections, or what the descriptor limit has room for. The soft limit is raised as far as it
// goes first.
std::uint32_t affordable_connections(const Policy& policy, unsigned workers) {
  const std::uint32_t wanted = policy.connections_max;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur == RLIM_INFINITY) return wanted;
  auto reserved = descriptors_reserved_base + workers * descriptors_reserved_per_worker;
  auto left = limit.rlim_cur > reserved ? limit.rlim_cur - reserved : 0;
  return static_cast<std::uint32_t>(
      std::min<rlim_t>(wanted, std::max<rlim_t>(1, left / descriptors_per_connection(policy))));
}

// A login session does not say how long it may go on: whoever is revoked stays out for a day.
constexpr Milliseconds revoked_session_min = std::chrono::hours(24);

// How long a credential that is good now may be so.
Milliseconds longest_credential(const Policy& policy) {
  Milliseconds longest{0};
  for (const auto& [name, authenticator] : policy.authenticators) {
    if (authenticator->session) longest = std::max(longest, revoked_session_min);
    if (!authenticator->verifier) continue;  // no token
    const auto& rules = authenticator->verifier->rules();
    longest = std::max(longest, rules.max_lifetime + rules.leeway);
  }
  return longest;
}

std::string listen_text(const Policy& policy) {
  std::string text;
  for (const auto& listener : policy.listen) {
    if (!text.empty()) text += ", ";
    text += listener.address.to_string();
  }
  return text;
}

class Server final : private FetchedKeys::Observer {
 public:
  Server(std::shared_ptr<const Policy> policy, Environment environment);

  std::expected<void, std::string> listen();
  void run();

 private:
  std::expected<void, std::string> take_addresses();
  void make_workers();
  void join_redis();
  void add_admin_rows();
  void sweep(const SweptConnections& connections);
  void revoke(RevocationRequest request, proxy::IpAddress asked_by, Control::Answer answer);
  void close_elsewhere(std::string id, std::move_only_function<void(Elsewhere)> answer);
  void publish(std::string key, proxy::SharedOctets frame, Exchange::Answer answer);
  std::string_view unready() const;
  InstanceMetrics metrics();
  void share_limits();
  void share_deposits();
  void keep_deposits_here();
  std::expected<LoadedPolicy, std::vector<PolicyError>> load();
  bool reload(std::string_view asked_by, Reload::Answer answer = {});
  void adopt(std::shared_ptr<const Policy> policy, Reload::Done done);
  void warn_of_lowered_connections();
  void say_ready();
  void look_for_key(const std::shared_ptr<const Authenticator>& authenticator);
  void on_key_news(const KeyNews& news) override;
  void on_keys_fetched(const KeySetStatus& set, bool notable) override;
  void on_key_fetch_failed(const KeySetStatus& set) override;
  void on_terminate();
  void drain_workers();
  void on_worker_drained();

  std::shared_ptr<const Policy> policy_;  // in force
  const Environment environment_;
  const unsigned worker_count_;
  Log log_;
  Audit audit_;
  Ledger ledger_;
  Revocations revocations_;
  proxy::Loop loop_;  // of this thread: signals, the admin listener and keys that are fetched
  proxy::Mailbox mailbox_;
  proxy::Signals signals_;
  Census census_;
  Supervision supervision_;
  SurplusMemory surplus_memory_;
  Admin admin_;
  bool said_ready_ = false;
  bool draining_ = false;
  unsigned drained_ = 0;
  const proxy::WallTime started_ = std::chrono::system_clock::now();
  proxy::Timer drain_delay_;
  proxy::Timer drain_deadline_;
  Exchange exchange_;  // on the first worker's thread
  std::vector<std::unique_ptr<proxy::UnixSocket>> unix_sockets_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::shared_ptr<const ServedPolicy>> served_;  // by each of them
  Sweeps sweeps_;  // on the first worker's thread, as the next is
  std::unique_ptr<Control> control_;
  std::unique_ptr<proxy::RedisDialer> redis_dialer_;  // on the first worker's loop, as the next is
  std::unique_ptr<SharedBuckets> shared_buckets_;
  std::unique_ptr<SharedCounts> shared_counts_;
  std::unique_ptr<DepositsInRedis> deposits_in_redis_;
  std::unique_ptr<proxy::RedisBus> redis_;
  DepositsHere deposits_here_;  // instead, where there is no Redis
  // The others' letters to it, and its to them.
  std::unique_ptr<Inbox<ToExchange>> to_exchange_;
  std::vector<std::unique_ptr<Inbox<ToWorker>>> to_workers_;
  // The same for what instances count together.
  std::unique_ptr<Inbox<PermitsWanted>> to_shared_buckets_;
  std::unique_ptr<Inbox<ToSharedCounts>> to_shared_counts_;
  std::vector<std::unique_ptr<Inbox<Counted>>> counted_;
  // The same for what serves once.
  std::unique_ptr<Inbox<ToDeposits>> to_deposits_;
  std::vector<std::unique_ptr<Inbox<DepositAnswer>>> deposited_;
  proxy::CurlFetcher fetcher_;
  FetchedKeys fetched_keys_;
  Reload reload_;
};

Server::Server(std::shared_ptr<const Policy> policy, Environment environment)
    : policy_(std::move(policy)),
      environment_(std::move(environment)),
      worker_count_(worker_count(*policy_)),
      log_(policy_->log_level, policy_->log_format),
      audit_(log_),
      ledger_(affordable_connections(*policy_, worker_count_)),
      mailbox_(loop_),
      signals_(loop_),
      census_(loop_.timers(), [this](auto letter) { mailbox_.post(std::move(letter)); }),
      supervision_(loop_.timers(), census_),
      surplus_memory_(loop_.timers(), ledger_),
      admin_(loop_, policy_->admin_token, audit_),
      drain_delay_(loop_.timers(), [this] { drain_workers(); }),
      drain_deadline_(loop_.timers(), [this] { loop_.stop(); }),
      sweeps_(revocations_, audit_, [this](const auto& connections) { sweep(connections); }),
      deposits_here_(ledger_),
      fetcher_(loop_),
      fetched_keys_(loop_.timers(), fetcher_, authenticators_of(*policy_), *this),
      reload_(
          loop_.timers(), audit_, *policy_, [this] { return load(); },
          [this](auto loaded, auto done) { adopt(std::move(loaded), std::move(done)); }) {
  make_workers();
  control_ = std::make_unique<Control>(workers_.front()->loop().timers(), revocations_, sweeps_,
                                       audit_, longest_credential(*policy_));
  policy_->redis ? join_redis() : keep_deposits_here();
  add_admin_rows();
}

// The first worker and the Exchange share a thread and call each other.
void Server::make_workers() {
  for (unsigned i = 0; i < worker_count_; ++i) {
    auto on_drained = [this] { mailbox_.post([this] { on_worker_drained(); }); };
    auto ask_for_key = [this](auto& authenticator) { look_for_key(authenticator); };
    ExchangePort& exchange = i == 0 ? static_cast<ExchangePort&>(exchange_) : *to_exchange_;
    auto& served = served_.emplace_back(serve_policy(policy_, i, ledger_, nullptr));
    auto& worker = *workers_.emplace_back(std::make_unique<Worker>(
        i, served, ledger_, revocations_, log_, exchange, ask_for_key, on_drained));
    census_.add_worker([&worker](Survey survey) { worker.survey(std::move(survey)); });
    if (i == 0) {
      to_exchange_ = std::make_unique<Inbox<ToExchange>>(worker.mailbox(), exchange_);
      exchange_.add_worker(worker.rooms());
    } else {
      exchange_.add_worker(*to_workers_.emplace_back(
          std::make_unique<Inbox<ToWorker>>(worker.mailbox(), worker.rooms())));
    }
  }
}

// On the thread of the Exchange.
void Server::join_redis() {
  const auto& settings = *policy_->redis;
  auto& loop = workers_.front()->loop();
  const auto instance = random_hexadecimal<32>();
  redis_dialer_ = std::make_unique<proxy::RedisDialer>(loop, settings.server);
  redis_ = std::make_unique<proxy::RedisBus>(
      loop.timers(), loop.flushes(), *redis_dialer_, settings.server, settings.timeout,
      fmt::format("{}:heartbeat:{}", settings.prefix,
                  std::string_view(instance.data(), instance.size())));
  share_limits();
  share_deposits();
  control_->join(*redis_, settings.prefix);
  exchange_.join_bus(*redis_, settings.prefix, settings.when_down, audit_);
}

// What the first worker wants to know it asks for itself. Answers come through a mailbox, also its
// own: they are not for within a question.
void Server::share_limits() {
  const auto& prefix = policy_->redis->prefix;
  auto& first = *workers_.front();
  auto& timers = first.loop().timers();
  auto& flushes = first.loop().flushes();
  shared_buckets_ =
      std::make_unique<SharedBuckets>(timers, flushes, *redis_, ledger_, audit_, prefix);
  shared_counts_ = std::make_unique<SharedCounts>(timers, flushes, *redis_, audit_, prefix);
  to_shared_buckets_ = std::make_unique<Inbox<PermitsWanted>>(first.mailbox(), *shared_buckets_);
  to_shared_counts_ = std::make_unique<Inbox<ToSharedCounts>>(first.mailbox(), *shared_counts_);
  for (auto& worker : workers_) {
    shared_counts_->add_worker(*counted_.emplace_back(
        std::make_unique<Inbox<Counted>>(worker->mailbox(), worker->counted())));
    const bool here = worker == workers_.front();
    worker->share(here ? static_cast<PermitsPort&>(*shared_buckets_) : *to_shared_buckets_,
                  here ? static_cast<CountsPort&>(*shared_counts_) : *to_shared_counts_);
  }
}

// As with limits.
void Server::share_deposits() {
  auto& first = *workers_.front();
  deposits_in_redis_ = std::make_unique<DepositsInRedis>(*redis_, audit_, policy_->redis->prefix);
  to_deposits_ = std::make_unique<Inbox<ToDeposits>>(first.mailbox(), *deposits_in_redis_);
  for (auto& worker : workers_) {
    deposits_in_redis_->add_worker(*deposited_.emplace_back(
        std::make_unique<Inbox<DepositAnswer>>(worker->mailbox(), worker->deposited())));
    const bool here = worker == workers_.front();
    worker->ask_deposits(here ? static_cast<DepositsPort&>(*deposits_in_redis_) : *to_deposits_);
  }
}

void Server::keep_deposits_here() {
  for (auto& worker : workers_) {
    deposits_here_.add_worker(*deposited_.emplace_back(
        std::make_unique<Inbox<DepositAnswer>>(worker->mailbox(), worker->deposited())));
    worker->ask_deposits(deposits_here_);
  }
}

void Server::add_admin_rows() {
  auto& api = admin_.api();
  add_health_rows(api, [this] { return unready(); });
  add_policy_row(
      api, [this] { return policy_; }, loop_.timers(), [this] { return fetched_keys_.status(); });
  add_reload_row(api, audit_, [this](auto answer) { return reload("api", std::move(answer)); });
  api.add({"GET", "/metrics",
           answer_with(exposition_content_type, [this] { return metrics_text(metrics()); })});
  add_connection_rows(api, census_, audit_, [this](auto id, auto answer) {
    close_elsewhere(std::move(id), std::move(answer));
  });
  add_revocation_rows(api, loop_.timers(), audit_, [this](auto request, auto peer, auto answer) {
    revoke(std::move(request), peer, std::move(answer));
  });
  add_room_rows(api, census_, audit_, [this](auto key, auto frame, auto answer) {
    publish(std::move(key), std::move(frame), std::move(answer));
  });
}

// All of it may be read from this thread while the workers run.
InstanceMetrics Server::metrics() {
  InstanceMetrics metrics{*policy_, ledger_, exchange_, log_, revocations_};
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    metrics.workers.push_back(workers_[i]->metrics(*served_[i]));
  }
  if (redis_) {
    metrics.redis_waiting_octets = redis_->waiting_octets();
    metrics.redis_round_trips = &redis_->round_trips();
  }
  metrics.shared_buckets = shared_buckets_.get();
  metrics.control_texts_invalid = control_->invalid();
  metrics.admin_refusals = &admin_.refusals();
  metrics.reloads = reload_.succeeded();
  metrics.reloads_failed = reload_.failed();
  metrics.started = started_;
  metrics.now = loop_.timers().now().monotonic;
  metrics.key_sets = fetched_keys_.status();
  metrics.ready = unready().empty();
  metrics.draining = draining_;
  return metrics;
}

// Through the sessions of every worker; back on the first one's thread when all are through.
void Server::sweep(const SweptConnections& connections) {
  const auto left = std::make_shared<std::atomic<unsigned>>(worker_count_);
  for (auto& worker : workers_) {
    worker->survey([this, left,
                    walk = SweepWalk(revocations_, connections)](const Surveyed& surveyed) mutable {
      if (walk.step(surveyed)) return true;
      if (--*left == 0) workers_.front()->mailbox().post([this] { sweeps_.on_swept(); });
      return false;
    });
  }
}

// To the thread of Control, and back with what came of it.
void Server::revoke(RevocationRequest request, proxy::IpAddress asked_by, Control::Answer answer) {
  auto back = [this, answer = std::move(answer)](Control::Outcome outcome) mutable {
    mailbox_.post([answer = std::move(answer), outcome]() mutable { answer(outcome); });
  };
  workers_.front()->mailbox().post(
      [this, request = std::move(request), asked_by, back = std::move(back)]() mutable {
        control_->revoke(request, asked_by, std::move(back));
      });
}

void Server::close_elsewhere(std::string id, std::move_only_function<void(Elsewhere)> answer) {
  auto back = [this, answer = std::move(answer)](Elsewhere elsewhere) mutable {
    mailbox_.post([answer = std::move(answer), elsewhere]() mutable { answer(elsewhere); });
  };
  workers_.front()->mailbox().post([this, id = std::move(id), back = std::move(back)]() mutable {
    const auto connection = parse_connection_id(id);
    connection ? control_->close_elsewhere(*connection, std::move(back)) : back(Elsewhere::Nobody);
  });
}

// To the Exchange's thread, and back with what came of it.
void Server::publish(std::string key, proxy::SharedOctets frame, Exchange::Answer answer) {
  auto back = [this, answer = std::move(answer)](Exchange::Reached reached) mutable {
    mailbox_.post([answer = std::move(answer), reached]() mutable { answer(reached); });
  };
  workers_.front()->mailbox().post(
      [this, key = std::move(key), frame = std::move(frame), back = std::move(back)]() mutable {
        exchange_.publish(key, std::move(frame), std::move(back));
      });
}

// Why no new clients should be sent here, in a word; empty: they may.
std::string_view Server::unready() const {
  if (draining_) return "draining";
  if (!revocations_.loaded()) return "revocations_not_loaded";
  if (exchange_.refuses()) return "redis_away";
  if (!said_ready_) return "keys_not_loaded";  // those of a later policy are of its own routes
  return {};
}

// --- another policy ---

std::expected<LoadedPolicy, std::vector<PolicyError>> Server::load() {
  auto loaded = load_policy(policy_->file, environment_);
  if (!loaded) return loaded;
  return change_policy(*policy_, *std::move(loaded));
}

// False: too many wait for it, or everybody is on the way out.
bool Server::reload(std::string_view asked_by, Reload::Answer answer) {
  return reload_.ask(asked_by, std::move(answer));
}

// Whatever a worker is told before it is told of the policy it knows by then.
void Server::adopt(std::shared_ptr<const Policy> policy, Reload::Done done) {
  auto before = std::exchange(policy_, std::move(policy));
  log_.set(policy_->log_level, policy_->log_format);
  admin_.set_token(policy_->admin_token);
  ledger_.set_connections_max(affordable_connections(*policy_, worker_count_));
  warn_of_lowered_connections();
  workers_.front()->mailbox().post(
      [this, longest = longest_credential(*policy_)] { control_->set_longest_token(longest); });
  const auto news = fetched_keys_.adopt(authenticators_of(*policy_));
  say_ready();
  struct Round {
    Reload::Done done;
    std::shared_ptr<const Policy> before;  // goes here, where no client waits for it
    AdoptionTally all = {};
    std::size_t left;
  };
  const auto round =
      std::make_shared<Round>(std::move(done), std::move(before), AdoptionTally(), workers_.size());
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    served_[i] = serve_policy(policy_, static_cast<unsigned>(i), ledger_, served_[i].get());
    workers_[i]->adopt(served_[i], news, [this, round](const AdoptionTally& tally) {
      mailbox_.post([round, tally] {
        round->all += tally;
        if (--round->left == 0) round->done(round->all);
      });
    });
  }
}

void Server::warn_of_lowered_connections() {
  if (ledger_.connections_max() == policy_->connections_max) return;
  log_.write(LogLevel::Warn, "max_connections_lowered",
             {{"max_connections", std::uint64_t{ledger_.connections_max()}},
              {"wanted", std::uint64_t{policy_->connections_max}},
              {"reason", std::string_view("the limit of open descriptors (ulimit -n)")}});
}

void Server::say_ready() {
  if (fetched_keys_.loaded() && !std::exchange(said_ready_, true)) audit_.ready();
}

// On a worker's thread.
void Server::look_for_key(const std::shared_ptr<const Authenticator>& authenticator) {
  mailbox_.post([this, authenticator] { fetched_keys_.look_for_unknown_key(authenticator); });
}

void Server::on_key_news(const KeyNews& news) {
  for (auto& worker : workers_) worker->learn(news);
  say_ready();
}

void Server::on_keys_fetched(const KeySetStatus& set, bool notable) {
  audit_.keys_fetched(set, notable);
}

void Server::on_key_fetch_failed(const KeySetStatus& set) {
  audit_.key_fetch_failed(set, loop_.timers().now().monotonic);
}

// What other processes have is left to them: a Unix socket is bound here, once.
std::expected<void, std::string> Server::take_addresses() {
  const auto cannot = [](const auto& address, const std::string& why) {
    return std::unexpected(fmt::format("cannot listen on {}: {}", address.to_string(), why));
  };
  for (const auto& listener : policy_->listen) {
    const auto& address = listener.address;
    if (address.is_unix()) {
      auto socket = proxy::UnixSocket::bind(address.path);
      if (!socket) return cannot(address, socket.error());
      unix_sockets_.push_back(std::move(*socket));
    } else if (auto free = proxy::Listener::probe(address.socket); !free) {
      return cannot(address, free.error());
    }
  }
  if (auto free = proxy::Listener::probe(policy_->admin); !free) {
    return cannot(policy_->admin, free.error());
  }
  return {};
}

std::expected<void, std::string> Server::listen() {
  if (auto taken = take_addresses(); !taken) return taken;
  for (auto& worker : workers_) {
    if (auto listening = worker->listen(unix_sockets_); !listening) return listening;
  }
  for (auto& socket : unix_sockets_) socket->leave_to_listeners();
  if (auto listening = admin_.listen(policy_->admin); !listening) {
    return std::unexpected(
        fmt::format("cannot listen on {}: {}", policy_->admin.to_string(), listening.error()));
  }
  return {};
}

void Server::run() {
  proxy::Signals::ignore(SIGPIPE);  // a peer that is gone is an error of the write
  for (int number : {SIGTERM, SIGINT}) {
    signals_.watch(number, [this] { on_terminate(); });
  }
  signals_.watch(SIGHUP, [this] { reload("signal"); });
  audit_.started(GATEHOUSE_VERSION, listen_text(*policy_), policy_->admin.to_string(),
                 worker_count_);
  warn_of_lowered_connections();
  std::vector<std::thread> threads;
  for (auto& worker : workers_) threads.emplace_back([&worker] { worker->run(); });
  fetched_keys_.start();
  say_ready();
  supervision_.ready();
  loop_.run();
  admin_.finish();
  for (auto& worker : workers_) worker->stop();
  for (auto& thread : threads) thread.join();
  std::uint32_t cut = 0;
  for (const auto& worker : workers_) cut += worker->clients();
  audit_.stopped(cut);
  // Whoever repeats the signal now must not turn an orderly end into a death by signal.
  for (int number : {SIGTERM, SIGINT}) proxy::Signals::block(number);
}

// From here on /readyz says no; whoever asks it has `delay` to send new clients elsewhere, and
// those that come nevertheless are served. Whoever repeats the signal does not want to wait.
void Server::on_terminate() {
  if (std::exchange(draining_, true)) return loop_.stop();
  audit_.draining(ledger_.open());
  reload_.stop();  // it would close at once whom the drain spreads
  supervision_.stopping();
  drain_deadline_.arm(policy_->drain.timeout);
  if (policy_->drain.delay == Milliseconds(0)) return drain_workers();
  drain_delay_.arm(policy_->drain.delay);
}

void Server::drain_workers() {
  for (auto& worker : workers_) worker->drain();
}

void Server::on_worker_drained() {
  if (++drained_ == workers_.size()) loop_.stop();
}

}  // namespace

ExitStatus serve(std::shared_ptr<const Policy> policy, Environment environment) {
  Server server(std::move(policy), std::move(environment));
  if (auto listening = server.listen(); !listening) {
    fmt::print(stderr, "gatehouse: {}\n", listening.error());
    return ExitStatus::CannotStart;
  }
  server.run();
  return ExitStatus::Ok;
}

}  // namespace gateway
