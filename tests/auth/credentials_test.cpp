#include "auth/credentials.h"

#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using auth::CredentialPlace;
using auth::CredentialsError;
using auth::Field;
using Kind = CredentialPlace::Kind;

namespace {

const CredentialPlace authorization{Kind::Header, "Authorization"};
const CredentialPlace own_header{Kind::Header, "x-token"};
const CredentialPlace subprotocol{Kind::Subprotocol, "bearer."};
const CredentialPlace cookie{Kind::Cookie, "access_token"};
const CredentialPlace query{Kind::Query, "token"};

using Places = std::vector<CredentialPlace>;
using Fields = std::vector<Field>;

// "place/value", or the error.
std::string found(const Fields& fields, std::string_view query_text, const Places& places) {
  const auto credential = auth::find_credential({fields, query_text}, places);
  if (credential) {
    CHECK(credential->kind == places[credential->place].kind);
    return std::to_string(credential->place) + "/" + credential->value;
  }
  switch (credential.error()) {
    case CredentialsError::Missing:
      return "missing";
    case CredentialsError::Ambiguous:
      return "ambiguous";
    case CredentialsError::Malformed:
      return "malformed";
  }
  return "";
}

std::string found_in_header(std::string_view value) {
  return found({{"Authorization", value}}, "", {authorization});
}
std::string found_in_cookie(std::string_view value) {
  return found({{"Cookie", value}}, "", {cookie});
}
std::string found_in_query(std::string_view value) { return found({}, value, {query}); }
std::string found_in_subprotocols(std::string_view value) {
  return found({{"Sec-WebSocket-Protocol", value}}, "", {subprotocol});
}

// What goes on: "Name: value|Name: value?query".
std::string stripped(const Fields& fields, std::string_view query_text, const Places& places) {
  const auto rest = auth::strip_credentials({fields, query_text}, places);
  std::string text;
  for (const auto& field : rest.fields) {
    text.append(field.name).append(": ").append(field.value).append("|");
  }
  return text + "?" + rest.query;
}

}  // namespace

TEST_SUITE("RFC 6750 section 2.1: the Authorization field") {
  TEST_CASE("Bearer in any case, with any number of spaces") {
    CHECK(found_in_header("Bearer a.b.c") == "0/a.b.c");
    CHECK(found_in_header("bearer a.b.c") == "0/a.b.c");
    CHECK(found_in_header("BEARER   a.b.c") == "0/a.b.c");
    CHECK(found_in_header("  Bearer a.b.c \t") == "0/a.b.c");
    CHECK(found({{"aUTHORIZATION", "Bearer a"}}, "", {authorization}) == "0/a");
  }

  TEST_CASE("another scheme, or Bearer with nothing behind it, is a bad credential") {
    for (const char* bad : {"Basic dXNlcjpwYXNz", "a.b.c", "Bearer", "Bearer ", "", "Bearera.b.c",
                            "Bearer\ta", "Digest x", "Token a.b.c"}) {
      CAPTURE(bad);
      CHECK(found_in_header(bad) == "malformed");
    }
  }

  TEST_CASE("two fields are ambiguous, even the same twice") {
    CHECK(found({{"Authorization", "Bearer a"}, {"authorization", "Bearer a"}}, "",
                {authorization}) == "ambiguous");
    CHECK(found({{"Authorization", "Bearer a"}, {"Authorization", ""}}, "", {authorization}) ==
          "ambiguous");
  }

  TEST_CASE("another field may hold the token with or without a scheme") {
    CHECK(found({{"X-Token", "a.b.c"}}, "", {own_header}) == "0/a.b.c");
    CHECK(found({{"X-Token", "Bearer a.b.c"}}, "", {own_header}) == "0/a.b.c");
    CHECK(found({{"X-Token", ""}}, "", {own_header}) == "malformed");
    CHECK(found({{"X-Token", "a"}, {"x-token", "b"}}, "", {own_header}) == "ambiguous");
    CHECK(found({{"X-Token2", "a"}}, "", {own_header}) == "missing");
  }
}

TEST_SUITE("A credential in Sec-WebSocket-Protocol") {
  TEST_CASE("the subprotocol with the prefix, wherever it stands") {
    CHECK(found_in_subprotocols("chat, bearer.a.b.c") == "0/a.b.c");
    CHECK(found_in_subprotocols("bearer.a.b.c") == "0/a.b.c");
    CHECK(found_in_subprotocols("bearer.a.b.c ,chat") == "0/a.b.c");
    CHECK(found({{"Sec-WebSocket-Protocol", "chat"}, {"sec-websocket-protocol", "bearer.x"}}, "",
                {subprotocol}) == "0/x");
  }

  TEST_CASE("the prefix is case-sensitive and must be the front") {
    CHECK(found_in_subprotocols("Bearer.a") == "missing");
    CHECK(found_in_subprotocols("xbearer.a, chat") == "missing");
  }

  TEST_CASE("two of them are ambiguous, in one field or in two, even the same twice") {
    CHECK(found_in_subprotocols("bearer.a, bearer.b") == "ambiguous");
    CHECK(found_in_subprotocols("bearer.a, bearer.a") == "ambiguous");
    CHECK(found({{"Sec-WebSocket-Protocol", "bearer.a"}, {"Sec-WebSocket-Protocol", "bearer.b"}},
                "", {subprotocol}) == "ambiguous");
  }

  TEST_CASE("an empty one, or one in a malformed list, is a bad credential") {
    CHECK(found_in_subprotocols("bearer.") == "malformed");
    CHECK(found_in_subprotocols("chat room, bearer.a") == "malformed");
    CHECK(found_in_subprotocols("bearer.a b") == "malformed");
  }
}

TEST_SUITE("RFC 6265: a credential in a cookie") {
  TEST_CASE("the cookie of exactly this name") {
    CHECK(found_in_cookie("access_token=a.b.c") == "0/a.b.c");
    CHECK(found_in_cookie("x=1; access_token=a.b.c; y=2") == "0/a.b.c");
    CHECK(found_in_cookie("x=1;access_token=a=b;") == "0/a=b");
    CHECK(found_in_cookie("Access_Token=a; access_token2=b; xaccess_token=c") == "missing");
    CHECK(found_in_cookie("x=access_token=a") == "missing");
    CHECK(found_in_cookie("x=1; \t access_token \t=\t a ; y") == "0/a");
    CHECK(found({{"Cookie", "x=1"}, {"cookie", "access_token=a"}}, "", {cookie}) == "0/a");
  }

  TEST_CASE("quotes belong to the value") {
    CHECK(found_in_cookie(R"(access_token="a.b.c")") == R"(0/"a.b.c")");
  }

  TEST_CASE("two of the name are ambiguous, in one field or in two") {
    CHECK(found_in_cookie("access_token=a; access_token=b") == "ambiguous");
    CHECK(found_in_cookie("access_token=a; access_token=") == "ambiguous");
    CHECK(found({{"Cookie", "access_token=a"}, {"Cookie", "access_token=a"}}, "", {cookie}) ==
          "ambiguous");
  }

  TEST_CASE("an empty one holds something bad") {
    CHECK(found_in_cookie("access_token=") == "malformed");
    CHECK(found_in_cookie("access_token= ; x=1") == "malformed");
    CHECK(found_in_cookie("access_token") == "malformed");
  }
}

TEST_SUITE("RFC 6750 section 2.3: a credential in the query") {
  TEST_CASE("the parameter of exactly this name, percent-decoded") {
    CHECK(found_in_query("token=a.b.c") == "0/a.b.c");
    CHECK(found_in_query("x=1&token=a%2Eb%2ec&y") == "0/a.b.c");
    CHECK(found_in_query("token=a=b") == "0/a=b");
    CHECK(found_in_query("token=a+b%2B") == "0/a b+");
    CHECK(found_in_query("Token=a&tokens=b&xtoken=c&=token&x=token") == "missing");
  }

  TEST_CASE("the name is the same however it is written") {
    CHECK(found_in_query("tok%65n=a") == "0/a");
    CHECK(found_in_query("%74%6F%6b%65%6e=a") == "0/a");
    CHECK(found_in_query("tok%2565n=a") == "missing");
    const CredentialPlace spaced{Kind::Query, "my token"};
    CHECK(found({}, "my+token=a", {spaced}) == "0/a");
    CHECK(found({}, "my%20token=a", {spaced}) == "0/a");
    const CredentialPlace plus{Kind::Query, "a+b"};
    CHECK(found({}, "a+b=x", {plus}) == "0/x");
    CHECK(found({}, "a%2Bb=x", {plus}) == "0/x");
    CHECK(found({}, "%61+b=x", {plus}) == "0/x");
  }

  TEST_CASE("two of the name are ambiguous, however they are written") {
    CHECK(found_in_query("token=a&token=b") == "ambiguous");
    CHECK(found_in_query("token=a&tok%65n=a") == "ambiguous");
    CHECK(found_in_query("token=a&token") == "ambiguous");
  }

  TEST_CASE("an empty one, or one that cannot be decoded, holds something bad") {
    CHECK(found_in_query("token=") == "malformed");
    CHECK(found_in_query("token") == "malformed");
    CHECK(found_in_query("x&token=%") == "malformed");
    CHECK(found_in_query("token=a%2") == "malformed");
    CHECK(found_in_query("token=a%zz") == "malformed");
  }

  TEST_CASE("a name that cannot be decoded is another name") {
    CHECK(found_in_query("tok%6=a&%=b&tok%=c") == "missing");
  }
}

TEST_SUITE("Which credential decides") {
  TEST_CASE("the first place, in the order of the policy, that holds something") {
    const Fields fields = {{"Cookie", "access_token=from-cookie"},
                           {"Authorization", "Bearer from-header"},
                           {"Sec-WebSocket-Protocol", "bearer.from-subprotocol"}};
    CHECK(found(fields, "token=q", {authorization, subprotocol, cookie, query}) == "0/from-header");
    CHECK(found(fields, "token=q", {query, cookie}) == "0/q");
    CHECK(found(fields, "token=q", {cookie, authorization}) == "0/from-cookie");
    CHECK(found({fields[0]}, "", {authorization, subprotocol, cookie}) == "2/from-cookie");
  }

  TEST_CASE("a bad credential is not passed over for a good one behind it") {
    CHECK(found({{"Authorization", "Basic x"}, {"Cookie", "access_token=good"}}, "",
                {authorization, cookie}) == "malformed");
    CHECK(found({{"Authorization", "Bearer good"}}, "token=", {query, authorization}) ==
          "malformed");
    CHECK(found({{"Authorization", "Bearer good"}}, "token=a&token=b", {query, authorization}) ==
          "ambiguous");
  }

  TEST_CASE("only the places asked for are looked at") {
    CHECK(found({{"Authorization", "Bearer a"}}, "token=a", {cookie}) == "missing");
    CHECK(found({{"Authorization", "Bearer a"}}, "token=a", {}) == "missing");
    CHECK(found({}, "", {authorization, subprotocol, cookie, query}) == "missing");
  }
}

TEST_SUITE("Stripping credentials") {
  TEST_CASE("every place goes, used or not; everything else stays octet for octet in its order") {
    CHECK(
        stripped({{"Host", "a"},
                  {"AUTHORIZATION", "Bearer x"},
                  {"cookie", "a=1; access_token=x; b=\"2\""},
                  {"X-A", " odd  value"},
                  {"Sec-WebSocket-Protocol", "chat, bearer.x,v2"}},
                 "a=%41&token=x&b=+", {authorization, subprotocol, cookie, query}) ==
        "Host: a|cookie: a=1; b=\"2\"|X-A:  odd  value|Sec-WebSocket-Protocol: chat,v2|?a=%41&b=+");
  }

  TEST_CASE("without places nothing changes") {
    CHECK(stripped({{"Authorization", "Bearer x"}, {"Cookie", ";; a ,"}}, "&&token=x&", {}) ==
          "Authorization: Bearer x|Cookie: ;; a ,|?&&token=x&");
    CHECK(stripped({{"Cookie", " ; a=1;;b ;"}, {"Sec-WebSocket-Protocol", "chat,, v2,"}},
                   "&x&&y=", {subprotocol, cookie, query}) ==
          "Cookie:  ; a=1;;b ;|Sec-WebSocket-Protocol: chat,, v2,|?&x&&y=");
  }

  TEST_CASE("a field or a query that was only credentials is left out whole") {
    CHECK(stripped({{"Cookie", "access_token=x"}, {"Sec-WebSocket-Protocol", "bearer.x"}},
                   "token=x", {subprotocol, cookie, query}) == "?");
    CHECK(stripped({{"Cookie", "access_token=x; "}, {"Sec-WebSocket-Protocol", "bearer.x, ,"}},
                   "&token=x", {subprotocol, cookie, query}) == "?");
  }

  TEST_CASE("all fields of a place go, also where the place is ambiguous or bad") {
    CHECK(stripped({{"Authorization", "Basic x"},
                    {"Authorization", "Bearer y"},
                    {"Cookie", "access_token=x; a=1; access_token=y"},
                    {"Cookie", "access_token; b=2"},
                    {"Sec-WebSocket-Protocol", "bearer.x, a"},
                    {"Sec-WebSocket-Protocol", "b , bearer.y c"}},
                   "token=1&a&tok%65n=%zz&token", {authorization, subprotocol, cookie, query}) ==
          "Cookie: a=1|Cookie: b=2|Sec-WebSocket-Protocol: a|Sec-WebSocket-Protocol: b |?a");
  }

  TEST_CASE("several places of one kind are all stripped") {
    CHECK(stripped({{"Cookie", "a=1; s1=x; s2=y; b=2"}, {"X-Token", "t"}, {"X-Key", "k"}},
                   "k1=&k2=",
                   {{Kind::Cookie, "s1"},
                    {Kind::Cookie, "s2"},
                    {Kind::Header, "x-key"},
                    {Kind::Query, "k1"},
                    {Kind::Query, "k2"}}) == "Cookie: a=1; b=2|X-Token: t|?");
  }

  TEST_CASE("a ticket is a parameter like a token, found in its place and stripped") {
    const CredentialPlace ticket{Kind::Ticket, "ticket"};
    CHECK(found({}, "ticket=abc&x=1", {query, ticket}) == "1/abc");
    CHECK(found({}, "tick%65t=%61bc", {ticket}) == "0/abc");
    CHECK(found({}, "ticket=a&token=b", {query, ticket}) == "0/b");
    CHECK(found({}, "ticket=a&ticket=b", {ticket}) == "ambiguous");
    CHECK(found({{"ticket", "abc"}, {"Cookie", "ticket=abc"}}, "", {ticket}) == "missing");
    CHECK(stripped({}, "a=1&ticket=x&token=y&tick%65t", {query, ticket}) == "?a=1");
    CHECK(stripped({{"Cookie", "ticket=x"}}, "ticket", {ticket}) == "Cookie: ticket=x|?");
  }

  TEST_CASE("what looks like a credential of another kind passes") {
    CHECK(stripped({{"Cookie", "token=x"}, {"X-Other", "Bearer x"}}, "access_token=x",
                   {authorization, cookie, query}) ==
          "Cookie: token=x|X-Other: Bearer x|?access_token=x");
  }
}

TEST_SUITE("Stripping credentials from anything") {
  // What matters to the parsers and little else, so that they meet it often.
  std::string random_text(std::mt19937 & random) {
    constexpr std::string_view pieces[] = {
        "token", "tok%65n", "access_token", "bearer.", "x",  "=", "&", ";", ",", " ",
        "%",     "+",       "Bearer",       "%3d",     "\t", "\""};
    std::string text;
    for (auto count = random() % 12; count > 0; --count)
      text += pieces[random() % std::size(pieces)];
    return text;
  }

  TEST_CASE("what goes on holds no credential, and stripping it again changes nothing") {
    constexpr std::string_view names[] = {"Authorization", "cookie", "Sec-WebSocket-Protocol",
                                          "X-Token", "Host"};
    const Places places = {authorization, own_header, subprotocol, cookie, query};
    std::mt19937 random(1);
    std::size_t credentials = 0;
    for (int turn = 0; turn < 20'000; ++turn) {
      std::vector<std::string> values(5);
      Fields fields;
      for (std::string& value : values) {
        value = random_text(random);
        fields.push_back({names[random() % std::size(names)], value});
      }
      const std::string query_text = random_text(random);
      const std::string before = found(fields, query_text, places);
      if (before != "missing") ++credentials;

      CAPTURE(stripped(fields, query_text, {}));
      const auto rest = auth::strip_credentials({fields, query_text}, places);
      Fields rest_fields;
      for (const auto& field : rest.fields) rest_fields.push_back({field.name, field.value});
      REQUIRE(found(rest_fields, rest.query, places) == "missing");
      if (before == "missing") {
        REQUIRE(stripped(fields, query_text, places) == stripped(fields, query_text, {}));
      }
      REQUIRE(stripped(rest_fields, rest.query, places) == stripped(rest_fields, rest.query, {}));
    }
    CHECK(credentials > 10'000);
  }
}

TEST_SUITE("RFC 6455 section 11.3.4: subprotocols") {
  const auto parse = [](const Fields& fields) { return auth::parse_subprotocols(fields); };
  using Names = std::vector<std::string_view>;

  TEST_CASE("of all fields, in order") {
    CHECK(parse({}) == Names{});
    CHECK(parse({{"Sec-WebSocket-Protocol", "chat"}}) == Names{"chat"});
    CHECK(parse({{"sec-websocket-protocol", " a ,b\t,  c"},
                 {"Host", "x"},
                 {"Sec-WebSocket-Protocol", "d"}}) == Names{"a", "b", "c", "d"});
  }

  TEST_CASE("each is a token (RFC 9110 section 5.6.2)") {
    CHECK(parse({{"Sec-WebSocket-Protocol", "!#$%&'*+-.^_`|~09azAZ"}}));
    for (const char* bad : {"a b", "a/b", "a;q=1", "\"a\"", "a(b)", "a=b", "a:b", "a@b", "{a}",
                            "\xc3\xa9", "a\x7f", "a\x01"}) {
      CAPTURE(bad);
      CHECK_FALSE(parse({{"Sec-WebSocket-Protocol", bad}}));
    }
  }

  TEST_CASE("empty elements are ignored (RFC 9110 section 5.6.1), a list of nothing else is not") {
    CHECK(parse({{"Sec-WebSocket-Protocol", "a,, b,"}}) == Names{"a", "b"});
    CHECK_FALSE(parse({{"Sec-WebSocket-Protocol", ""}}));
    CHECK_FALSE(parse({{"Sec-WebSocket-Protocol", " , ,"}}));
    CHECK_FALSE(parse({{"Sec-WebSocket-Protocol", "a"}, {"Sec-WebSocket-Protocol", ""}}));
  }

  TEST_CASE("at most sixteen, in one field or in many") {
    std::string list = "p0";
    for (int number = 1; number < 16; ++number) list += ",p" + std::to_string(number);
    CHECK(parse({{"Sec-WebSocket-Protocol", list}})->size() == auth::subprotocols_max);
    CHECK_FALSE(parse({{"Sec-WebSocket-Protocol", list + ",p16"}}));
    CHECK_FALSE(parse({{"Sec-WebSocket-Protocol", list}, {"Sec-WebSocket-Protocol", "p16"}}));
    CHECK_FALSE(parse({{"Sec-WebSocket-Protocol", "a" + std::string(17, ',')}}));
  }

  TEST_CASE("in linear time (ws, CVE-2021-32640): this would take hours in quadratic time") {
    std::string list;
    for (int count = 0; count < 4'000'000; ++count) list += ", ";
    const Fields fields = {{"Sec-WebSocket-Protocol", list}};
    CHECK_FALSE(parse(fields));
    CHECK(found(fields, list, {subprotocol, query}) == "missing");
    CHECK(stripped(fields, "", {subprotocol}).size() > list.size());
    CHECK(found({{"Cookie", std::string(4'000'000, ';')}}, std::string(4'000'000, '&'),
                {cookie, query}) == "missing");
  }
}
