#include "auth/subject.h"

#include "auth/utf8.h"

namespace auth {

bool valid_subject(std::string_view subject) {
  return !subject.empty() && subject.size() <= subject_octets_max && utf8_without_controls(subject);
}

}  // namespace auth
