#include "data/subset.h"

#include <numeric>

#include "engine/error.h"
#include "engine/rng.h"

namespace lk {

std::vector<size_t> subset(size_t count, int64_t limit, uint64_t seed, const std::string& what) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  if (limit == 0) return order;
  require(limit > 0 && static_cast<size_t>(limit) <= count,
          "a limit of {} records was asked for, but {} has {}", limit, what, count);
  Random random(seed, 0x535542534554ull);  // a stream of its own: "SUBSET"
  random.shuffle(order);
  order.resize(static_cast<size_t>(limit));
  return order;
}

}  // namespace lk
