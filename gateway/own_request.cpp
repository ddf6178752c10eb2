#include "gateway/own_request.h"

#include <cassert>
#include <utility>

#include "gateway/linger.h"
#include "proxy/handshake.h"

namespace gateway {

OwnRequest::OwnRequest(OwnResource::Host& host, std::unique_ptr<proxy::Transport> transport,
                       std::unique_ptr<OwnResource> resource, Observer& observer)
    : host_(host),
      observer_(observer),
      transport_(std::move(transport)),
      resource_(std::move(resource)),
      linger_(host.timers(), [this] { finish(); }) {
  assert(resource_->body_octets() <= own_body_octets_max);
}

void OwnRequest::start(std::string_view early) {
  transport_->observe(*this);
  transport_->set_reading(true);
  const auto& fields = resource_->call().head.fields;
  const bool waits = early.empty() && fields.has_token("Expect", "100-continue");
  if (waits && resource_->body_octets() > 0) transport_->write(proxy::continue_line);
  read_body(early);
}

void OwnRequest::on_octets(std::string_view octets) {
  switch (state_) {
    case State::Body:
      return read_body(octets);
    case State::Asked:
    case State::Answered:
      dropped_octets_ += octets.size();
      if (dropped_octets_ > linger_octets_max) finish();
      return;
    case State::Done:
      return;
  }
}

void OwnRequest::read_body(std::string_view octets) {
  auto& body = resource_->call().body;
  body.append(octets.substr(0, resource_->body_octets() - body.size()));
  if (body.size() < resource_->body_octets()) return;
  state_ = State::Asked;
  OwnResource::Observer& observer = *this;
  if (const auto given = resource_->ask(observer)) answer(*given);
}

// It may come in the iteration in which the client's end or another answer did.
void OwnRequest::on_answer(OwnAnswer given) {
  if (state_ == State::Asked) answer(given);
}

void OwnRequest::give_up() {
  if (state_ == State::Body) return refuse(Refusal::HeadTooSlow);
  if (state_ == State::Asked) answer(resource_->give_up());
}

void OwnRequest::refuse(Refusal refusal) {
  if (state_ >= State::Answered) return;
  if (state_ == State::Asked) resource_->give_up();
  answer(refused(refusal));
}

void OwnRequest::answer(const OwnAnswer& answer) {
  state_ = State::Answered;
  if (answer.refusal.empty()) {
    host_.counters().served(answer.status);
  } else {
    record_refusal(answer.status, answer.refusal);
  }
  transport_->write(answer.text);
  transport_->finish();
  linger_.arm(linger_max);
}

void OwnRequest::record_refusal(int status, std::string_view reason) {
  const auto& call = resource_->call();
  host_.counters().served(status);
  host_.refusals().refused({call.identity.audited(), reason, status, 0, call.path, {}},
                           host_.timers().now().monotonic);
}

void OwnRequest::on_gone(proxy::TransportError) {
  if (state_ < State::Answered) record_refusal(0, row_of(Refusal::ClientLeft).name);
  finish();
}

void OwnRequest::finish() {
  if (std::exchange(state_, State::Done) == State::Done) return;
  linger_.disarm();
  observer_.on_served();
}

}  // namespace gateway
