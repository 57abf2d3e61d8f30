#include "nn/optim/schedule.h"

#include <cmath>

#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("schedules: the closed formulas, warm-up included") {
  for (const int64_t total : {1, 10, 101})
    for (const int64_t warmup : {0, 1, 7})
      for (int64_t step = 0; step < total; ++step) {
        CAPTURE(total);
        CAPTURE(warmup);
        CAPTURE(step);
        const double t = static_cast<double>(step), w = static_cast<double>(warmup),
                     n = static_cast<double>(total);
        const bool rising = step < warmup;
        const double left = std::max(0.0, n - t) / std::max(1.0, n - w);
        const double linear = rising ? t / w : left;
        const double done = (t - w) / std::max(1.0, n - w);
        const double cosine = rising ? t / w : std::max(0.0, 0.5 * (1 + std::cos(M_PI * done)));
        CHECK(learning_rate_factor({"constant", warmup, total}, step) == (rising ? t / w : 1.0));
        CHECK(std::abs(learning_rate_factor({"linear", warmup, total}, step) - linear) <= 1e-12);
        CHECK(std::abs(learning_rate_factor({"cosine", warmup, total}, step) - cosine) <= 1e-12);
      }
  // Fixed points that no formula of this test can get wrong.
  CHECK(learning_rate_factor({"linear", 10, 110}, 5) == 0.5);
  CHECK(learning_rate_factor({"linear", 10, 110}, 60) == 0.5);
  CHECK(learning_rate_factor({"linear", 10, 110}, 110) == 0.0);
  CHECK(std::abs(learning_rate_factor({"cosine", 10, 110}, 60) - 0.5) <= 1e-12);
  CHECK(std::abs(learning_rate_factor({"cosine", 0, 120}, 40) - 0.75) <= 1e-12);
  CHECK(learning_rate_factor({"constant", 10, 110}, 109) == 1.0);
}

}  // namespace
}  // namespace lk
