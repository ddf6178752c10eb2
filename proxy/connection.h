// One WebSocket connection: a Transport, the frames that come over it, a heartbeat, the closing
// handshake, and two watermarks.
//
// Its observer is called from the loop only. send(), close() and set_reading() never call it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proxy/frame_reader.h"
#include "proxy/status_code.h"
#include "proxy/timers.h"
#include "proxy/transport.h"

namespace proxy {

// One for all connections of a route and side; outlives them.
struct ConnectionSettings {
  ReaderLimits reader;
  std::uint32_t control_frames_per_second_max = 100;  // 0: not limited
  std::size_t unsent_octets_high = 256 * 1024;        // congested from here
  std::size_t unsent_octets_low = 128 * 1024;         // until it is back here
  Duration ping_interval = std::chrono::seconds(25);
  Duration pong_timeout = std::chrono::seconds(10);
  Duration stall_timeout = std::chrono::seconds(30);
  Duration close_timeout = std::chrono::seconds(5);
  StatusCode no_pong_code = StatusCode::GoingAway;  // what the peer is told that sent none
};

// What becomes of a data frame whose header has come.
struct Verdict {
  enum class Kind : std::uint8_t {
    Pass,
    Swallow,  // this frame and the rest of its message are read and dropped
    Hold,     // reading stops; the same frame is asked about again after `wait`
    Close,    // the connection ends with `code`; what passed before it still goes on
  };
  Kind kind = Kind::Pass;
  Duration wait{};
  StatusCode code = StatusCode::NormalClosure;  // of Close
  std::string_view reason{};                    // of Close; a text of static life
};

struct Ending {
  enum class Cause : std::uint8_t {
    Closed,         // the peer's Close frame: `close` is what it said
    Vanished,       // the stream ended without one
    ProtocolError,  // `close` is what the peer was told, here and below
    Refused,        // by the observer's verdict
    NoPong,
    Stalled,
  };
  Cause cause;
  Close close;
};

// What has passed, in whole messages and octets of payload.
struct Tally {
  std::uint64_t messages = 0;
  std::uint64_t octets = 0;
};

class Connection final : private Transport::Observer {
 public:
  class Observer {
   public:
    // The header of a data frame has come; nothing of it has gone on.
    virtual Verdict admit(Connection& from, const FrameHeader& frame) = 0;
    // Whole frames for the other side, in order; borrowed for the call.
    virtual void on_frames(Connection& from, std::span<const std::string_view> frames) = 0;
    virtual void on_relieved(Connection& from) = 0;  // was congested(), is no more
    virtual void on_ending(Connection& from,
                           const Ending& ending) = 0;  // not after our own close()
    virtual void on_gone(Connection& from) = 0;        // once, and the last call

   protected:
    ~Observer() = default;
  };

  Connection(std::unique_ptr<Transport> transport, Role us, const ConnectionSettings& settings,
             Timers& timers, Observer& observer);

  // Begins to read. `early`: octets that came behind the handshake. May call the observer.
  void start(std::string_view early);

  void send(std::span<const std::string_view> frames);
  void close(StatusCode code, std::string_view reason);

  // Off while the other side is congested: what this peer sends waits in the kernel, and since its
  // silence is then ours, no Pong is due.
  void set_reading(bool on) { set_paused(Pause::PeerCongested, !on); }

  bool congested() const { return congested_; }
  bool open() const { return state_ == State::Open; }
  const Tally& received() const { return received_; }

 private:
  // Open:    frames pass both ways.
  // Closing: our Close frame is written; the peer's, or the end of the stream, is awaited.
  // Gone:    the observer has been told, and is told no more.
  enum class State : std::uint8_t { Open, Closing, Gone };
  enum class Pause : std::uint8_t { PeerCongested = 1, Held = 2 };

  struct Held {  // frames that wait for their verdict
    std::string octets;
    bool mid_frame;  // the header of the first has been read
    Timer due;
  };
  class Pieces;

  void on_octets(std::string_view octets) override;
  void on_sent() override;
  void on_gone(TransportError error) override;

  void read(std::string_view input, bool undecided);
  bool read_step(const FrameReader::Step& step, std::string_view rest, Pieces& pieces);
  bool pass_message(std::string_view frame, std::string_view rest, Pieces& pieces);
  bool decide(std::string_view rest, Pieces& pieces);
  void pass(std::string_view payload, Pieces& pieces);
  void refuse(const Verdict& verdict, Pieces& pieces);
  void hold(std::string_view rest, bool mid_frame, Duration wait);
  void on_held_due();
  void on_ping(std::string_view payload);
  void answer_ping();
  void on_pong();
  void on_close(std::string_view body);
  bool control_frames_flood();

  void write(std::string_view frame);
  void watch_unsent();
  void on_heartbeat();
  void on_patience();
  void set_paused(Pause reason, bool paused);
  void say_close(const Close& close);
  void end(Ending ending);  // Open -> Closing, by the peer's doing or fault
  void finish();            // both Close frames are out, or no answer is worth awaiting
  void await_goodbye();
  void lose(Ending ending);  // the peer is not there any more

  State state_ = State::Open;
  Role role_;
  std::uint8_t paused_ = 0;  // Pause reasons
  bool congested_ = false;
  bool swallowing_ = false;
  bool pong_due_ = false;
  bool finished_ = false;     // the stream's end has been asked for
  bool last_chance_ = false;  // when patience_ is over, so is the connection
  std::uint8_t quarters_without_progress_ = 0;
  std::uint32_t control_frames_ = 0;  // in the second that began at control_second_
  MonotonicTime control_second_{};
  const ConnectionSettings& settings_;
  Timers& timers_;
  Observer& observer_;
  std::unique_ptr<Transport> transport_;
  FrameReader reader_;
  Tally received_;
  std::uint64_t written_octets_ = 0;
  std::uint64_t taken_octets_seen_ = 0;
  Timer heartbeat_;
  Timer patience_;                     // for a peer that does not read, or does not answer a Close
  std::unique_ptr<std::string> ping_;  // the newest one that is not answered
  std::unique_ptr<Held> held_;
};

}  // namespace proxy
