// The learning rate over the steps, as transformers' schedules compute it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lk {

struct Schedule {
  std::string name = "linear";  // linear, cosine, constant; each after a linear warm-up
  int64_t warmup_steps = 0, total_steps = 0;
};

// The factor on the rate at `step` (from 0). Error for an unknown name.
double learning_rate_factor(const Schedule& schedule, int64_t step);
std::vector<std::string> known_schedules();

}  // namespace lk
