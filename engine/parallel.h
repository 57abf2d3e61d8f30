// Loops over the OpenMP threads. Chunks are fixed by the count alone, so results do not depend on
// timing.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

#include "engine/dry_run.h"

namespace lk {

inline int max_threads() { return omp_get_max_threads(); }

// Calls f(begin, end) for pieces of [0, count); pieces of at least `grain`, one thread each. f must
// not throw. Nothing in a dry run.
template <class F>
void parallel_for(int64_t count, int64_t grain, F&& f) {
  if (dry_run()) return;
  const int64_t pieces = std::min<int64_t>(max_threads(), count / std::max<int64_t>(grain, 1));
  if (pieces <= 1 || omp_in_parallel()) {
    if (count > 0) f(int64_t{0}, count);
    return;
  }
#pragma omp parallel for schedule(static, 1) num_threads(static_cast <int>(pieces))
  for (int64_t p = 0; p < pieces; ++p) f(count * p / pieces, count * (p + 1) / pieces);
}

// The same in smaller pieces, which a thread takes as it comes to them: for rows of a matrix that
// is read once, where a core that is slower than its neighbours, or shared, would keep the others
// waiting.
template <class F>
void balanced_for(int64_t count, int64_t grain, F&& f) {
  if (dry_run()) return;
  const int64_t threads = max_threads(),
                pieces = std::min<int64_t>(8 * threads, count / std::max<int64_t>(grain, 1));
  if (pieces <= 1 || threads == 1 || omp_in_parallel()) {
    if (count > 0) f(int64_t{0}, count);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1)
  for (int64_t p = 0; p < pieces; ++p) f(count * p / pieces, count * (p + 1) / pieces);
}

}  // namespace lk
