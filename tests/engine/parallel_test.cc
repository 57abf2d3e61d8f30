#include "engine/parallel.h"

#include <mutex>
#include <vector>

#include "tests/support.h"

namespace lk {
namespace {

// The loop's pieces, for many counts, grains and numbers of threads; most: pieces a thread.
template <class Loop>
void check_pieces(const Loop& loop, int most) {
  const int threads = omp_get_max_threads();
  for (const int n : {1, 2, 3, 7}) {
    omp_set_num_threads(n);
    for (const int64_t count : {0, 1, 2, 31, 32, 33, 1009})
      for (const int64_t grain : {0, 1, 10, 5000}) {
        std::vector<int> hits(static_cast<size_t>(count));
        std::vector<int64_t> sizes;
        std::mutex mutex;
        loop(count, grain, [&](int64_t begin, int64_t end) {
          const std::lock_guard lock(mutex);
          sizes.push_back(end - begin);
          for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
        });
        CAPTURE(n);
        CAPTURE(count);
        CAPTURE(grain);
        CHECK(std::all_of(hits.begin(), hits.end(), [](int h) { return h == 1; }));
        CHECK(static_cast<int>(sizes.size()) <= most * n);
        if (sizes.size() > 1) CHECK(*std::min_element(sizes.begin(), sizes.end()) >= grain);
        if (count >= most * n && grain <= 1)
          CHECK(static_cast<int>(sizes.size()) == (n == 1 ? 1 : most * n));
      }
  }
  omp_set_num_threads(threads);
}

TEST_CASE("parallel_for and balanced_for: pieces cover the range once, none is below the grain") {
  check_pieces([](int64_t count, int64_t grain, auto&& f) { parallel_for(count, grain, f); }, 1);
  check_pieces([](int64_t count, int64_t grain, auto&& f) { balanced_for(count, grain, f); }, 8);
}

TEST_CASE("parallel_for: inside another one it runs in place") {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(2);
  std::mutex mutex;
  int pieces = 0;
  parallel_for(2, 1, [&](int64_t, int64_t) {
    parallel_for(100, 1, [&](int64_t begin, int64_t end) {
      const std::lock_guard lock(mutex);
      ++pieces;
      CHECK(end - begin == 100);
    });
  });
  CHECK(pieces == 2);
  omp_set_num_threads(threads);
}

}  // namespace
}  // namespace lk
