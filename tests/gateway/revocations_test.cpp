#include "gateway/revocations.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace gateway;
using namespace std::chrono_literals;
using auth::Revocation;
using Kind = Revocations::Change::Kind;

namespace {

constexpr auth::WallTime now{std::chrono::seconds(1'790'000'000)};

auth::Principal principal(std::string subject, std::optional<auth::WallTime> issued_at,
                          std::string token_id = {}) {
  auth::Principal made;
  made.subject = std::move(subject);
  made.issued_at = issued_at;
  made.token_id = std::move(token_id);
  return made;
}

bool meets(const Revocations& revocations, const auth::Principal& who, auth::WallTime at = now) {
  return revocations.meets(who.subject, revocations.mark_of(who), at);
}

Revocation of_alice(auth::WallTime issued_before = now) {
  return {"alice", issued_before, now + 1h};
}

std::vector<std::string> names(const std::vector<Revocation>& revocations) {
  std::vector<std::string> names;
  for (const auto& revocation : revocations) names.push_back(revocation.name);
  return names;
}

}  // namespace

TEST_SUITE("CONTRACT 7: which tokens are revoked") {
  TEST_CASE("none, where nothing is") {
    Revocations revocations;
    CHECK_FALSE(meets(revocations, principal("alice", now)));
    CHECK_FALSE(meets(revocations, principal("alice", {}, "5f0c")));
  }

  TEST_CASE("a subject's that were issued before, or in the same instant; a later login works") {
    Revocations revocations;
    CHECK(revocations.add(of_alice()).kind == Kind::New);
    CHECK(meets(revocations, principal("alice", now - 1h)));
    CHECK(meets(revocations, principal("alice", now)));
    CHECK_FALSE(meets(revocations, principal("alice", now + 1ms)));
    CHECK_FALSE(meets(revocations, principal("bob", now - 1h)));
    CHECK_FALSE(meets(revocations, principal("alice2", now - 1h)));
    CHECK_FALSE(meets(revocations, principal("alic", now - 1h)));
  }

  TEST_CASE("one without iat is, until the revocation's end") {
    Revocations revocations;
    revocations.add(of_alice());
    CHECK(meets(revocations, principal("alice", {})));
    CHECK(meets(revocations, principal("alice", {}), now + 1h - 1ms));
    CHECK_FALSE(meets(revocations, principal("alice", {}), now + 1h));
    CHECK_FALSE(meets(revocations, principal("alice", now), now + 1h));
  }

  TEST_CASE("the one of an id, whoever's it is and whenever it was issued") {
    Revocations revocations;
    revocations.add({"5f0c", {}, now + 1h});
    CHECK(meets(revocations, principal("alice", now + 10min, "5f0c")));
    CHECK(meets(revocations, principal("bob", {}, "5f0c")));
    CHECK_FALSE(meets(revocations, principal("alice", now, "5f0d")));
    CHECK_FALSE(meets(revocations, principal("alice", {})));
    CHECK_FALSE(meets(revocations, principal("5f0c", {})));
    CHECK_FALSE(meets(revocations, principal("alice", now, "5f0c"), now + 1h));
  }

  TEST_CASE("a subject is no token's id of the same octets") {
    Revocations revocations;
    revocations.add(of_alice());
    CHECK_FALSE(meets(revocations, principal("bob", now, "alice")));
  }

  TEST_CASE("an id is looked at also where the subject was revoked before it") {
    Revocations revocations;
    revocations.add(of_alice());
    revocations.add({"5f0c", {}, now + 1h});
    CHECK(meets(revocations, principal("alice", now + 1s, "5f0c")));
    CHECK_FALSE(meets(revocations, principal("alice", now + 1s, "5f0d")));
  }
}

TEST_SUITE("The copy of revocations") {
  TEST_CASE("a later one of a subject takes the place of the earlier, and no earlier one of it") {
    Revocations revocations;
    revocations.add(of_alice());
    const auto change = revocations.add({"alice", now + 1min, now + 2h});
    CHECK(change.kind == Kind::New);
    CHECK(change.now == Revocation{"alice", now + 1min, now + 2h});
    CHECK(change.before == of_alice());
    CHECK(meets(revocations, principal("alice", now + 1min), now + 2h - 1ms));
    const auto again = revocations.add(of_alice(now - 1min));
    CHECK(again.kind == Kind::Known);
    CHECK(revocations.applied() == 2);
    CHECK(again.now == change.now);
    CHECK_FALSE(again.before);
    CHECK(revocations.size() == 1);
    CHECK(meets(revocations, principal("alice", now + 1min)));
  }

  TEST_CASE("of two that each do more in one way, there is one that does both") {
    Revocations revocations;
    revocations.add({"alice", now, now + 2h});
    CHECK(revocations.add({"alice", now + 1min, now + 1h}).now ==
          Revocation{"alice", now + 1min, now + 2h});
    CHECK(meets(revocations, principal("alice", now + 1min), now + 2h - 1ms));
  }

  TEST_CASE("what has ended is forgotten, in the order of the ends and no more than asked for") {
    Revocations revocations;
    revocations.add({"late", now, now + 3h});
    revocations.add({"5f0c", {}, now + 1h});
    revocations.add({"alice", now, now + 2h});
    CHECK_FALSE(revocations.forget_ended(now + 1h - 1ms, 10));
    CHECK(revocations.size() == 3);
    CHECK_FALSE(revocations.forget_ended(now + 1h, 10));
    CHECK(revocations.size() == 2);
    CHECK(revocations.add({"5f0c", {}, now + 4h}).kind == Kind::New);
    CHECK(revocations.forget_ended(now + 5h, 2));
    CHECK(names(revocations.unstored(10)) == std::vector<std::string>{"5f0c"});
    CHECK_FALSE(revocations.forget_ended(now + 5h, 2));
    CHECK(revocations.size() == 0);
  }

  TEST_CASE("one that lasts longer by now is not forgotten at its first end") {
    Revocations revocations;
    revocations.add(of_alice());
    revocations.add({"alice", now, now + 2h});
    CHECK_FALSE(revocations.forget_ended(now + 1h, 10));
    CHECK(revocations.size() == 1);
    CHECK_FALSE(revocations.forget_ended(now + 2h, 10));
    CHECK(revocations.size() == 0);
  }

  TEST_CASE("it is bounded, and what is there can still be changed when it is full") {
    Revocations revocations;
    for (std::size_t i = 0; i < Revocations::revocations_max; ++i) {
      REQUIRE(revocations.add({"s" + std::to_string(i), now, now + 1h}).kind == Kind::New);
    }
    CHECK(revocations.add(of_alice()).kind == Kind::Full);
    CHECK(revocations.add({"5f0c", {}, now + 1h}).kind == Kind::Full);
    CHECK_FALSE(meets(revocations, principal("alice", now)));
    CHECK(revocations.add({"s7", now + 1s, now + 2h}).kind == Kind::New);
    CHECK(revocations.add({"s7", now, now + 1h}).kind == Kind::Known);
    CHECK_FALSE(revocations.forget_ended(now + 1h, Revocations::revocations_max));
    CHECK(revocations.size() == 1);
    CHECK(revocations.add(of_alice()).kind == Kind::New);
  }

  TEST_CASE("it is not loaded until somebody says so") {
    Revocations revocations;
    CHECK_FALSE(revocations.loaded());
    revocations.set_loaded(true);
    CHECK(revocations.loaded());
  }

  TEST_CASE("sessions that are closed are counted, for what closed them and all together") {
    Revocations revocations;
    revocations.add(of_alice());
    revocations.add({"5f0c", {}, now + 1h});
    const auto closes = [&](const auth::Principal& who) {
      return revocations.closes(who.subject, revocations.mark_of(who), now);
    };
    CHECK(closes(principal("alice", now)));
    CHECK(closes(principal("alice", now, "5f0c")));
    CHECK(closes(principal("bob", now, "5f0c")));
    CHECK_FALSE(closes(principal("bob", now)));
    CHECK(meets(revocations, principal("alice", now)));
    CHECK(revocations.closed_by(of_alice()) == 2);
    CHECK(revocations.closed_by({"5f0c", {}, now}) == 1);
    CHECK(revocations.closed_by({"bob", now, now}) == 0);
    CHECK(revocations.closed() == 3);
  }
}

TEST_SUITE("What Redis is known to have") {
  TEST_CASE("is nothing new, and what is said to be there") {
    Revocations revocations;
    revocations.add(of_alice());
    revocations.add({"5f0c", {}, now + 1h});
    CHECK(names(revocations.unstored(10)) == std::vector<std::string>{"alice", "5f0c"});
    CHECK(revocations.unstored(1).size() == 1);
    revocations.mark_stored(of_alice());
    CHECK(names(revocations.unstored(10)) == std::vector<std::string>{"5f0c"});
    revocations.mark_stored({"5f0c", {}, now + 1h});
    CHECK(revocations.unstored(10).empty());
    CHECK(revocations.stored_until_after(now) == 2);
    CHECK(revocations.stored_until_after(now + 1h) == 0);
  }

  TEST_CASE("is not what was there before it was changed") {
    Revocations revocations;
    revocations.add(of_alice());
    revocations.mark_stored(of_alice());
    revocations.add(of_alice(now + 1s));
    CHECK(names(revocations.unstored(10)) == std::vector<std::string>{"alice"});
    revocations.mark_stored(of_alice());
    CHECK(revocations.unstored(10).size() == 1);
    revocations.mark_stored(of_alice(now + 1s));
    CHECK(revocations.unstored(10).empty());
  }

  TEST_CASE("can be doubted as a whole") {
    Revocations revocations;
    revocations.add(of_alice());
    revocations.add({"bob", now, now + 2h});
    revocations.mark_stored(of_alice());
    CHECK(revocations.stored_until_after(now) == 1);
    revocations.doubt_stored();
    CHECK(names(revocations.unstored(10)) == std::vector<std::string>{"bob", "alice"});
    CHECK(revocations.stored_until_after(now) == 0);
    revocations.mark_stored(of_alice());
    CHECK_FALSE(revocations.forget_ended(now + 1h, 10));
    CHECK(names(revocations.unstored(10)) == std::vector<std::string>{"bob"});
  }
}
