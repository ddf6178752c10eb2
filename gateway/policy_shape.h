// What the keys of a policy are, for who reads about them: each table of keys tells it of its own
// (policy_reader.h), and the reference in the README is made of that (policy_reference.h).
#pragma once

#include <string>
#include <vector>

namespace gateway {

struct KeyShape {
  enum class Holds : unsigned char { Value, Mapping, List, Names };

  std::string name;
  std::string type;
  std::string otherwise;  // its default as the policy would write it; empty: none
  bool mandatory = false;
  std::string left_out;  // in Markdown, where `otherwise` does not say what happens without the key
  std::string about;     // one line of Markdown
  Holds holds = Holds::Value;   // what `inner` are: keys of it, of each item, of each name
  std::vector<KeyShape> inner;  // in the order of the table
};

}  // namespace gateway
