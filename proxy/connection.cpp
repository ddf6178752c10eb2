#include "proxy/connection.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "proxy/frame_writer.h"

namespace proxy {

namespace {
// Places for queued frames that stay with a connection. What a slow reader has taken at last must
// not go on costing memory that nobody counts.
constexpr std::size_t outbox_kept_max = 16;

// Copying this much costs less than the wakeup of a peer that would be sent it at once.
constexpr std::size_t put_off_octets_max = 4096;
}  // namespace

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
  static constexpr std::size_t views_max = 8;

  Connection& from_;
  std::array<std::string_view, views_max> views_;
  std::size_t count_ = 0;
  std::array<char, views_max / 2 * frame_header_octets_max> headers_;
  std::size_t headers_used_ = 0;
};

Connection::Connection(std::unique_ptr<Transport> transport, Role us,
                       const ConnectionSettings& settings, Timers& timers, FlushList& flushes,
                       Observer& observer)
    : FlushList::Member(flushes),
      role_(us),
      settings_(&settings),
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
  heartbeat_.arm(settings_->ping_interval);
  if (!early.empty()) read(early, Undecided::Nothing);
}

// --- what the peer sends ---

void Connection::on_octets(std::string_view octets) { read(octets, Undecided::Nothing); }

void Connection::read(std::string_view input, Undecided undecided) {
  Pieces pieces(*this);
  bool goes_on = settle(undecided, input, pieces);
  const std::uint64_t at_once = settings_->whole_messages ? 1 : FrameReader::messages_unlimited;
  while (goes_on) {
    auto step = reader_.next(input, settings_->reader, at_once);
    goes_on = step.kind == FrameReader::Kind::Messages ? pass_messages(step, input, pieces)
                                                       : read_step(step, input, pieces);
  }
  pieces.flush();
  answer_ping();
}

void Connection::count(const Tally& passed) {
  received_ += passed;
  if (!settings_->traffic) return;
  settings_->traffic->messages.add(passed.messages);
  settings_->traffic->octets.add(passed.octets);
}

// False: its verdict is still to wait for.
bool Connection::settle(Undecided undecided, std::string_view rest, Pieces& pieces) {
  switch (undecided) {
    case Undecided::Nothing:
      return true;
    case Undecided::Frame:
      return decide(rest, pieces);
    case Undecided::Message:
      return judge_assembled(rest, pieces);
  }
  std::unreachable();
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
      return pass(step.octets, rest, pieces);
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

// False: one of them waits for its verdict.
bool Connection::pass_messages(const FrameReader::Step& step, std::string_view rest,
                               Pieces& pieces) {
  if (state_ != State::Open) return true;
  auto messages = step.octets;
  if (step.messages.messages == 1) return pass_message(messages, rest, pieces);
  if (observer_.admit_all(*this, step.messages)) {
    count(step.messages);
    pieces.add(messages);
    return true;
  }
  while (!messages.empty()) {
    auto frame = reader_.next(messages, settings_->reader, 1).octets;
    std::string_view behind{messages.data(), messages.size() + rest.size()};
    if (!pass_message(frame, behind, pieces)) return false;
  }
  return true;
}

// False: the message waits for its verdict.
bool Connection::pass_message(std::string_view frame, std::string_view rest, Pieces& pieces) {
  if (state_ != State::Open) return true;
  const auto verdict = observer_.admit(*this, reader_.header());
  switch (verdict.kind) {
    case Verdict::Kind::Pass:
      count({1, reader_.header().payload_octets});
      if (settings_->whole_messages) return judge_in_place(frame, rest, pieces);
      pieces.add(frame);
      return true;
    case Verdict::Kind::Swallow:
      return true;
    case Verdict::Kind::Hold:
      hold({frame.data(), frame.size() + rest.size()}, Undecided::Nothing, verdict.wait);
      return false;
    case Verdict::Kind::Close:
      refuse(verdict, pieces);
      return true;
  }
  std::unreachable();
}

// A message that is one frame goes on as it came. False: it waits for its verdict.
bool Connection::judge_in_place(std::string_view frame, std::string_view rest, Pieces& pieces) {
  const auto& header = reader_.header();
  auto payload = frame.substr(frame.size() - header.payload_octets);
  const auto verdict = observer_.judge(*this, {header.opcode, unmasked_copy(payload, header)});
  switch (verdict.kind) {
    case Verdict::Kind::Pass:
      pieces.add(frame);
      return true;
    case Verdict::Kind::Swallow:
      return true;
    case Verdict::Kind::Hold:
      assembly_ = std::make_unique<MessageAssembly>(header.opcode);
      assembly_->append(payload, header, 0);
      hold(rest, Undecided::Message, verdict.wait);
      return false;
    case Verdict::Kind::Close:
      refuse(verdict, pieces);
      return true;
  }
  std::unreachable();
}

// One that came in parts, or had to wait, goes on as one frame of ours. False: it waits (again).
bool Connection::judge_assembled(std::string_view rest, Pieces& pieces) {
  const auto message = assembly_->message();
  const auto verdict = observer_.judge(*this, message);
  if (verdict.kind == Verdict::Kind::Hold) {
    hold(rest, Undecided::Message, verdict.wait);
    return false;
  }
  if (verdict.kind == Verdict::Kind::Close) refuse(verdict, pieces);
  if (verdict.kind == Verdict::Kind::Pass) {
    auto towards_peer = role_ == Role::Server ? Role::Client : Role::Server;
    auto frame = write_frame(towards_peer, message.opcode, message.payload);
    pieces.add(frame);
    pieces.flush();
  }
  assembly_.reset();
  return true;
}

// False: the frame waits for its verdict.
bool Connection::decide(std::string_view rest, Pieces& pieces) {
  if (state_ != State::Open) return true;
  if (swallowing_ && !reader_.begins_message()) return true;
  const auto verdict = observer_.admit(*this, reader_.header());
  swallowing_ = verdict.kind == Verdict::Kind::Swallow;
  if (verdict.kind == Verdict::Kind::Hold) {
    hold(rest, Undecided::Frame, verdict.wait);
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
// False: the message waits for its verdict.
bool Connection::pass(std::string_view payload, std::string_view rest, Pieces& pieces) {
  if (swallowing_) assembly_.reset();
  if (state_ != State::Open || swallowing_) return true;
  count({reader_.message_complete() ? 1u : 0u, payload.size()});
  if (settings_->whole_messages) return assemble(payload, rest, pieces);
  const auto& header = reader_.header();
  bool whole = payload.size() == header.payload_octets;
  if (whole && !pieces.frame_header.empty()) {
    pieces.add(pieces.frame_header);
    pieces.add(payload);
    return true;
  }
  FrameHeader piece = header;
  piece.fin = header.fin && reader_.frame_complete();
  if (reader_.offset() > 0) piece.opcode = Opcode::Continuation;
  piece.masking_key = rotate(header.masking_key, reader_.offset());
  piece.payload_octets = payload.size();
  pieces.add_header(piece);
  pieces.add(payload);
  return true;
}

// False: the message is here as a whole, and waits for its verdict.
bool Connection::assemble(std::string_view payload, std::string_view rest, Pieces& pieces) {
  const auto& header = reader_.header();
  if (!assembly_) assembly_ = std::make_unique<MessageAssembly>(header.opcode);
  assembly_->append(payload, header, reader_.offset());
  return !reader_.message_complete() || judge_assembled(rest, pieces);
}

void Connection::hold(std::string_view rest, Undecided undecided, Duration wait) {
  if (!held_) held_.reset(new Held{{}, {}, {timers_, [this] { on_held_due(); }}});
  held_->octets = rest;
  held_->undecided = undecided;
  held_->due.arm(wait);
  set_paused(Pause::Held, true);
}

void Connection::on_held_due() {
  auto octets = std::exchange(held_->octets, {});
  read(octets, held_->undecided);
  if (!held_->due.armed()) set_paused(Pause::Held, false);
}

void Connection::resume() {
  bool held = held_ && held_->due.armed() && held_->undecided == Undecided::Message;
  if (held) held_->due.arm(Duration::zero());
}

Connection::Released Connection::release() {
  assert(state_ == State::Open && held_ && held_->due.armed() &&
         held_->undecided == Undecided::Message);
  write_outbox();
  state_ = State::Gone;
  heartbeat_.disarm();
  patience_.disarm();
  held_->due.disarm();
  return {std::move(transport_), std::move(held_->octets)};
}

bool Connection::control_frames_flood() {
  if (settings_->control_frames_per_second_max == 0) return false;
  auto now = timers_.now().monotonic;
  if (now - control_second_ >= std::chrono::seconds(1)) {
    control_second_ = now;
    control_frames_ = 0;
  }
  return ++control_frames_ > settings_->control_frames_per_second_max;
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
  if (paused_ && std::exchange(pong_due_, false)) heartbeat_.arm(settings_->ping_interval);
}

// --- what is sent to it ---

void Connection::send(std::span<const std::string_view> frames) {
  if (state_ != State::Open) return;
  if (settings_->whole_messages && put_off(frames)) return;
  write_outbox();
  for (auto octets : frames) written_octets_ += octets.size();
  transport_->write(frames);
  watch_unsent();
}

// Judging a message takes longer than sending it. Written one by one as they were judged, each
// would wake a peer that had gone to sleep since the last; together they find it awake. False: too
// long.
bool Connection::put_off(std::span<const std::string_view> frames) {
  std::size_t octets = 0;
  for (auto frame : frames) octets += frame.size();
  if (octets > put_off_octets_max) return false;
  std::string copy;
  copy.reserve(octets);
  for (auto frame : frames) copy += frame;
  written_octets_ += octets;
  outbox_octets_ += octets;
  outbox_.push_back(share(std::move(copy)));
  flush_later();
  return true;
}

void Connection::queue(SharedOctets frame) {
  if (state_ != State::Open || overflowed_) return;
  written_octets_ += frame->size();
  outbox_octets_ += frame->size();
  outbox_.push_back(std::move(frame));
  // One iteration may bring more than may wait: what counts is what the peer leaves lying of it.
  if (unsent() > settings_->unsent_octets_max && transport_->unsent() == 0) write_outbox();
  if (unsent() > settings_->unsent_octets_max) return overflow();
  flush_later();
}

// Told from the loop: a call down never calls up.
void Connection::overflow() {
  overflowed_ = true;
  patience_.arm(Duration::zero());
}

// Behind what the kernel has not taken yet, frames wait as references and not as copies.
void Connection::flush() {
  if (state_ != State::Open || overflowed_) return;
  if (transport_->unsent() == 0) write_outbox();
  watch_unsent();
}

void Connection::write_outbox() {
  constexpr std::size_t batch_max = 64;
  std::array<std::string_view, batch_max> batch;
  for (std::size_t begin = 0; begin < outbox_.size(); begin += batch_max) {
    auto count = std::min(batch_max, outbox_.size() - begin);
    for (std::size_t i = 0; i < count; ++i) batch[i] = *outbox_[begin + i];
    transport_->write({batch.data(), count});
  }
  empty_outbox();
}

void Connection::empty_outbox() {
  outbox_.clear();
  outbox_octets_ = 0;
  if (outbox_.capacity() > outbox_kept_max) outbox_.shrink_to_fit();
}

void Connection::write(std::string_view frame) {
  written_octets_ += frame.size();
  transport_->write(frame);
  watch_unsent();
}

void Connection::watch_unsent() {
  auto unsent = this->unsent();
  if (unsent == 0) return;
  count_waiting(unsent);
  if (unsent >= settings_->unsent_octets_high) congested_ = true;
  if (patience_.armed()) return;
  taken_octets_seen_ = written_octets_ - unsent;
  quarters_without_progress_ = 0;
  patience_.arm(settings_->stall_timeout / 4);
}

// A peer that would make the whole process wait too much is let go, as one that waits too much
// itself.
void Connection::count_waiting(std::size_t waiting) {
  auto* budget = settings_->queue_budget;
  auto octets = waiting > queue_free_octets ? waiting - queue_free_octets : 0;
  if (!budget || octets == counted_octets_) return;
  if (octets < counted_octets_) {
    budget->release_queued(counted_octets_ - octets);
  } else if (!budget->reserve_queued(octets - counted_octets_)) {
    if (state_ == State::Open) overflow();
    return;
  }
  counted_octets_ = octets;
}

void Connection::on_sent() {
  flush();
  auto unsent = this->unsent();
  count_waiting(unsent);
  if (congested_ && unsent <= settings_->unsent_octets_low) {
    congested_ = false;
    if (state_ == State::Open) observer_.on_relieved(*this);
    answer_ping();
  }
  if (state_ == State::Closing && unsent == 0) await_goodbye();
}

void Connection::on_patience() {
  if (last_chance_) return lose({Ending::Cause::Vanished, {}});
  if (overflowed_) return give_up_on_reader();
  auto unsent = this->unsent();
  if (unsent == 0) return;
  // Over TLS more is unsent than was written, so it may be less than what was seen.
  const auto taken = written_octets_ - unsent;
  const bool progress = static_cast<std::int64_t>(taken - taken_octets_seen_) > 0;
  taken_octets_seen_ = taken;
  if (progress) {
    quarters_without_progress_ = 0;
  } else if (++quarters_without_progress_ == 4) {
    if (state_ == State::Closing) return lose({Ending::Cause::Stalled, {}});
    return give_up_on_reader();
  }
  patience_.arm(settings_->stall_timeout / 4);
}

void Connection::give_up_on_reader() {
  empty_outbox();
  overflowed_ = false;
  end({Ending::Cause::Stalled, {StatusCode::TryAgainLater, "reads too slowly"}});
  await_goodbye();
}

void Connection::on_heartbeat() {
  if (pong_due_) {
    return end({Ending::Cause::NoPong, {settings_->no_pong_code, "no pong in time"}});
  }
  // A peer that does not take what it was sent cannot have seen a Ping behind it: that is a stall.
  bool reads = unsent() == 0;
  reads ? write(write_frame(role_, Opcode::Ping, {})) : watch_unsent();
  pong_due_ = reads && !paused_;
  heartbeat_.arm(pong_due_ ? settings_->pong_timeout : settings_->ping_interval);
}

void Connection::on_pong() {
  if (std::exchange(pong_due_, false)) heartbeat_.arm(settings_->ping_interval);
}

// --- the end ---

void Connection::close(StatusCode code, std::string_view reason) {
  if (state_ == State::Open) say_close({code, std::string(reason)});
}

void Connection::say_close(const Close& close) {
  set_paused(Pause::Held, false);
  set_paused(Pause::PeerCongested, false);  // to see the peer's answer
  write_outbox();
  write(write_frame(role_, Opcode::Close, write_close(close)));
  state_ = State::Closing;
  pong_due_ = false;
  heartbeat_.disarm();
  if (transport_->unsent() == 0) await_goodbye();
  if (held_) {
    // Dropped now, but the peer's Close may be among them or behind them.
    held_->due.disarm();
    read(std::exchange(held_->octets, {}), Undecided::Nothing);
  }
}

void Connection::await_goodbye() {
  if (std::exchange(last_chance_, true)) return;
  patience_.arm(settings_->close_timeout);
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
  count_waiting(0);
  if (was_open) observer_.on_ending(*this, ending);
  observer_.on_gone(*this);
}

}  // namespace proxy
