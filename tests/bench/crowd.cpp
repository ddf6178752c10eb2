#include "tests/bench/crowd.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/core.h>
#include <openssl/evp.h>

namespace tests::bench {

namespace {

constexpr MaskingKey control_key{0x2a, 0x91, 0x07, 0xc4};
constexpr MaskingKey text_key{0x5f, 0x18, 0xb3, 0x6d};

// 16 octets (RFC 6455 section 4.1), different for each handshake; chance is not needed here.
std::string make_key(std::size_t number) {
  std::array<std::uint8_t, 16> nonce{};
  std::memcpy(nonce.data(), &number, sizeof number);
  std::array<std::uint8_t, 32> encoded;
  const int length = EVP_EncodeBlock(encoded.data(), nonce.data(), nonce.size());
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(length)};
}

bool has_accept(std::string_view head, std::string_view key) {
  const std::string accept = accept_of(key);
  const std::size_t at = head.find(accept);
  return at != std::string_view::npos && head.substr(at + accept.size(), 2) == "\r\n";
}

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\r')); }

std::span<const std::uint8_t> octets_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

Crowd::Crowd(Target target, std::span<Messages> messages, Observer& observer, std::size_t clients,
             Waiting waiting)
    : target_(std::move(target)),
      messages_(messages),
      observer_(observer),
      poller_(waiting),
      clients_(clients),
      received_(receive_octets_max) {
  if (target_.tls) tls_.emplace();
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    clients_[i].index = i;
  }
}

void Crowd::open(Client& client) {
  assert(client.state == Client::State::Closed);
  const std::size_t number = opened_total_++;
  const sockaddr_in* source =
      target_.sources.empty() ? nullptr : &target_.sources[number % target_.sources.size()];
  const std::size_t index = client.index;
  auto socket = dial(target_.addresses[index % target_.addresses.size()], source);
  client = Client{};
  client.index = index;
  if (!target_.greeting.empty()) {
    expect_text(client, target_.greeting);
  }
  if (!socket) {
    fail(client, socket.error());
    return;
  }
  client.socket = Stream(std::move(*socket), tls_ ? &*tls_ : nullptr);
  client.state = Client::State::Handshake;
  client.key = make_key(number);
  poller_.add(client.socket.number(), EPOLLIN, &client);
  send_request(client, number);
}

void Crowd::send_request(Client& client, std::size_t number) {
  const bool is_first = client.index == 0 && !target_.first_path.empty();
  std::string path = is_first ? target_.first_path : target_.path;
  std::string authorization;
  if (!target_.tokens.empty()) {
    const std::string& token = target_.tokens[number % target_.tokens.size()];
    if (target_.tokens_in_query) {
      path += (path.contains('?') ? "&token=" : "?token=") + token;
    } else {
      authorization = fmt::format("Authorization: Bearer {}\r\n", token);
    }
  }
  const std::string request = fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n{}\r\n",
      path, target_.authority, client.key, authorization);
  write(client, octets_of(request));
}

bool Crowd::open_all(std::int64_t deadline_ns) {
  std::size_t begun = 0;
  while (open_count_ < clients_.size() && fault_count_ == 0) {
    while (begun < clients_.size() && begun - open_count_ < handshakes_max) {
      open(clients_[begun++]);
    }
    const std::int64_t left_ns = deadline_ns - now_ns();
    if (left_ns <= 0) {
      const auto late = std::find_if(clients_.begin(), clients_.end(), [](const Client& client) {
        return client.state == Client::State::Handshake;
      });
      fail(*late, "not open in time");
      break;
    }
    turn(left_ns);
  }
  return fault_count_ == 0;
}

void Crowd::send(Client& client, std::uint32_t messages) {
  while (messages > 0 && client.unsent.empty() && client.state == Client::State::Open) {
    Messages& of_client = messages_of(client);
    const std::uint32_t count = std::min(messages, of_client.frames_max());
    const auto frames = of_client.frames(client.sent, count);
    client.sent += count;
    messages -= count;
    write(client, frames);
  }
  client.owed += messages;
}

void Crowd::publish(Client& publisher, std::uint32_t first, std::uint32_t messages) {
  write(publisher, messages_of(publisher).frames(first, messages));
}

void Crowd::say(Client& client, std::string_view text) {
  std::vector<std::uint8_t> frame(frame_head_octets_max + text.size());
  const std::size_t head_octets = write_frame_head(
      frame.data(), {.opcode = Opcode::Text, .key = text_key, .payload_octets = text.size()});
  mask(frame.data() + head_octets, octets_of(text).data(), text.size(), text_key, 0);
  write(client, {frame.data(), head_octets + text.size()});
}

void Crowd::expect_text(Client& client, std::string beginning) {
  client.awaited.push_back(std::move(beginning));
}

void Crowd::drop(Client& client) { end(client); }

void Crowd::close(Client& client) {
  client.state = Client::State::Closing;
  write(client, octets_of(control_frame(Opcode::Close, "\x03\xe8", control_key)));  // 1000
}

bool Crowd::close_all(std::int64_t deadline_ns) {
  for (Client& client : clients_) {
    if (client.state == Client::State::Open) {
      close(client);
    }
  }
  while (open_count_ > 0 && fault_count_ == 0) {
    const std::int64_t left_ns = deadline_ns - now_ns();
    if (left_ns <= 0) {
      const auto late = std::find_if(clients_.begin(), clients_.end(), [](const Client& client) {
        return client.state == Client::State::Closing;
      });
      fail(*late, "not closed in time");
      break;
    }
    turn(left_ns);
  }
  return fault_count_ == 0;
}

void Crowd::turn(std::int64_t timeout_ns) {
  for (const epoll_event& event : poller_.wait(timeout_ns)) {
    on_event(*static_cast<Client*>(event.data.ptr), event.events);
  }
}

void Crowd::on_event(Client& client, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0 || client.socket.sends_after_reading()) {
    flush(client);
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && client.socket.open()) {
    receive(client);
  }
}

void Crowd::receive(Client& client) {
  while (receive_some(client) && client.socket.has_more()) {
  }
}

// False: there was nothing, or the client is closed.
bool Crowd::receive_some(Client& client) {
  const ssize_t count = client.socket.receive(received_);
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) {
      fail(client, std::strerror(errno));
    }
    return false;
  }
  if (count == 0) {
    if (client.state == Client::State::Closing && client.echoed == client.sent) {
      end(client);
    } else {
      fail(client, "the connection ended unasked");
    }
    return false;
  }
  std::span<const std::uint8_t> octets{received_.data(), static_cast<std::size_t>(count)};
  if (client.state == Client::State::Handshake && !read_answer(client, octets)) {
    return client.state != Client::State::Closed;
  }
  const std::uint32_t before = client.echoed;
  if (!octets.empty() && !read_frames(client, octets)) {
    return false;
  }
  if (client.echoed != before) {
    observer_.on_echoes(client, client.echoed - before);
  }
  return client.state != Client::State::Closed;
}

bool Crowd::read_answer(Client& client, std::span<const std::uint8_t>& octets) {
  const std::size_t before = client.answer.size();
  client.answer.append(reinterpret_cast<const char*>(octets.data()),
                       std::min(octets.size(), answer_octets_max - before));
  const std::size_t end = client.answer.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (client.answer.size() == answer_octets_max) {
      fail(client, "the head of the answer is too long");
    }
    return false;
  }
  const std::string_view head = std::string_view{client.answer}.substr(0, end + 2);
  if (!head.starts_with("HTTP/1.1 101 ")) {
    fail(client, fmt::format("answered '{}'", first_line(head)));
    return false;
  }
  if (!has_accept(head, client.key)) {
    fail(client, "the 101 has a wrong Sec-WebSocket-Accept");
    return false;
  }
  octets = octets.subspan(end + 4 - before);
  client.answer = std::string{};
  client.state = Client::State::Open;
  ++open_count_;
  observer_.on_open(client);
  return client.state == Client::State::Open;
}

bool Crowd::read_frames(Client& client, std::span<const std::uint8_t> octets) {
  while (!octets.empty()) {
    if (!client.in_frame) {
      while (read_whole_echo(client, octets)) {
      }
      if (octets.empty() || client.state == Client::State::Closed) {
        break;
      }
      if (!read_head(client, octets)) {
        break;
      }
    }
    if (!read_payload(client, octets)) {
      break;
    }
  }
  return client.state != Client::State::Closed;
}

// The common case: one frame, whole, in the receive buffer.
bool Crowd::read_whole_echo(Client& client, std::span<const std::uint8_t>& octets) {
  Messages& messages = messages_of(client);
  const auto head = messages.received_head();
  const std::size_t frame_octets = head.size() + messages.octets();
  if (client.head_octets > 0 || client.in_message || octets.size() < frame_octets ||
      !client.awaited.empty() || client.echoed == client.sent ||
      std::memcmp(octets.data(), head.data(), head.size()) != 0) {
    return false;
  }
  const auto payload = octets.subspan(head.size(), messages.octets());
  if (!messages.matches(client.echoed, 0, payload)) {
    fail_changed(client, payload);
    return false;
  }
  ++client.echoed;
  octets = octets.subspan(frame_octets);
  return true;
}

// False: the head is not complete, or is wrong.
bool Crowd::read_head(Client& client, std::span<const std::uint8_t>& octets) {
  const std::size_t kept = client.head_octets;
  const std::size_t taken = std::min(client.head.size() - kept, octets.size());
  std::copy_n(octets.begin(), taken, client.head.begin() + static_cast<std::ptrdiff_t>(kept));
  client.head_octets += taken;
  const auto head = read_frame_head({client.head.data(), client.head_octets});
  if (!head) {
    octets = octets.subspan(taken);
    return false;
  }
  octets = octets.subspan(head->head_octets - kept);
  client.head_octets = 0;
  client.frame = *head;
  client.frame_left = head->payload_octets;
  client.in_frame = true;
  client.control.clear();
  if (head->key) {
    fail(client, "a frame to a client is masked");
  } else if (is_control(head->opcode)) {
    if (!head->fin || head->payload_octets > control_payload_octets_max) {
      fail(client, "a control frame is fragmented or too long");
    }
  } else if (head->opcode !=
             (client.in_message ? Opcode::Continuation : messages_of(client).opcode())) {
    fail(client, fmt::format("a frame has opcode {}", static_cast<int>(head->opcode)));
  } else if (client.echoed == client.sent && client.awaited.empty()) {
    fail(client, "a message came that was not sent");
  } else {
    client.in_message = true;
  }
  return client.state != Client::State::Closed;
}

bool Crowd::read_payload(Client& client, std::span<const std::uint8_t>& octets) {
  const auto taken = octets.first(
      static_cast<std::size_t>(std::min<std::uint64_t>(client.frame_left, octets.size())));
  octets = octets.subspan(taken.size());
  client.frame_left -= taken.size();
  if (is_control(client.frame.opcode)) {
    client.control.append(reinterpret_cast<const char*>(taken.data()), taken.size());
  } else if (!client.awaited.empty()) {
    if (client.text.size() + taken.size() > text_octets_max) {
      fail(client, "a text is too long");
      return false;
    }
    client.text.append(reinterpret_cast<const char*>(taken.data()), taken.size());
  } else {
    if (!messages_of(client).matches(client.echoed, client.message_at, taken)) {
      fail_changed(client, taken);
      return false;
    }
    client.message_at += taken.size();
  }
  return client.frame_left > 0 || end_of_frame(client);
}

bool Crowd::end_of_frame(Client& client) {
  client.in_frame = false;
  if (is_control(client.frame.opcode)) {
    return on_control(client);
  }
  if (!client.frame.fin) {
    return true;
  }
  client.in_message = false;
  if (!client.awaited.empty()) {
    return end_of_text(client);
  }
  if (const std::size_t octets = messages_of(client).octets(); client.message_at != octets) {
    fail(client,
         fmt::format("a message of {} octets came back with {}", octets, client.message_at));
    return false;
  }
  client.message_at = 0;
  ++client.echoed;
  return true;
}

bool Crowd::end_of_text(Client& client) {
  if (!client.text.starts_with(client.awaited.front())) {
    fail_changed(client, octets_of(client.text));
    return false;
  }
  client.text.clear();
  client.awaited.erase(client.awaited.begin());
  return true;
}

bool Crowd::on_control(Client& client) {
  if (client.frame.opcode == Opcode::Ping) {
    // Behind what is being sent: `unsent` ends with a frame's end.
    write(client, octets_of(control_frame(Opcode::Pong, client.control, control_key)));
    return client.state != Client::State::Closed;
  }
  if (client.frame.opcode == Opcode::Close && client.state != Client::State::Closing) {
    const int code = client.control.size() < 2 ? 0
                                               : static_cast<std::uint8_t>(client.control[0]) << 8 |
                                                     static_cast<std::uint8_t>(client.control[1]);
    fail(client, fmt::format("closed unasked with {}", code));
    return false;
  }
  return true;
}

void Crowd::write(Client& client, std::span<const std::uint8_t> octets) {
  if (client.state == Client::State::Closed) {
    return;
  }
  std::size_t written = 0;
  if (client.unsent.empty()) {
    const ssize_t count = client.socket.send(octets);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
      fail(client, std::strerror(errno));
      return;
    }
    written = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
  }
  if (written < octets.size()) {
    client.unsent.append(reinterpret_cast<const char*>(octets.data()) + written,
                         octets.size() - written);
    watch_writing(client, !client.socket.sends_after_reading());
  }
}

void Crowd::flush(Client& client) {
  if (client.state == Client::State::Closed) {
    return;
  }
  const std::string unsent = std::exchange(client.unsent, {});
  write(client, octets_of(unsent));
  if (client.state == Client::State::Closed || !client.unsent.empty()) {
    return;
  }
  watch_writing(client, false);
  if (client.owed > 0 && client.state == Client::State::Open) {
    send(client, std::exchange(client.owed, 0));
  }
}

void Crowd::watch_writing(Client& client, bool on) {
  if (client.waits_to_write != on) {
    client.waits_to_write = on;
    poller_.change(client.socket.number(), on ? EPOLLIN | EPOLLOUT : EPOLLIN, &client);
  }
}

void Crowd::fail(Client& client, std::string_view what) {
  ++fault_count_;
  if (first_fault_.empty()) {
    first_fault_ = fmt::format("client {}: {}", client.index, what);
  }
  end(client);
}

void Crowd::fail_changed(Client& client, std::span<const std::uint8_t> came) {
  constexpr std::size_t shown_max = 160;
  std::string shown;
  for (const std::uint8_t octet : came.first(std::min(came.size(), shown_max))) {
    shown += octet >= ' ' && octet <= '~' ? static_cast<char>(octet) : '.';
  }
  fail(client, fmt::format("a message came changed, out of order or in another's place, after {}: "
                           "{}",
                           client.echoed, shown));
}

void Crowd::end(Client& client) {
  const Client::State before = std::exchange(client.state, Client::State::Closed);
  client.socket.reset();
  if (before == Client::State::Open || before == Client::State::Closing) {
    --open_count_;
  }
  if (before != Client::State::Closed) {
    observer_.on_closed(client);
  }
}

}  // namespace tests::bench
