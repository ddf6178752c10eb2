#include "gateway/log.h"

#include <thread>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

#include "tests/gateway/captured_log.h"

using namespace gateway;
using tests::CapturedLog;

namespace {

std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 4096> octets;
  ssize_t count = 0;
  while ((count = read(descriptor, octets.data(), octets.size())) > 0) {
    text.append(octets.data(), static_cast<std::size_t>(count));
  }
  return text;
}

struct Pipe {
  std::array<int, 2> ends{};
  Pipe() { REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0); }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(int end) {
    if (ends[end] >= 0) close(ends[end]);
    ends[end] = -1;
  }
};

// What a full disk is to a file: writes stop at a size, and go on later.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t octets) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = octets, .rlim_max = before_.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

// The number of a field of the line, or 0.
std::size_t number_after(std::string_view line, std::string_view name) {
  const std::size_t at = line.find(name);
  return at == line.npos ? 0 : std::stoul(std::string(line.substr(at + name.size())));
}

}  // namespace

TEST_SUITE("the process log") {
  TEST_CASE("another level and format hold for the lines from then on") {
    CapturedLog captured(LogLevel::Info);
    captured.log().write(LogLevel::Info, "first");
    captured.log().set(LogLevel::Warn, LogFormat::Text);
    captured.log().write(LogLevel::Info, "second");
    captured.log().write(LogLevel::Warn, "third");
    const auto lines = captured.lines();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].contains("\"event\":\"first\""));
    CHECK(lines[1].contains("third"));
    CHECK_FALSE(lines[1].contains("\"event\""));
  }

  TEST_CASE("lines are there when the log has ended, in their order") {
    CapturedLog captured;
    for (int i = 0; i < 1'000; ++i) captured.log().write(LogLevel::Info, "e", {{"i", i}});
    const auto lines = captured.lines();
    REQUIRE(lines.size() == 1'000);
    for (int i = 0; i < 1'000; ++i) {
      CHECK(lines[i] == R"({"level":"info","event":"e","i":)" + std::to_string(i) + '}');
    }
  }

  TEST_CASE("the format is the one asked for") {
    CapturedLog captured(LogLevel::Info, LogFormat::Text);
    captured.log().write(LogLevel::Error, "e", {{"what", "x y"}});
    CHECK(captured.lines() == std::vector<std::string>{"error e what=\"x y\""});
  }

  TEST_CASE("a level and those above it are written, those below are not") {
    CapturedLog captured(LogLevel::Warn);
    CHECK_FALSE(captured.log().enabled(LogLevel::Debug));
    CHECK_FALSE(captured.log().enabled(LogLevel::Info));
    CHECK(captured.log().enabled(LogLevel::Warn));
    CHECK(captured.log().enabled(LogLevel::Error));
    captured.log().write(LogLevel::Debug, "debug");
    captured.log().write(LogLevel::Info, "info");
    captured.log().write(LogLevel::Warn, "warn");
    captured.log().write(LogLevel::Error, "error");
    CHECK(captured.lines() == std::vector<std::string>{R"({"level":"warn","event":"warn"})",
                                                       R"({"level":"error","event":"error"})"});
  }

  TEST_CASE("four threads write whole lines") {
    CapturedLog captured;
    constexpr int lines_each = 500;
    {
      std::vector<std::jthread> threads;
      for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&captured, thread] {
          for (int i = 0; i < lines_each; ++i) {
            captured.log().write(LogLevel::Info, "e",
                                 {{"thread", thread}, {"text", std::string(200, 'x')}});
          }
        });
      }
    }
    const auto lines = captured.lines();
    CHECK(lines.size() == 4 * lines_each);
    for (const std::string& line : lines) {
      CHECK(line.starts_with(R"({"level":"info","event":"e","thread":)"));
      CHECK(line.ends_with("x\"}"));
    }
  }

  TEST_CASE("nobody waits for a pipe that is not read, and what is lost is counted") {
    Pipe pipe;
    constexpr std::size_t written = 5 * log_queue_lines_max;
    std::string text;
    {
      std::optional<Log> log(
          std::in_place, LogLevel::Info, LogFormat::Text,
          LogOutput{.descriptor = pipe.ends[1], .flush_timeout = std::chrono::minutes(1)});
      for (std::size_t i = 0; i < written; ++i) {
        log->write(LogLevel::Info, "e", {{"i", i}, {"fill", std::string(100, 'x')}});
      }
      // All of them were taken. Only now does anybody read.
      std::jthread reader([&] { text = read_all(pipe.ends[0]); });
      log.reset();
      pipe.close_end(1);
    }
    std::size_t read = 0;
    std::size_t lost = 0;
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      const std::string_view line = std::string_view(text).substr(at, text.find('\n', at) - at);
      if (line.find(" e i=") != line.npos) ++read;
      lost += number_after(line, "warn log_lines_lost lines=");
    }
    CHECK(lost > 0);
    CHECK(read + lost == written);
    CHECK(text.find("i=" + std::to_string(written - 1)) != text.npos);  // the oldest go, not this
  }

  TEST_CASE("lost lines are told of while the log goes on") {
    Pipe pipe;
    Log log(LogLevel::Info, LogFormat::Text,
            LogOutput{.descriptor = pipe.ends[1], .flush_timeout = std::chrono::milliseconds(0)});
    for (std::size_t i = 0; i < 5 * log_queue_lines_max; ++i) {
      log.write(LogLevel::Info, "e", {{"fill", std::string(100, 'x')}});
    }
    std::string text;
    pollfd readable{.fd = pipe.ends[0], .events = POLLIN, .revents = 0};
    while (text.find("warn log_lines_lost lines=") == text.npos) {
      REQUIRE(poll(&readable, 1, 10'000) == 1);
      std::array<char, 4096> octets;
      const ssize_t count = read(pipe.ends[0], octets.data(), octets.size());
      REQUIRE(count > 0);
      text.append(octets.data(), static_cast<std::size_t>(count));
    }
    CHECK(log.lines_lost() > 0);
  }

  TEST_CASE("a pipe that nobody reads does not hold up the end") {
    Pipe pipe;
    Log log(LogLevel::Info, LogFormat::Text,
            LogOutput{.descriptor = pipe.ends[1], .flush_timeout = std::chrono::milliseconds(0)});
    for (std::size_t i = 0; i < 2 * log_queue_lines_max; ++i) {
      log.write(LogLevel::Info, "e", {{"fill", std::string(100, 'x')}});
    }
  }

  TEST_CASE("a line that a full disk cut is ended before the next one") {
    CapturedLog captured(LogLevel::Info, LogFormat::Text);
    constexpr off_t full = 1'030;  // behind the "info " of a line
    std::size_t written = 20;
    {
      const FileSizeLimit limit(full);
      for (; captured.size() < full; ++written) captured.log().write(LogLevel::Info, "before");
      for (int i = 0; i < 10; ++i) captured.log().write(LogLevel::Info, "meanwhile");
    }
    for (int i = 0; i < 10; ++i) captured.log().write(LogLevel::Info, "after");
    std::size_t whole = 0;
    std::size_t lost = 0;
    for (const std::string& line : captured.lines()) {
      CAPTURE(line);
      CHECK(line.find("info", 1) == line.npos);
      lost += number_after(line, "warn log_lines_lost lines=");
      if (line == "info before" || line == "info meanwhile" || line == "info after") ++whole;
    }
    CHECK(whole + lost == written);
  }

  TEST_CASE("a reader that went away does not end the process") {
    Pipe pipe;
    pipe.close_end(0);
    Log log(LogLevel::Info, LogFormat::Text, LogOutput{.descriptor = pipe.ends[1]});
    log.write(LogLevel::Info, "e");
  }
}
