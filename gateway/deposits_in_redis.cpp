#include "gateway/deposits_in_redis.h"

#include <utility>

#include <fmt/format.h>

namespace gateway {
namespace {

using Outcome = DepositAnswer::Outcome;

// To SET with NX: "OK", or nothing where the key is there.
DepositAnswer read_set(std::uint64_t id, const proxy::RedisReply& reply) {
  return {id, reply.text() == "OK" ? Outcome::Done : Outcome::NotDone};
}

// To GETDEL: what was there, or nothing.
DepositAnswer read_taken(std::uint64_t id, const proxy::RedisReply& reply) {
  const auto text = reply.text();
  if (!text) return {id, Outcome::NotDone};
  return {id, Outcome::Done, std::string(*text)};
}

}  // namespace

DepositsInRedis::DepositsInRedis(proxy::Store& store, Audit& audit, std::string_view prefix)
    : store_(store),
      audit_(audit),
      token_prefix_(fmt::format("{}:once:", prefix)),
      ticket_prefix_(fmt::format("{}:ticket:", prefix)) {}

bool DepositsInRedis::post(ToDeposits letter) {
  std::visit([this](const auto& asked) { ask(asked); }, letter);
  return true;
}

void DepositsInRedis::ask(const MarkToken& letter) {
  ask(letter,
      {"SET", token_prefix_ + letter.name, "", "NX", "PX", fmt::to_string(letter.kept_for.count())},
      read_set);
}

void DepositsInRedis::ask(const KeepTicket& letter) {
  ask(letter,
      {"SET", ticket_prefix_ + letter.name, letter.grant, "NX", "PX",
       fmt::to_string(letter.kept_for.count())},
      read_set);
}

void DepositsInRedis::ask(const TakeTicket& letter) {
  ask(letter, {"GETDEL", ticket_prefix_ + letter.name}, read_taken);
}

template <typename Letter, typename Read>
void DepositsInRedis::ask(const Letter& letter, std::initializer_list<std::string_view> command,
                          Read read) {
  auto& port = *workers_[letter.worker];
  auto answered = [this, &port, id = letter.id, now = letter.now,
                   read](const proxy::RedisReply* reply) {
    if (reply) note(*reply, now);
    const bool said = reply && !reply->error();
    port.post(said ? read(id, *reply) : DepositAnswer{id, Outcome::Away});
  };
  if (!store_.ask(command, answered)) answered(nullptr);
}

// A Redis that is there and does not do it: for who may not, or since its memory is full.
void DepositsInRedis::note(const proxy::RedisReply& reply, auth::WallTime now) {
  const auto error = reply.error();
  if (!error || now < say_from_) return;
  say_from_ = now + said_every;
  audit_.deposits_refused(*error);
}

}  // namespace gateway
