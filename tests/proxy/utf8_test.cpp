#include "proxy/utf8.h"

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace {

using proxy::Utf8Validator;
using MaskingKey = std::array<std::uint8_t, 4>;
using namespace std::literals;

// A second opinion, written from the table of RFC 3629 section 4 and nothing else: one octet at a
// time, with the range that the next octet must be in.
class Reference {
 public:
  bool receive(std::string_view octets) {
    for (const char octet : octets) {
      if (!step(static_cast<unsigned char>(octet))) return false;
    }
    return !broken_;
  }
  bool complete() const { return !broken_ && tails_ == 0; }

 private:
  bool step(unsigned char octet) {
    if (broken_) return false;
    if (tails_ > 0) {
      broken_ = octet < low_ || octet > high_;
      --tails_;
      low_ = 0x80;
      high_ = 0xBF;
      return !broken_;
    }
    if (octet < 0x80) return true;
    if (octet >= 0xC2 && octet <= 0xDF) return expect(1, 0x80, 0xBF);
    if (octet == 0xE0) return expect(2, 0xA0, 0xBF);
    if (octet == 0xED) return expect(2, 0x80, 0x9F);
    if (octet >= 0xE1 && octet <= 0xEF) return expect(2, 0x80, 0xBF);
    if (octet == 0xF0) return expect(3, 0x90, 0xBF);
    if (octet >= 0xF1 && octet <= 0xF3) return expect(3, 0x80, 0xBF);
    if (octet == 0xF4) return expect(3, 0x80, 0x8F);
    broken_ = true;
    return false;
  }
  bool expect(int tails, unsigned char low, unsigned char high) {
    tails_ = tails;
    low_ = low;
    high_ = high;
    return true;
  }

  bool broken_ = false;
  int tails_ = 0;
  unsigned char low_ = 0x80;
  unsigned char high_ = 0xBF;
};

bool reference_valid(std::string_view octets) {
  Reference reference;
  return reference.receive(octets) && reference.complete();
}

std::string masked(std::string_view octets, const MaskingKey& key, std::size_t offset) {
  std::string out;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    out += static_cast<char>(static_cast<unsigned char>(octets[i]) ^ key[(offset + i) % 4]);
  }
  return out;
}

constexpr MaskingKey sample_key = {0x37, 0xFA, 0x21, 0x3D};

const std::vector<std::string> valid_texts = {
    "",
    "a",
    "Hello",
    "\x7F"s,
    "\0"s,
    "\xC2\x80"s,
    "\xDF\xBF"s,
    "\xE0\xA0\x80"s,
    "\xED\x9F\xBF"s,
    "\xEE\x80\x80"s,
    "\xEF\xBF\xBF"s,
    "\xF0\x90\x80\x80"s,
    "\xF4\x8F\xBF\xBF"s,
    "\xEF\xBB\xBFzero width"s,
    "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5"s,  // of the Autobahn test suite, case 6.2
    "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"s,
};

const std::vector<std::string> broken_texts = {
    "\x80"s,  // a continuation that continues nothing
    "\xBF"s,
    "a\x80"s,
    "\xC0\x80"s,  // overlong
    "\xC1\xBF"s,
    "\xE0\x80\x80"s,
    "\xE0\x9F\xBF"s,
    "\xF0\x80\x80\x80"s,
    "\xF0\x8F\xBF\xBF"s,
    "\xED\xA0\x80"s,  // surrogates
    "\xED\xBF\xBF"s,
    "\xED\xA0\x80\xED\xB0\x80"s,
    "\xF4\x90\x80\x80"s,  // over U+10FFFF
    "\xF5\x80\x80\x80"s,
    "\xF8\x88\x80\x80\x80"s,
    "\xFE"s,
    "\xFF"s,
    "\xC3("s,
    "\xC3\xC3"s,
    "\xE2\x82("s,
    "\xE2("s,
    "\xF0\x9F\x98("s,
    "\xF0\x9F("s,
    "\xF0("s,
    "\xC3\xA9\xA9"s,
    "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80 edited"s,  // Autobahn, case 6.3
};

const std::vector<std::string> cut_texts = {"\xC3"s,        "\xE2"s,        "\xE2\x82"s,
                                            "\xF0"s,        "\xF0\x9F"s,    "\xF0\x9F\x98"s,
                                            "abc\xF4\x8F"s, "\xC3\xA9\xE0"s};

// Feeds the pieces to a validator and to the reference, which must agree after each.
void check_pieces(const std::vector<std::string_view>& pieces) {
  Utf8Validator plain;
  Utf8Validator unmasking;
  Reference reference;
  std::size_t offset = 0;
  for (const auto piece : pieces) {
    const bool expected = reference.receive(piece);
    CHECK(plain.receive(piece) == expected);
    CHECK(unmasking.receive_masked(masked(piece, sample_key, offset), sample_key, offset) ==
          expected);
    CHECK(plain.complete() == reference.complete());
    CHECK(unmasking.complete() == reference.complete());
    offset += piece.size();
  }
}

// A text that is mostly valid, of characters of all lengths, sometimes with one octet wrong.
std::string random_text(std::mt19937& random, std::size_t characters) {
  const auto pick = [&](unsigned low, unsigned high) {
    return static_cast<char>(std::uniform_int_distribution<unsigned>(low, high)(random));
  };
  std::string text;
  for (std::size_t i = 0; i < characters; ++i) {
    switch (random() % 8) {
      case 0:
        text += {pick(0xC2, 0xDF), pick(0x80, 0xBF)};
        break;
      case 1:
        text += {pick(0xE1, 0xEC), pick(0x80, 0xBF), pick(0x80, 0xBF)};
        break;
      case 2:
        text += {pick(0xF1, 0xF3), pick(0x80, 0xBF), pick(0x80, 0xBF), pick(0x80, 0xBF)};
        break;
      case 3:
        text += {pick(0xE0, 0xEF), pick(0x80, 0xBF), pick(0x80, 0xBF)};
        break;
      default:
        text += pick(0x00, 0x7F);
        break;
    }
  }
  if (!text.empty() && random() % 2) text[random() % text.size()] = pick(0x00, 0xFF);
  return text;
}

}  // namespace

TEST_SUITE("RFC 3629: UTF-8") {
  TEST_CASE("a text is valid, broken, or cut, and only the first is valid as a whole") {
    for (const auto& text : valid_texts) CHECK(proxy::valid_utf8(text));
    for (const auto& text : broken_texts) CHECK_FALSE(proxy::valid_utf8(text));
    for (const auto& text : cut_texts) CHECK_FALSE(proxy::valid_utf8(text));
  }

  TEST_CASE("every sequence of up to three octets is judged as the reference judges it") {
    for (unsigned value = 0; value < 0x10000; ++value) {
      const std::string two = {static_cast<char>(value >> 8), static_cast<char>(value)};
      REQUIRE(proxy::valid_utf8(two) == reference_valid(two));
      // The octets that decide a third: the borders of every range in the RFC's table.
      for (const char third : "\x7F\x80\x8F\x90\x9F\xA0\xBF\xC0"sv) {
        const auto three = two + third;
        REQUIRE(proxy::valid_utf8(three) == reference_valid(three));
      }
    }
  }
}

TEST_SUITE("RFC 6455 section 8.1: text as it arrives") {
  TEST_CASE("a valid text stays valid and ends complete, however it is cut") {
    for (const auto& text : valid_texts) {
      for (std::size_t first = 0; first <= text.size(); ++first) {
        for (std::size_t second = first; second <= text.size(); ++second) {
          const std::string_view view = text;
          Utf8Validator validator;
          CHECK(validator.receive(view.substr(0, first)));
          CHECK(validator.receive(view.substr(first, second - first)));
          CHECK(validator.receive(view.substr(second)));
          CHECK(validator.complete());
        }
      }
    }
  }

  TEST_CASE("a text that ends inside a character is not complete, and not broken either") {
    for (const auto& text : cut_texts) {
      Utf8Validator validator;
      CHECK(validator.receive(text));
      CHECK_FALSE(validator.complete());
    }
  }

  TEST_CASE("every cut in three of every tricky text is judged as the reference judges it") {
    auto texts = valid_texts;
    texts.insert(texts.end(), broken_texts.begin(), broken_texts.end());
    texts.insert(texts.end(), cut_texts.begin(), cut_texts.end());
    for (const auto& text : texts) {
      for (std::size_t first = 0; first <= text.size(); ++first) {
        for (std::size_t second = first; second <= text.size(); ++second) {
          const std::string_view view = text;
          check_pieces(
              {view.substr(0, first), view.substr(first, second - first), view.substr(second)});
        }
      }
    }
  }

  TEST_CASE("octet by octet, the first octet that makes a text impossible is refused at once") {
    for (const auto& text : broken_texts) {
      std::vector<std::string_view> octets;
      for (std::size_t i = 0; i < text.size(); ++i) {
        octets.push_back(std::string_view(text).substr(i, 1));
      }
      check_pieces(octets);
    }
    Utf8Validator validator;
    CHECK(validator.receive("\xF4"));
    CHECK_FALSE(validator.receive("\x90"));  // over U+10FFFF, though two octets are missing
  }

  TEST_CASE("a piece whose end can never become a character is refused with it") {
    for (const auto& piece : {"a\xF4\x90"s, "a\xED\xA0"s, "a\xE0\x80"s, "a\xF0\x80"s,
                              "\xF4\x90\x80"s, std::string(100, 'a') + "\xC0", "\xF0\x90\x41"s}) {
      Utf8Validator validator;
      CHECK_FALSE(validator.receive(piece));
    }
  }

  TEST_CASE("once broken, a text stays broken and is never complete") {
    Utf8Validator validator;
    CHECK_FALSE(validator.receive("\xFF"));
    CHECK_FALSE(validator.receive("a"));
    CHECK_FALSE(validator.receive(""));
    CHECK_FALSE(validator.receive_masked("", sample_key, 0));
    CHECK_FALSE(validator.receive_masked(masked("a", sample_key, 0), sample_key, 0));
    CHECK_FALSE(validator.complete());
  }

  TEST_CASE("its state is four octets") { CHECK(sizeof(Utf8Validator) == 4); }

  TEST_CASE("random texts in random pieces are judged as the reference judges them") {
    std::mt19937 random(6455);
    for (int round = 0; round < 3'000; ++round) {
      const auto text = random_text(random, random() % 200);
      std::vector<std::string_view> pieces;
      std::string_view rest = text;
      while (!rest.empty()) {
        const auto size = std::min<std::size_t>(rest.size(), random() % 150);
        pieces.push_back(rest.substr(0, size));
        rest.remove_prefix(size);
      }
      check_pieces(pieces);
      CHECK(proxy::valid_utf8(text) == reference_valid(text));
    }
  }

  TEST_CASE("a masked text longer than what is unmasked at once is read across its pieces") {
    for (std::size_t lead = 2'040; lead < 2'050; ++lead) {
      auto text = std::string(lead, 'a');
      for (int i = 0; i < 2'000; ++i) text += "\xF0\x9F\x98\x80";
      check_pieces({text});
      text[text.size() - 7] = '(';
      check_pieces({text});
    }
  }
}

TEST_SUITE("RFC 6455 section 5.3: masking") {
  TEST_CASE("the RFC's own example is unmasked") {
    std::string out(5, ' ');
    proxy::unmask("\x7F\x9F\x4D\x51\x58", sample_key, 0, out.data());
    CHECK(out == "Hello");
  }

  TEST_CASE("every length at every offset, elsewhere and in place") {
    std::mt19937 random(53);
    std::string octets(300, ' ');
    for (auto& octet : octets) octet = static_cast<char>(random());
    for (std::size_t size = 0; size <= octets.size(); ++size) {
      for (std::size_t offset = 0; offset < 8; ++offset) {
        const auto input = std::string_view(octets).substr(octets.size() - size);
        const auto expected = masked(input, sample_key, offset);
        std::string out(size + 1, '#');
        proxy::unmask(input, sample_key, offset, out.data());
        REQUIRE(out == expected + "#");
        std::string in_place(input);
        proxy::unmask(in_place, sample_key, offset, in_place.data());
        REQUIRE(in_place == expected);
      }
    }
  }

  TEST_CASE("masked ASCII is known as such; one other octet anywhere is seen") {
    for (std::size_t size = 0; size <= 200; ++size) {
      for (std::size_t offset = 0; offset < 5; ++offset) {
        auto octets = masked(std::string(size, '\x7F'), sample_key, offset);
        REQUIRE(proxy::unmask_is_ascii(octets, sample_key, offset));
        for (std::size_t place = 0; place < size; ++place) {
          octets[place] = static_cast<char>(octets[place] ^ 0x80);
          REQUIRE_FALSE(proxy::unmask_is_ascii(octets, sample_key, offset));
          octets[place] = static_cast<char>(octets[place] ^ 0x80);
        }
      }
    }
  }
}
