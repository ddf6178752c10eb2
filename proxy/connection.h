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
#include <vector>

#include "proxy/counter.h"
#include "proxy/flush_list.h"
#include "proxy/frame_reader.h"
#include "proxy/message.h"
#include "proxy/octets.h"
#include "proxy/queue_budget.h"
#include "proxy/status_code.h"
#include "proxy/timers.h"
#include "proxy/transport.h"

namespace proxy {

// One for all connections of a route and side; outlives them, or their use of it (adopt()).
struct ConnectionSettings {
  ReaderLimits reader;
  bool whole_messages = false;  // what comes is handed over message by message, not frame by frame
  std::uint32_t control_frames_per_second_max = 100;  // 0: not limited
  std::size_t unsent_octets_high = 256 * 1024;        // congested from here
  std::size_t unsent_octets_low = 128 * 1024;         // until it is back here
  std::size_t unsent_octets_max = 1024 * 1024;  // of queue(): over it the peer reads too slowly
  QueueBudget* queue_budget = nullptr;          // outlives it; null: what waits is not counted
  TrafficCounters* traffic = nullptr;  // outlives it: what received() counts of all of them
  Duration ping_interval = std::chrono::seconds(25);
  Duration pong_timeout = std::chrono::seconds(10);
  Duration stall_timeout = std::chrono::seconds(30);
  Duration close_timeout = std::chrono::seconds(5);
  StatusCode no_pong_code = StatusCode::GoingAway;  // what the peer is told that sent none
};

// What becomes of a data frame whose header has come, or of a message that has come as a whole.
struct Verdict {
  enum class Kind : std::uint8_t {
    Pass,
    Swallow,  // this frame and the rest of its message are read and dropped
    Hold,     // reading stops; the same is asked about again after `wait`
    Close,    // the connection ends with `code`; what passed before it still goes on
  };
  // The wait for an answer that will come: see resume().
  static constexpr Duration until_resumed = std::chrono::hours(24);

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

class Connection final : private Transport::Observer, private FlushList::Member {
 public:
  class Observer {
   public:
    // The header of a data frame has come; nothing of it has gone on.
    virtual Verdict admit(Connection& from, const FrameHeader& frame) = 0;
    // Without whole_messages: so many messages have come, each whole in one frame. True: all of
    // them go on, as if admit() had let each pass. False: nothing is decided, and admit() is asked
    // about one after the other.
    virtual bool admit_all(Connection& from, const Tally& messages) = 0;
    // With whole_messages, once its frames were admitted: may it go on?
    virtual Verdict judge(Connection& from, const Message& message) = 0;
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
             Timers& timers, FlushList& flushes, Observer& observer);
  ~Connection() { count_waiting(0); }

  // Begins to read. `early`: octets that came behind the handshake. May call the observer.
  void start(std::string_view early);

  // Whole frames, at once. With whole_messages a few small ones wait for the end of the iteration.
  void send(std::span<const std::string_view> frames);

  // A whole frame that waits, by reference, for the end of the iteration, or for as long as the
  // peer does not read. A peer that leaves over unsent_octets_max waiting has stalled.
  void queue(SharedOctets frame);

  // A message that was held until_resumed is asked about again, soon.
  void resume();

  void close(StatusCode code, std::string_view reason);

  // Other settings take the place of those so far, but for whole_messages. A Ping or a deadline
  // that is on its way keeps its time.
  void adopt(const ConnectionSettings& settings) { settings_ = &settings; }

  // Gives up a peer one of whose messages is held: its transport, with all that was sent to it on
  // its way, and what has been read behind that message. The observer is not called any more; the
  // connection is to be destroyed.
  struct Released {
    std::unique_ptr<Transport> transport;
    std::string unread;
  };
  Released release();

  // Off while the other side is congested: what this peer sends waits in the kernel, and since its
  // silence is then ours, no Pong is due.
  void set_reading(bool on) { set_paused(Pause::PeerCongested, !on); }

  bool congested() const { return congested_; }
  bool open() const { return state_ == State::Open; }
  const Tally& received() const { return received_; }  // of what passed on

 private:
  // Open:    frames pass both ways.
  // Closing: our Close frame is written; the peer's, or the end of the stream, is awaited.
  // Gone:    the observer has been told, and is told no more.
  enum class State : std::uint8_t { Open, Closing, Gone };
  enum class Pause : std::uint8_t { PeerCongested = 1, Held = 2 };

  // What a verdict is awaited on.
  enum class Undecided : std::uint8_t {
    Nothing,
    Frame,    // whose header has been read
    Message,  // in assembly_
  };

  struct Held {
    std::string octets;  // what came behind it, and itself unless it has been read
    Undecided undecided;
    Timer due;
  };
  class Pieces;

  void on_octets(std::string_view octets) override;
  void on_sent() override;
  void on_gone(TransportError error) override;

  void read(std::string_view input, Undecided undecided);
  void count(const Tally& passed);
  bool settle(Undecided undecided, std::string_view rest, Pieces& pieces);
  bool read_step(const FrameReader::Step& step, std::string_view rest, Pieces& pieces);
  bool pass_messages(const FrameReader::Step& step, std::string_view rest, Pieces& pieces);
  bool pass_message(std::string_view frame, std::string_view rest, Pieces& pieces);
  bool judge_in_place(std::string_view frame, std::string_view rest, Pieces& pieces);
  bool judge_assembled(std::string_view rest, Pieces& pieces);
  bool decide(std::string_view rest, Pieces& pieces);
  bool pass(std::string_view payload, std::string_view rest, Pieces& pieces);
  bool assemble(std::string_view payload, std::string_view rest, Pieces& pieces);
  void refuse(const Verdict& verdict, Pieces& pieces);
  void hold(std::string_view rest, Undecided undecided, Duration wait);
  void on_held_due();
  void on_ping(std::string_view payload);
  void answer_ping();
  void on_pong();
  void on_close(std::string_view body);
  bool control_frames_flood();

  bool put_off(std::span<const std::string_view> frames);
  void write(std::string_view frame);
  void flush() override;
  void write_outbox();
  void empty_outbox();
  std::size_t unsent() const { return transport_->unsent() + outbox_octets_; }
  void watch_unsent();
  void count_waiting(std::size_t waiting);
  void overflow();
  void on_heartbeat();
  void on_patience();
  void give_up_on_reader();
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
  bool overflowed_ = false;   // too much waits: patience_ is over at once
  std::uint8_t quarters_without_progress_ = 0;
  std::uint32_t control_frames_ = 0;  // in the second that began at control_second_
  MonotonicTime control_second_{};
  const ConnectionSettings* settings_;
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
  std::unique_ptr<MessageAssembly>
      assembly_;                      // with whole_messages: of the one that comes in parts
  std::vector<SharedOctets> outbox_;  // queued frames, in order
  std::size_t outbox_octets_ = 0;
  std::size_t counted_octets_ = 0;  // by the queue budget, beyond queue_free_octets
};

}  // namespace proxy
