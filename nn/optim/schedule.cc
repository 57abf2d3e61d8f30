#include "nn/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "engine/error.h"

namespace lk {
namespace {

using Shape = double (*)(double);  // of the share of the steps after warm-up
const std::map<std::string, Shape>& shapes() {
  static const std::map<std::string, Shape> table{
      {"constant", [](double) { return 1.0; }},
      {"cosine",
       [](double t) { return std::max(0.0, 0.5 * (1 + std::cos(std::numbers::pi * t))); }},
      {"linear", [](double t) { return std::max(0.0, 1 - t); }}};
  return table;
}

}  // namespace

std::vector<std::string> known_schedules() {
  std::vector<std::string> out;
  for (const auto& [name, shape] : shapes()) out.push_back(name);
  return out;
}

double learning_rate_factor(const Schedule& s, int64_t step) {
  const auto found = shapes().find(s.name);
  require(found != shapes().end(), "unknown schedule '{}' (known: constant, cosine, linear)",
          s.name);
  if (step < s.warmup_steps)
    return static_cast<double>(step) / static_cast<double>(std::max<int64_t>(1, s.warmup_steps));
  const auto after = static_cast<double>(std::max<int64_t>(1, s.total_steps - s.warmup_steps));
  return found->second(static_cast<double>(step - s.warmup_steps) / after);
}

}  // namespace lk
