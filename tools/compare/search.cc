#include "tools/compare/search.h"

#include "engine/error.h"

namespace lk {
namespace {

bool lower_is_better(const std::string& metric) {
  return metric.find("loss") != std::string::npos || metric.find("perplexity") != std::string::npos;
}

}  // namespace

void choose(ComparePlan& plan, const std::vector<Outcome>& outcomes) {
  const std::string& metric = plan.metrics[0];
  for (size_t begin = 0, end = 0; begin < outcomes.size(); begin = end) {
    const std::string& row = outcomes[begin].run->name;
    const Outcome* best = nullptr;
    for (; end < outcomes.size() && outcomes[end].run->name == row; ++end) {
      const Outcome& o = outcomes[end];
      if (!o.error.empty()) continue;
      const double score = o.record.after.at(metric);
      const double before = best ? best->record.after.at(metric) : score;
      if (!best || (lower_is_better(metric) ? score < before : score > before)) best = &o;
    }
    require(best != nullptr, "every choice of '{}' failed: {}", row, outcomes[begin].error);
    for (Run& run : plan.runs) {
      if (run.name != row) continue;
      run.arguments.resize(run.arguments.size() - run.choice.size());
      run.choice = best->run->choice;
      run.arguments.insert(run.arguments.end(), run.choice.begin(), run.choice.end());
    }
  }
}

}  // namespace lk
