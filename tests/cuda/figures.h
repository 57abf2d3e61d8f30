// Holds a kernel to what the profiler should say of it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace lk::test {

struct Expected {
  double sector_efficiency = 0.95;  // at least
  double traffic = 1.1;             // at most
  int64_t bank_conflicts = 0;
  double active_lanes = 0.85;  // of 32, at least
};
// Of every case of the op in cuda/cases; fails when there is none.
void check_figures(const std::string& op, const Expected& expected);
// The same with what is expected of each shape.
void check_figures_by_shape(const std::string& op,
                            const std::function<Expected(const std::string& shape)>& expected);

}  // namespace lk::test
