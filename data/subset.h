// A few records of a data set, for low-data settings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lk {

// The first `limit` of 0 .. count - 1 shuffled by the seed, so that a smaller subset is the start
// of a larger one; 0: all, in order. `what` names the records in the Error where there are too few.
std::vector<size_t> subset(size_t count, int64_t limit, uint64_t seed, const std::string& what);

}  // namespace lk
