#include "tools/compare/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "tools/train/progress.h"

namespace lk {
namespace {

std::string share(const Row& r) {
  return fmt::format("{:.0f} ({:.3g} %)", r.trained, 100 * r.trained / r.total);
}

std::string score(const Row& r) {
  return r.scores.size() > 1 ? fmt::format("{:.4g} ± {:.2g}", r.mean, r.spread)
                             : fmt::format("{:.4g}", r.mean);
}

}  // namespace

std::vector<Row> rows_of(const ComparePlan& plan, const std::vector<Outcome>& outcomes) {
  std::vector<Row> rows;
  std::vector<double> seconds;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const Outcome& o = outcomes[i];
    if (rows.empty() || rows.back().name != o.run->name) {
      rows.push_back({.name = o.run->name});
      seconds.clear();
    }
    Row& r = rows.back();
    if (!o.error.empty()) {
      r.error = o.error;
    } else {
      if (r.scores.empty()) r.losses = o.losses;
      r.trained = o.trained;
      r.total = o.total;
      r.scores.push_back(o.scores.at(plan.metric));
      r.peak_memory = std::max(r.peak_memory, o.peak_memory);
      seconds.push_back(o.seconds);
      std::sort(seconds.begin(), seconds.end());
      r.seconds = seconds[seconds.size() / 2];
    }
  }
  for (Row& r : rows) {
    const auto n = static_cast<double>(r.scores.size());
    if (r.scores.empty()) continue;
    r.mean = std::accumulate(r.scores.begin(), r.scores.end(), 0.0) / n;
    double squares = 0;
    for (const double s : r.scores) squares += (s - r.mean) * (s - r.mean);
    r.spread = n > 1 ? std::sqrt(squares / (n - 1)) : 0;
  }
  return rows;
}

std::string markdown(const ComparePlan& plan, const std::vector<Row>& rows) {
  std::string out = fmt::format(
      "### {}\n\n| method | {} | seeds | trained parameters | training | peak memory |\n"
      "| --- | ---: | ---: | ---: | ---: | ---: |\n",
      plan.title, plan.metric);
  for (const Row& r : rows)
    out += r.scores.empty() ? fmt::format("| {} | failed: {} | | | | |\n", r.name, r.error)
                            : fmt::format("| {} | {} | {} | {} | {} | {} |\n", r.name, score(r),
                                          r.scores.size(), share(r), human_time(r.seconds),
                                          human_bytes(static_cast<int64_t>(r.peak_memory)));
  return out;
}

std::string json(const ComparePlan& plan, const std::vector<Row>& rows) {
  nlohmann::ordered_json out{{"title", plan.title}, {"metric", plan.metric}};
  for (const Row& r : rows) {
    nlohmann::ordered_json row{{"name", r.name}};
    if (!r.error.empty()) row["error"] = r.error;
    if (!r.scores.empty()) {
      row["scores"] = r.scores;
      row["mean"] = r.mean;
      row["spread"] = r.spread;
      row["trained_parameters"] = r.trained;
      row["total_parameters"] = r.total;
      row["train_seconds"] = r.seconds;
      row["peak_memory_bytes"] = r.peak_memory;
    }
    out["rows"].push_back(std::move(row));
  }
  return out.dump(2) + "\n";
}

}  // namespace lk
