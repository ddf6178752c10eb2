#include "auth/room_pattern.h"

#include <array>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "auth/captures.h"

using auth::capability_pattern_fits;
using auth::RoomPattern;
using CaptureList = std::vector<std::pair<std::string_view, std::string_view>>;

namespace {

// What is wrong with it; empty: nothing.
std::string fault(std::string_view text) {
  const auto pattern = RoomPattern::parse(text);
  return pattern ? std::string() : pattern.error();
}

bool matches(std::string_view pattern, std::string_view room) {
  CaptureList captures;
  return RoomPattern::parse(pattern).value().matches(room, captures);
}

// "a=1 b=2", or "no".
std::string captured(std::string_view pattern_text, std::string_view room) {
  const RoomPattern pattern = RoomPattern::parse(pattern_text).value();
  CaptureList captures;
  if (!pattern.matches(room, captures)) return "no";
  std::string text;
  for (const auto& [name, value] : captures) {
    if (!text.empty()) text += ' ';
    text += std::string(name) + '=' + std::string(value);
  }
  return text;
}

std::string repeated(std::string_view text, int times) {
  std::string whole;
  for (int count = 0; count < times; ++count) whole += text;
  return whole;
}

// The meaning of a pattern that parse() takes, said as plainly as it can be: each wildcard is tried
// with every length, the shortest first.
bool naive(std::string_view pattern, std::string_view room, CaptureList& captures);

bool naive_capture(std::string_view pattern, std::string_view room, CaptureList& captures) {
  const std::size_t close = pattern.find('}');
  const bool rest = pattern[close - 1] == '+';
  const std::string_view name = pattern.substr(1, close - 1 - (rest ? 1 : 0));
  for (std::size_t octets = 1; octets <= room.size(); ++octets) {
    const std::string_view run = room.substr(0, octets);
    if (!rest && run.find_first_of(":/.") != run.npos) return false;
    captures.emplace_back(name, run);
    if (naive(pattern.substr(close + 1), room.substr(octets), captures)) return true;
    captures.pop_back();
  }
  return false;
}

bool naive(std::string_view pattern, std::string_view room, CaptureList& captures) {
  if (pattern.empty()) return room.empty();
  if (pattern.front() == '{') return naive_capture(pattern, room, captures);
  if (pattern.front() == '*') {
    for (std::size_t octets = 0; octets <= room.size(); ++octets) {
      if (naive(pattern.substr(1), room.substr(octets), captures)) return true;
    }
    return false;
  }
  return !room.empty() && room.front() == pattern.front() &&
         naive(pattern.substr(1), room.substr(1), captures);
}

// As naive(), where '*' alone is special.
bool naive_glob(std::string_view pattern, std::string_view room) {
  if (pattern.empty()) return room.empty();
  if (pattern.front() == '*') {
    return naive_glob(pattern.substr(1), room) ||
           (!room.empty() && naive_glob(pattern, room.substr(1)));
  }
  return !room.empty() && room.front() == pattern.front() &&
         naive_glob(pattern.substr(1), room.substr(1));
}

// Few letters, so that by chance things are often the same; its choices are the same in each run.
class Chance {
 public:
  std::size_t below(std::size_t bound) { return random_() % bound; }

  std::string letters(std::string_view alphabet, std::size_t octets_max) {
    std::string text;
    for (std::size_t left = below(octets_max + 1); left > 0; --left) {
      text += alphabet[below(alphabet.size())];
    }
    return text;
  }

  std::string pattern() {
    std::string text;
    for (std::size_t pieces = 1 + below(7), piece = 0; piece < pieces; ++piece) {
      const std::string name(1, static_cast<char>('p' + piece));
      const std::array<std::string, 6> choices = {
          "*", "{" + name + "}:", "{" + name + "}.", "{" + name + "}", "{" + name + "+}", ""};
      text += choices[below(choices.size())] + letters("ab:.", 2);
    }
    return text;
  }

  // Something that the pattern may match: its wildcards replaced, now and then one octet another.
  std::string room_of(std::string_view pattern) {
    std::string room;
    for (std::size_t at = 0; at < pattern.size(); ++at) {
      if (pattern[at] == '*') {
        room += letters("ab:.", 3);
      } else if (pattern[at] == '{') {
        at = pattern.find('}', at);
        room += letters("ab", 2) + letters("ab:.", 1);
      } else {
        room += pattern[at];
      }
    }
    if (!room.empty() && below(4) == 0) room[below(room.size())] = "ab:."[below(4)];
    return room;
  }

 private:
  std::minstd_rand random_{20261127};
};

}  // namespace

TEST_SUITE("Patterns of rooms") {
  TEST_CASE("a literal is the whole name, octet by octet") {
    CHECK(matches("ops", "ops"));
    for (const char* other : {"op", "opss", "oops", "Ops", "", "ops ", "o"}) {
      CAPTURE(other);
      CHECK_FALSE(matches("ops", other));
    }
    CHECK(matches("caf\xc3\xa9", "caf\xc3\xa9"));
    CHECK_FALSE(matches("caf\xc3\xa9", "cafe\xcc\x81"));
    CHECK(matches("a?[b]+\\$", "a?[b]+\\$"));
    CHECK_FALSE(matches("a.c", "abc"));
  }

  TEST_CASE("'*' is any run, also an empty one and one across ':' '/' and '.'") {
    CHECK(matches("*", "anything/at:all."));
    CHECK(matches("public-*", "public-"));
    CHECK(matches("public-*", "public-a:b/c.d"));
    CHECK_FALSE(matches("public-*", "public"));
    CHECK_FALSE(matches("public-*", "xpublic-a"));
    CHECK(matches("*-log", "-log"));
    CHECK(matches("*-log", "a-log-log"));
    CHECK_FALSE(matches("*-log", "a-log-"));
    CHECK(matches("a*b*c", "a-b-b-c-c"));
    CHECK_FALSE(matches("a*b*c", "a-c-b"));
    CHECK_FALSE(matches("ab*ba", "aba"));
    CHECK(matches("a**b", "ab"));
  }

  TEST_CASE("a capture is a non-empty run up to ':' '/' or '.', or the end") {
    CHECK(captured("team:{team}", "team:red") == "team=red");
    CHECK(captured("team:{team}", "team:") == "no");
    CHECK(captured("team:{team}", "team") == "no");
    for (const char* longer :
         {"team:red:1", "team:red/1", "team:red.1", "team:red:", "team::red"}) {
      CAPTURE(longer);
      CHECK(captured("team:{team}", longer) == "no");
    }
    CHECK(captured("{a}:{b}/{c}.{d}", "1:2/3.4") == "a=1 b=2 c=3 d=4");
    CHECK(captured("{a}:{b}/{c}.{d}", "1/2:3.4") == "no");
    CHECK(captured("{a}:x", ":x") == "no");
    CHECK(captured("doc-{id}.{part}", "doc-a-b*{id}.{part}") == "id=a-b*{id} part={part}");
    CHECK(captured("{room}", "\xf0\x9f\x92\xac \xc3\xa9") == "room=\xf0\x9f\x92\xac \xc3\xa9");
  }

  TEST_CASE("{name+} takes all that is left, but not nothing") {
    CHECK(captured("files/{path+}", "files/a/b.c:d") == "path=a/b.c:d");
    CHECK(captured("files/{path+}", "files//") == "path=/");
    CHECK(captured("files/{path+}", "files/") == "no");
    CHECK(captured("{all+}", "x") == "all=x");
    CHECK(captured("{a}:{rest+}", "1:2:3") == "a=1 rest=2:3");
  }

  TEST_CASE("of several readings the one counts in which each '*', from the left, is shortest") {
    CHECK(captured("*:{b}", "1:2:3") == "b=3");
    CHECK(captured("*:{b}:*", "1:2:3:4") == "b=2");
    CHECK(captured("*x{b}", "axbxc") == "b=bxc");
    CHECK(captured("*{b}", "bluered") == "b=bluered");
    CHECK(captured("*:{b}.c*{rest+}", "1:2:x.c.c") == "b=x rest=.c");
    CHECK(captured("*-{a}:*-{b}.z", "q-1.-2:-3:-4.z") == "a=2 b=4");
  }

  TEST_CASE("captures are appended, and only where the whole pattern matched") {
    const RoomPattern pattern = RoomPattern::parse("*{a}:{b}.end").value();
    CaptureList captures = {{"user", "alice"}};
    CHECK_FALSE(pattern.matches("1:2.en", captures));
    CHECK(captures == CaptureList{{"user", "alice"}});
    CHECK(pattern.matches("1:2.end", captures));
    CHECK(captures == CaptureList{{"user", "alice"}, {"a", "1"}, {"b", "2"}});
  }

  TEST_CASE("without a capture nothing is allocated for one") {
    CaptureList captures;
    CHECK(RoomPattern::parse("a*c").value().matches("abc", captures));
    CHECK_FALSE(RoomPattern::parse("{a}:{b}:c").value().matches("1:2:3", captures));
    CHECK(captures.capacity() == 0);
  }

  TEST_CASE("a pattern keeps its text and names its captures, in order, also when copied") {
    const auto original = RoomPattern::parse("a*{b}:{_1}/{rest+}");
    REQUIRE(original);
    const RoomPattern copy = *original;
    CHECK(copy.text() == "a*{b}:{_1}/{rest+}");
    CHECK(copy.capture_names() == std::vector<std::string_view>{"b", "_1", "rest"});
    CHECK(copy.capture_names().front().data() == copy.text().data() + 3);
    CHECK(RoomPattern::parse("a*").value().capture_names().empty());
  }

  TEST_CASE("what is no pattern is an error that says what to write") {
    const std::pair<std::string_view, std::string_view> faults[] = {
        {"", "an empty pattern matches no room: write '*' for every room"},
        {"a{", "'{' without '}': a capture is written '{name}'"},
        {"{a{b}", "'{' without '}': a capture is written '{name}'"},
        {"a}b", "'}' without '{': a capture is written '{name}'"},
        {"{a}}", "'{a}' ends at ':', '/' or '.': write one of these after it, or nothing"},
        {"{a}-x", "'{a}' ends at ':', '/' or '.': write one of these after it, or nothing"},
        {"{a}*", "'{a}' ends at ':', '/' or '.': write one of these after it, or nothing"},
        {"{a}{b}", "'{a}' ends at ':', '/' or '.': write one of these after it, or nothing"},
        {"{a+}:b", "'{a+}' takes all that is left: write it at the end, or '{a}'"},
        {"{a+}*", "'{a+}' takes all that is left: write it at the end, or '{a}'"},
        {"{a}:{b}:{a}", "'{a}' is there twice: give each capture a name of its own"},
        {"{a}:{a+}", "'{a}' is there twice: give each capture a name of its own"},
    };
    for (const auto& [text, expected] : faults) {
      CAPTURE(text);
      CHECK(fault(text) == expected);
    }
  }

  TEST_CASE("a capture has a name of letters, digits and '_'") {
    for (const char* text :
         {"{}", "{+}", "{9}", "{a b}", "{a-b}", "{a++}", "{*}", "{a:b}", "{\xc3\xa9}", "{ a}"}) {
      CAPTURE(text);
      const std::string expected =
          "'" + std::string(text) + "' is no capture: write a name of letters, digits and '_'";
      CHECK(fault(text).starts_with(expected));
    }
    for (const char* text : {"{a}", "{_}", "{A9_z}", "{a+}"}) CHECK(fault(text).empty());
  }

  TEST_CASE("at most 256 octets of UTF-8 without control characters") {
    CHECK(fault(std::string(256, 'a')).empty());
    CHECK(fault(std::string(257, 'a')) == "a pattern has at most 256 octets");
    for (const std::string_view text :
         {std::string_view("a\n"), std::string_view("\0", 1), std::string_view("\x7f*"),
          std::string_view("\xc2\x80"), std::string_view("\xff"), std::string_view("{a\xc3}")}) {
      CHECK(fault(text) == "no room has this name: a pattern is UTF-8 without control characters");
    }
  }

  TEST_CASE("at most 8 of '*' and captures together") {
    constexpr std::string_view many = "a pattern has at most 8 of '*' and '{name}' together";
    CHECK(fault("********").empty());
    CHECK(fault("*********") == many);
    CHECK(fault("{a}:{b}:{c}:{d}:*:*:*:{e+}").empty());
    CHECK(fault("{a}:{b}:{c}:{d}:*:*:*:*:{e+}") == many);
    CHECK(captured("{a}:{b}:{c}:{d}:{e}:{f}:{g}:{h}", "1:2:3:4:5:6:7:8") ==
          "a=1 b=2 c=3 d=4 e=5 f=6 g=7 h=8");
  }

  TEST_CASE("a room of more than 256 octets matches nothing") {
    CHECK(matches("*", std::string(256, 'r')));
    CHECK_FALSE(matches("*", std::string(257, 'r')));
    CHECK_FALSE(matches("{all+}", std::string(257, 'r')));
  }

  // By trying every combination of lengths each of these takes years.
  TEST_CASE("the longest rooms and the worst patterns take no time") {
    const std::string room(256, 'a');
    CHECK_FALSE(matches("*a*a*a*a*a*a*a*b", room));
    CHECK(matches("*a*a*a*a*a*a*a*a", room));
    CHECK_FALSE(matches("*a*a*a*a{b}:c", room));
    CHECK_FALSE(matches("*{a}:*{b}:*{c}:*{d}:c", repeated("a:", 128)));
    CHECK_FALSE(matches("*" + std::string(200, 'a') + "*" + std::string(50, 'a') + "b", room));
  }

  TEST_CASE("random patterns match what a naive reading of them matches, and capture the same") {
    Chance chance;
    int parsed = 0, matched = 0, with_captures = 0;
    for (int count = 0; count < 20'000; ++count) {
      const std::string text = chance.pattern();
      const auto pattern = RoomPattern::parse(text);
      if (!pattern) continue;
      ++parsed;
      const std::string room =
          chance.below(4) == 0 ? chance.letters("ab:.", 10) : chance.room_of(text);
      CaptureList captures, expected;
      const bool fits = pattern->matches(room, captures);
      CAPTURE(text);
      CAPTURE(room);
      REQUIRE(fits == naive(text, room, expected));
      REQUIRE(captures == expected);
      matched += fits ? 1 : 0;
      with_captures += captures.empty() ? 0 : 1;
    }
    CHECK(parsed > 5'000);
    CHECK(matched > 1'000);
    CHECK(parsed - matched > 1'000);
    CHECK(with_captures > 500);
  }
}

TEST_SUITE("Patterns of a capability") {
  TEST_CASE("'*' is any run, anything else is itself") {
    CHECK(capability_pattern_fits("doc-*", "doc-"));
    CHECK(capability_pattern_fits("doc-*", "doc-7:a/b.c"));
    CHECK_FALSE(capability_pattern_fits("doc-*", "doc"));
    CHECK_FALSE(capability_pattern_fits("doc-*", "my-doc-7"));
    CHECK(capability_pattern_fits("chat-7", "chat-7"));
    CHECK_FALSE(capability_pattern_fits("chat-7", "chat-77"));
    CHECK_FALSE(capability_pattern_fits("chat-7", "Chat-7"));
    CHECK(capability_pattern_fits("*", "*"));
    CHECK(capability_pattern_fits("a*b", "a*b"));
  }

  TEST_CASE("braces capture nothing there") {
    CHECK(capability_pattern_fits("team:{team}", "team:{team}"));
    CHECK_FALSE(capability_pattern_fits("team:{team}", "team:red"));
    CHECK(capability_pattern_fits("}{*", "}{x"));
    CHECK_FALSE(capability_pattern_fits("{all+}", "x"));
  }

  TEST_CASE("an empty pattern grants no room") { CHECK_FALSE(capability_pattern_fits("", "r")); }

  TEST_CASE("at most 256 octets, of the pattern and of the room") {
    const std::string room(256, 'r');
    CHECK(capability_pattern_fits(room, room));
    CHECK(capability_pattern_fits(std::string(256, '*'), room));
    CHECK_FALSE(capability_pattern_fits(std::string(257, '*'), room));
    CHECK_FALSE(capability_pattern_fits("*", room + "r"));
  }

  TEST_CASE("the worst of them take no time") {
    const std::string room(256, 'a');
    CHECK_FALSE(capability_pattern_fits("*a*a*a*a*a*a*a*b", room));
    CHECK_FALSE(capability_pattern_fits(repeated("*a", 127) + "*b", room));
    CHECK(capability_pattern_fits(repeated("*a", 128), room));
  }

  TEST_CASE("random patterns fit what a naive reading of them fits") {
    Chance chance;
    int fitted = 0;
    for (int count = 0; count < 20'000; ++count) {
      const std::string pattern = chance.letters("ab**{", 7);
      const std::string room =
          chance.below(2) == 0 ? chance.letters("ab*{", 8) : chance.room_of(pattern + '}');
      CAPTURE(pattern);
      CAPTURE(room);
      const bool fits = capability_pattern_fits(pattern, room);
      REQUIRE(fits == naive_glob(pattern, room));
      fitted += fits ? 1 : 0;
    }
    CHECK(fitted > 1'000);
    CHECK(fitted < 19'000);
  }
}
