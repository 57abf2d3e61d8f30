#include "engine/error.h"

#include <cstdio>
#include <cstdlib>

namespace lk {

void abort_with(const Located& place, const std::string& message) {
  fmt::print(stderr, "{}:{}: broken invariant in {}: {}\n", place.where.file_name(),
             place.where.line(), place.where.function_name(), message);
  std::abort();
}

}  // namespace lk
