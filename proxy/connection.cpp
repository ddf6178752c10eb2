#include "proxy/connection.h"

#include <array>
#include <utility>

#include "proxy/frame_writer.h"

namespace proxy {

// What one read has for the other side: views into the receive buffer, as long as they can be, and
// the headers that had to be written anew.
class Connection::Pieces {
 public:
  explicit Pieces(Connection& from) : from_(from) {}

  void add(std::string_view octets) {
    if (octets.empty()) return;
    if (count_ > 0) {
      auto& last = views_[count_ - 1];
      if (last.data() + last.size() == octets.data()) {
        last = {last.data(), last.size() + octets.size()};
        return;
      }
    }
    if (count_ == views_max) flush();
    views_[count_++] = octets;
  }

  void add_header(const FrameHeader& header) {
    if (headers_used_ + frame_header_octets_max > headers_.size()) flush();
    char* out = headers_.data() + headers_used_;
    auto size = write_frame_header(header, out);
    headers_used_ += size;
    add({out, size});
  }

  void flush() {
    if (count_ > 0) from_.observer_.on_frames(from_, {views_.data(), count_});
    count_ = headers_used_ = 0;
  }

  std::string_view frame_header;  // of the frame being read, as it came; empty: in parts

 private:
  static constexpr std::size_t views_max = 32;

  Connection& from_;
  std::array<std::string_view, views_max> views_;
  std::size_t count_ = 0;
  std::array<char, views_max / 2 * frame_header_octets_max> headers_;
  std::size_t headers_used_ = 0;
};

Connection::Connection(std::unique_ptr<Transport> transport, Role us,
                       const ConnectionSettings& settings, Timers& timers, Observer& observer)
    : role_(us),
      settings_(settings),
      timers_(timers),
      observer_(observer),
      transport_(std::move(transport)),
      reader_(us),
      heartbeat_(timers, [this] { on_heartbeat(); }),
      patience_(timers, [this] { on_patience(); }) {
  transport_->observe(*this);
}

void Connection::start(std::string_view early) {
  if (state_ != State::Open) return;  // the other side's early octets ended it
  transport_->set_reading(true);
  heartbeat_.arm(settings_.ping_interval);
  if (!early.empty()) read(early, false);
}

// --- what the peer sends ---

void Connection::on_octets(std::string_view octets) { read(octets, false); }

void Connection::read(std::string_view input, bool undecided) {
  Pieces pieces(*this);
  bool goes_on = !undecided || decide(input, pieces);
  while (goes_on) {
    auto step = reader_.next(input, settings_.reader);
    goes_on = step.kind == FrameReader::Kind::Message ? pass_message(step.octets, input, pieces)
                                                      : read_step(step, input, pieces);
  }
  pieces.flush();
  answer_ping();
}

// False: there is nothing more to read now.
bool Connection::read_step(const FrameReader::Step& step, std::string_view rest, Pieces& pieces) {
  using Kind = FrameReader::Kind;
  switch (step.kind) {
    case Kind::NeedsMore:
      return false;
    case Kind::DataFrame:
      pieces.frame_header = step.octets;
      return decide(rest, pieces);
    case Kind::Payload:
      pass(step.octets, pieces);
      return true;
    case Kind::Failed:
      pieces.flush();
      end({Ending::Cause::ProtocolError, {reader_.failure(), {}}});
      return false;
    default:
      break;
  }
  if (control_frames_flood()) {
    pieces.flush();
    end({Ending::Cause::ProtocolError, {StatusCode::PolicyViolation, "too many control frames"}});
    return true;
  }
  if (step.kind == Kind::Ping) {
    on_ping(step.octets);
  } else if (step.kind == Kind::Pong) {
    on_pong();
  } else {
    pieces.flush();
    on_close(step.octets);
  }
  return true;
}

// False: the message waits for its verdict.
bool Connection::pass_message(std::string_view frame, std::string_view rest, Pieces& pieces) {
  if (state_ != State::Open) return true;
  const auto verdict = observer_.admit(*this, reader_.header());
  switch (verdict.kind) {
    case Verdict::Kind::Pass:
      received_.octets += reader_.header().payload_octets;
      ++received_.messages;
      pieces.add(frame);
      return true;
    case Verdict::Kind::Swallow:
      return true;
    case Verdict::Kind::Hold:
      hold({frame.data(), frame.size() + rest.size()}, false, verdict.wait);
      return false;
    case Verdict::Kind::Close:
      refuse(verdict, pieces);
      return true;
  }
  std::unreachable();
}

// False: the frame waits for its verdict.
bool Connection::decide(std::string_view rest, Pieces& pieces) {
  if (state_ != State::Open) return true;
  if (swallowing_ && !reader_.begins_message()) return true;
  const auto verdict = observer_.admit(*this, reader_.header());
  swallowing_ = verdict.kind == Verdict::Kind::Swallow;
  if (verdict.kind == Verdict::Kind::Hold) {
    hold(rest, true, verdict.wait);
    return false;
  }
  if (verdict.kind == Verdict::Kind::Close) refuse(verdict, pieces);
  return true;
}

void Connection::refuse(const Verdict& verdict, Pieces& pieces) {
  pieces.flush();
  end({Ending::Cause::Refused, {verdict.code, std::string(verdict.reason)}});
}

// A frame that is here as a whole goes on as it came. Of any other each piece becomes a frame of
// its own, so that a control frame of ours fits between any two writes (RFC 6455 section 5.4).
void Connection::pass(std::string_view payload, Pieces& pieces) {
  if (state_ != State::Open || swallowing_) return;
  received_.octets += payload.size();
  if (reader_.message_complete()) ++received_.messages;
  const auto& header = reader_.header();
  bool whole = payload.size() == header.payload_octets;
  if (whole && !pieces.frame_header.empty()) {
    pieces.add(pieces.frame_header);
    pieces.add(payload);
    return;
  }
  FrameHeader piece = header;
  piece.fin = header.fin && reader_.frame_complete();
  if (reader_.offset() > 0) piece.opcode = Opcode::Continuation;
  piece.masking_key = rotate(header.masking_key, reader_.offset());
  piece.payload_octets = payload.size();
  pieces.add_header(piece);
  pieces.add(payload);
}

void Connection::hold(std::string_view rest, bool mid_frame, Duration wait) {
  if (!held_) held_.reset(new Held{{}, false, {timers_, [this] { on_held_due(); }}});
  held_->octets = rest;
  held_->mid_frame = mid_frame;
  held_->due.arm(wait);
  set_paused(Pause::Held, true);
}

void Connection::on_held_due() {
  auto octets = std::exchange(held_->octets, {});
  read(octets, held_->mid_frame);
  if (!held_->due.armed()) set_paused(Pause::Held, false);
}

bool Connection::control_frames_flood() {
  if (settings_.control_frames_per_second_max == 0) return false;
  auto now = timers_.now().monotonic;
  if (now - control_second_ >= std::chrono::seconds(1)) {
    control_second_ = now;
    control_frames_ = 0;
  }
  return ++control_frames_ > settings_.control_frames_per_second_max;
}

// Section 5.5.3: an endpoint may answer the most recent Ping only. A peer that does not read gets
// none until it does, so pings cannot pile answers up.
void Connection::on_ping(std::string_view payload) {
  if (state_ == State::Open) ping_ = std::make_unique<std::string>(payload);
}

void Connection::answer_ping() {
  if (!ping_ || congested_) return;
  auto payload = std::exchange(ping_, nullptr);
  if (state_ == State::Open) write(write_frame(role_, Opcode::Pong, *payload));
}

void Connection::on_close(std::string_view body) {
  if (state_ == State::Closing) return finish();
  auto close = parse_close(body);
  if (close) {
    end({Ending::Cause::Closed, std::move(*close)});
  } else {
    end({Ending::Cause::ProtocolError, {close.error(), {}}});
  }
}

void Connection::set_paused(Pause reason, bool paused) {
  if (state_ != State::Open) return;
  auto bit = static_cast<std::uint8_t>(reason);
  bool was_paused = paused_;
  paused_ = static_cast<std::uint8_t>(paused ? paused_ | bit : paused_ & ~bit);
  if (was_paused == (paused_ != 0)) return;
  transport_->set_reading(!paused_);
  if (paused_ && std::exchange(pong_due_, false)) heartbeat_.arm(settings_.ping_interval);
}

// --- what is sent to it ---

void Connection::send(std::span<const std::string_view> frames) {
  if (state_ != State::Open) return;
  for (auto octets : frames) written_octets_ += octets.size();
  transport_->write(frames);
  watch_unsent();
}

void Connection::write(std::string_view frame) {
  written_octets_ += frame.size();
  transport_->write(frame);
  watch_unsent();
}

void Connection::watch_unsent() {
  auto unsent = transport_->unsent();
  if (unsent == 0) return;
  if (unsent >= settings_.unsent_octets_high) congested_ = true;
  if (patience_.armed()) return;
  taken_octets_seen_ = written_octets_ - unsent;
  quarters_without_progress_ = 0;
  patience_.arm(settings_.stall_timeout / 4);
}

void Connection::on_sent() {
  auto unsent = transport_->unsent();
  if (congested_ && unsent <= settings_.unsent_octets_low) {
    congested_ = false;
    if (state_ == State::Open) observer_.on_relieved(*this);
    answer_ping();
  }
  if (state_ == State::Closing && unsent == 0) await_goodbye();
}

void Connection::on_patience() {
  if (last_chance_) return lose({Ending::Cause::Vanished, {}});
  auto unsent = transport_->unsent();
  if (unsent == 0) return;
  if (auto taken = written_octets_ - unsent; taken != taken_octets_seen_) {
    taken_octets_seen_ = taken;
    quarters_without_progress_ = 0;
  } else if (++quarters_without_progress_ == 4) {
    if (state_ == State::Closing) return lose({Ending::Cause::Stalled, {}});
    end({Ending::Cause::Stalled, {StatusCode::TryAgainLater, "reads too slowly"}});
    return await_goodbye();
  }
  patience_.arm(settings_.stall_timeout / 4);
}

void Connection::on_heartbeat() {
  if (pong_due_) {
    return end({Ending::Cause::NoPong, {settings_.no_pong_code, "no pong in time"}});
  }
  // A peer that does not take what it was sent cannot have seen a Ping behind it: that is a stall.
  bool reads = transport_->unsent() == 0;
  if (reads) write(write_frame(role_, Opcode::Ping, {}));
  pong_due_ = reads && !paused_;
  heartbeat_.arm(pong_due_ ? settings_.pong_timeout : settings_.ping_interval);
}

void Connection::on_pong() {
  if (std::exchange(pong_due_, false)) heartbeat_.arm(settings_.ping_interval);
}

// --- the end ---

void Connection::close(StatusCode code, std::string_view reason) {
  if (state_ == State::Open) say_close({code, std::string(reason)});
}

void Connection::say_close(const Close& close) {
  set_paused(Pause::Held, false);
  set_paused(Pause::PeerCongested, false);  // to see the peer's answer
  write(write_frame(role_, Opcode::Close, write_close(close)));
  state_ = State::Closing;
  pong_due_ = false;
  heartbeat_.disarm();
  if (transport_->unsent() == 0) await_goodbye();
  if (held_) {
    // Dropped now, but the peer's Close may be among them or behind them.
    held_->due.disarm();
    read(std::exchange(held_->octets, {}), false);
  }
}

void Connection::await_goodbye() {
  if (std::exchange(last_chance_, true)) return;
  patience_.arm(settings_.close_timeout);
}

void Connection::end(Ending ending) {
  if (state_ != State::Open) return;
  say_close(ending.close);
  if (ending.cause == Ending::Cause::Closed || ending.cause == Ending::Cause::ProtocolError) {
    finish();
  }
  observer_.on_ending(*this, ending);
}

// Section 7.1.1: the server ends the TCP connection first, so that TIME_WAIT is not the client's.
void Connection::finish() {
  if (std::exchange(finished_, true)) return;
  if (role_ == Role::Server) transport_->finish();
}

void Connection::on_gone(TransportError) { lose({Ending::Cause::Vanished, {}}); }

void Connection::lose(Ending ending) {
  if (state_ == State::Gone) return;
  bool was_open = std::exchange(state_, State::Gone) == State::Open;
  heartbeat_.disarm();
  patience_.disarm();
  if (held_) held_->due.disarm();
  transport_.reset();
  if (was_open) observer_.on_ending(*this, ending);
  observer_.on_gone(*this);
}

}  // namespace proxy
