#include "engine/error.h"

#include <cstdio>
#include <cstdlib>

namespace lk {

void abort_with(const Located& place, const std::string& message) {
  fmt::print(stderr, "{}:{}: broken invariant: {}\n", place.file, place.line, message);
  std::abort();
}

}  // namespace lk
