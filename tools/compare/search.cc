#include "tools/compare/search.h"

namespace lk {
namespace {

bool lower_is_better(const std::string& metric) {
  for (const char* kind : {"loss", "perplexity", "error rate"})
    if (metric.find(kind) != std::string::npos) return true;
  return false;
}

}  // namespace

void choose(ComparePlan& plan, const std::vector<Outcome>& outcomes) {
  const std::string& metric = plan.search_metric;
  const double sign = lower_is_better(metric) ? -1 : 1;
  for (size_t begin = 0, end = 0; begin < outcomes.size(); begin = end) {
    const std::string& row = outcomes[begin].run->name;
    const Outcome* best = nullptr;
    double best_score = 0;
    for (; end < outcomes.size() && outcomes[end].run->name == row; ++end) {
      const Outcome& o = outcomes[end];
      if (!o.error.empty()) continue;
      const double score = sign * o.record.after.at(metric);
      if (best && score <= best_score) continue;
      best = &o;
      best_score = score;
    }
    if (!best) continue;  // its runs, with the first choice, will say why; the other rows go on
    for (Run& run : plan.runs) {
      if (run.name != row) continue;
      run.arguments.resize(run.arguments.size() - run.choice.size());
      run.choice = best->run->choice;
      run.arguments.insert(run.arguments.end(), run.choice.begin(), run.choice.end());
    }
  }
}

}  // namespace lk
