// The clients: they open, send messages, check that each comes back whole and in order, and close.
// In a room, what one sends comes to all. What they do when (the runs of runs.h and rooms.h) is
// decided by an Observer. Single-threaded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <netinet/in.h>

#include "tests/bench/messages.h"
#include "tests/bench/sockets.h"
#include "tests/bench/stream.h"

namespace tests::bench {

struct Target {
  std::vector<sockaddr_in> addresses;  // client i connects to address i modulo their number
  std::string authority;               // the Host field
  std::string path;                    // with the query, if any
  std::string first_path;              // of client 0; empty: that of all
  std::string greeting;                // how the text begins that each is sent first; empty: none
  std::vector<std::string> tokens;     // client i sends token i modulo their number; empty: none
  bool tokens_in_query = false;        // ?token= instead of an Authorization field
  std::vector<sockaddr_in> sources;    // addresses to connect from, in turn; empty: any
  bool tls = false;
};

struct Client {
  enum class State : std::uint8_t { Closed, Handshake, Open, Closing };

  std::size_t index = 0;
  Stream socket;
  State state = State::Closed;
  bool waits_to_write = false;
  std::string unsent;      // the rest of a write that the socket did not take
  std::string key;         // Sec-WebSocket-Key
  std::string answer;      // the HTTP head, while it comes
  std::uint32_t sent = 0;  // messages that are to come: its own, or those of its room
  std::uint32_t echoed = 0;
  std::uint32_t owed = 0;  // messages that wait for `unsent` to be empty

  // The frame that is being read. `head`: octets of a head that is not complete.
  std::array<std::uint8_t, frame_head_octets_max> head{};
  std::size_t head_octets = 0;
  bool in_frame = false;
  FrameHead frame;
  std::uint64_t frame_left = 0;
  std::string control;  // payload of a control frame
  bool in_message = false;
  std::size_t message_at = 0;

  // Texts that come before any further message, in this order: how they begin.
  std::vector<std::string> awaited;
  std::string text;  // of the one that is being read
};

class Crowd {
 public:
  class Observer {
   public:
    virtual ~Observer() = default;
    virtual void on_open(Client&) {}
    // So many messages came in one piece; the last is number `Client::echoed` - 1.
    virtual void on_echoes(Client&, std::uint32_t) {}
    virtual void on_closed(Client&) {}
  };

  // Client i sends and gets those of `messages` i modulo their number.
  Crowd(Target target, std::span<Messages> messages, Observer& observer, std::size_t clients,
        Waiting waiting);

  std::vector<Client>& clients() { return clients_; }

  void open(Client& client);
  // Opens all, with a bounded number of handshakes at a time. False: failed, or too slow.
  bool open_all(std::int64_t deadline_ns);
  void send(Client& client, std::uint32_t messages);
  // Sends messages `first`, `first` + 1, … to a room: expect() says who gets them.
  void publish(Client& publisher, std::uint32_t first, std::uint32_t messages);
  void expect(Client& client, std::uint32_t messages) { client.sent += messages; }
  // What is not one of the messages, and what is to come for it: not while messages are to come to
  // this client.
  void say(Client& client, std::string_view text);
  void expect_text(Client& client, std::string beginning);
  // Without a closing handshake.
  void drop(Client& client);
  // With one: the last call is on_closed().
  void close(Client& client);
  // The same, of all that are open.
  bool close_all(std::int64_t deadline_ns);

  // Waits for something to happen, at most `timeout_ns`, and does it.
  void turn(std::int64_t timeout_ns);

  std::size_t open_count() const { return open_count_; }
  std::uint64_t fault_count() const { return fault_count_; }
  const std::string& first_fault() const { return first_fault_; }

 private:
  static constexpr std::size_t handshakes_max = 128;
  static constexpr std::size_t answer_octets_max = 16 * 1024;
  static constexpr std::size_t receive_octets_max = 512 * 1024;
  static constexpr std::size_t text_octets_max = 4 * 1024;

  void on_event(Client& client, std::uint32_t events);
  Messages& messages_of(const Client& client) { return messages_[client.index % messages_.size()]; }
  void send_request(Client& client, std::size_t number);
  void receive(Client& client);
  bool receive_some(Client& client);
  // False: the client failed or is closed.
  bool read_answer(Client& client, std::span<const std::uint8_t>& octets);
  bool read_frames(Client& client, std::span<const std::uint8_t> octets);
  bool read_head(Client& client, std::span<const std::uint8_t>& octets);
  bool read_whole_echo(Client& client, std::span<const std::uint8_t>& octets);
  bool read_payload(Client& client, std::span<const std::uint8_t>& octets);
  bool end_of_frame(Client& client);
  bool end_of_text(Client& client);
  bool on_control(Client& client);
  void write(Client& client, std::span<const std::uint8_t> octets);
  void flush(Client& client);
  void watch_writing(Client& client, bool on);
  void fail(Client& client, std::string_view what);
  void fail_changed(Client& client, std::span<const std::uint8_t> came);
  void end(Client& client);

  Target target_;
  std::span<Messages> messages_;
  Observer& observer_;
  Poller poller_;
  std::optional<TlsSettings> tls_;  // outlives the clients
  std::vector<Client> clients_;
  std::vector<std::uint8_t> received_;
  std::size_t opened_total_ = 0;
  std::size_t open_count_ = 0;
  std::uint64_t fault_count_ = 0;
  std::string first_fault_;
};

}  // namespace tests::bench
