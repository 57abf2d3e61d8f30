#include "tools/compare/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "engine/parallel.h"
#include "tools/train/progress.h"

namespace lk {
namespace {

std::string share(const Row& r) {
  return fmt::format("{:.0f} ({:.3g} %)", r.trained, 100 * r.trained / r.total);
}

std::string score(const Row& r, const Spread& s) {
  return r.scores.size() > 1 ? fmt::format("{:.4g} ± {:.2g}", s.mean, s.deviation)
                             : fmt::format("{:.4g}", s.mean);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Maps of the same layers and places are averaged; a seed that differs is left out.
std::vector<LayerMap> mean_maps(const std::vector<const RunRecord*>& seeds) {
  std::vector<LayerMap> out = seeds[0]->maps;
  for (size_t m = 0; m < out.size(); ++m) {
    double count = 1;
    for (size_t s = 1; s < seeds.size(); ++s) {
      if (m >= seeds[s]->maps.size()) continue;
      const LayerMap& other = seeds[s]->maps[m];
      if (other.layers != out[m].layers || other.places != out[m].places) continue;
      for (size_t i = 0; i < other.values.size(); ++i) out[m].values[i] += other.values[i];
      ++count;
    }
    for (double& v : out[m].values) v /= count;
  }
  return out;
}

std::string machine(int jobs) {
  std::ifstream in("/proc/cpuinfo");
  std::string name = "unknown CPU";
  for (std::string line; std::getline(in, line);)
    if (line.rfind("model name", 0) == 0) {
      name = line.substr(line.find(':') + 2);
      break;
    }
  const int threads = threads_of(jobs);
  return fmt::format("{} thread{} of {}{}", threads, threads == 1 ? "" : "s", name,
                     jobs == 1 ? "" : fmt::format(", {} runs side by side", jobs));
}

}  // namespace

Spread spread_of(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  Spread out{std::accumulate(values.begin(), values.end(), 0.0) / n, 0};
  double squares = 0;
  for (const double v : values) squares += (v - out.mean) * (v - out.mean);
  out.deviation = n > 1 ? std::sqrt(squares / (n - 1)) : 0;
  return out;
}

std::vector<Row> rows_of(const ComparePlan& plan, const std::vector<Outcome>& outcomes) {
  std::vector<Row> rows;
  for (size_t begin = 0, end = 0; begin < outcomes.size(); begin = end) {
    Row& r = rows.emplace_back(Row{.name = outcomes[begin].run->name});
    std::vector<const RunRecord*> seeds;
    std::vector<double> train, scoring;
    for (; end < outcomes.size() && outcomes[end].run->name == r.name; ++end) {
      const Outcome& o = outcomes[end];
      if (!o.error.empty()) {
        r.error = o.error;
        continue;
      }
      if (seeds.empty()) r.losses = o.losses;
      seeds.push_back(&o.record);
      train.push_back(o.record.train_seconds);
      scoring.push_back(o.record.score_seconds);
      r.scores.push_back(o.record.after.at(plan.metrics[0]));
      r.peak_memory = std::max(r.peak_memory, static_cast<double>(o.record.peak_memory_bytes));
    }
    r.name = label_of(*outcomes[begin].run);
    if (seeds.empty()) continue;
    r.trained = static_cast<double>(seeds.back()->trained_parameters);
    r.total = static_cast<double>(seeds.back()->total_parameters);
    r.seconds = median(train);
    r.score_seconds = median(scoring);
    r.maps = mean_maps(seeds);
    for (const std::string& metric : plan.metrics) {
      std::vector<double> values;
      for (const RunRecord* record : seeds) values.push_back(record->after.at(metric));
      r.metrics.push_back(spread_of(values));
    }
  }
  return rows;
}

std::string markdown(const ComparePlan& plan, const std::vector<Row>& rows) {
  std::string out = fmt::format("### {}\n\n| method |", plan.title), line = "| --- |";
  for (const std::string& metric : plan.metrics) {
    out += " " + metric + " |";
    line += " ---: |";
  }
  out += " seeds | trained parameters | training | scoring | peak memory |\n" + line +
         " ---: | ---: | ---: | ---: | ---: |\n";
  for (const Row& r : rows) {
    out += "| " + r.name + " |";
    if (r.scores.empty()) {
      out += " failed: " + r.error + " |";
      for (size_t i = 0; i + 1 < plan.metrics.size() + 5; ++i) out += " |";
      out += "\n";
      continue;
    }
    for (const Spread& s : r.metrics) out += " " + score(r, s) + " |";
    out += fmt::format(" {} | {} | {} | {} | {} |\n", r.scores.size(), share(r),
                       r.seconds > 0 ? human_time(r.seconds) : "-", human_time(r.score_seconds),
                       human_bytes(static_cast<int64_t>(r.peak_memory)));
  }
  return out;
}

std::string json(const ComparePlan& plan, const std::vector<Row>& rows,
                 const std::string& command) {
  nlohmann::ordered_json out{{"title", plan.title},
                             {"description", plan.description},
                             {"metrics", plan.metrics},
                             {"command", command},
                             {"machine", machine(plan.jobs)}};
  for (const Row& r : rows) {
    nlohmann::ordered_json row{{"name", r.name}};
    if (!r.error.empty()) row["error"] = r.error;
    if (!r.scores.empty()) {
      row["scores"] = r.scores;
      row["mean"] = r.metrics[0].mean;
      row["spread"] = r.metrics[0].deviation;
      for (size_t m = 0; m < plan.metrics.size(); ++m)
        row["metrics"][plan.metrics[m]] = {r.metrics[m].mean, r.metrics[m].deviation};
      row["trained_parameters"] = r.trained;
      row["total_parameters"] = r.total;
      row["train_seconds"] = r.seconds;
      row["score_seconds"] = r.score_seconds;
      row["peak_memory_bytes"] = r.peak_memory;
    }
    out["rows"].push_back(std::move(row));
  }
  return out.dump(2) + "\n";
}

std::string section(const ComparePlan& plan, const std::vector<Row>& rows,
                    const std::string& command) {
  std::string out = markdown(plan, rows);
  const size_t at = out.find("\n\n") + 2;
  out.insert(at, (plan.description.empty() ? "" : plan.description + "\n\n") + "    " + command +
                     "\n\nOn " + machine(plan.jobs) +
                     "; mean ± standard deviation over the seeds.\n\n");
  for (const Row& r : rows)
    for (const LayerMap& map : r.maps)
      out += fmt::format("\n{}, {} by layer:\n\n```\n{}```\n", r.name, map.title, text_of(map));
  return out;
}

namespace {

// What the last such option of a run says; 0 where there is none.
double number_of(const Run& run, const std::vector<std::string>& options) {
  double out = 0;
  for (const std::string& a : run.arguments)
    for (const std::string& option : options)
      if (a.rfind(option, 0) == 0) out = std::stod(a.substr(option.size()));
  return out;
}

// Seconds that a run of the row will take.
struct RowCost {
  double update, record;  // seconds
  int64_t steps, records;
  explicit RowCost(const RunRecord& r)
      : update(r.train_seconds / static_cast<double>(std::max<int64_t>(r.steps, 1))),
        record(r.score_seconds / static_cast<double>(std::max<int64_t>(r.scored, 1))),
        steps(r.planned_steps),
        records(r.held_out) {}
  double training(const Run& run) const {
    const double most = number_of(run, {"--max-steps="});
    return update * (most > 0 ? most : static_cast<double>(steps));
  }
  double scoring(const Run& run) const {
    const double limit = number_of(run, {"--dev-limit=", "--limit="});
    const auto all = static_cast<double>(records);
    return record * (limit > 0 ? std::min(limit, all) : all);
  }
};

}  // namespace

std::string estimate(const ComparePlan& plan, const std::vector<Outcome>& trials) {
  std::string out;
  double total = 0;
  for (const Outcome& o : trials) {
    if (!o.error.empty()) {
      out += fmt::format("{}: failed: {}\n", o.run->name, o.error);
      continue;
    }
    const RowCost cost(o.record);
    double seeds = 0, training = 0, scoring = 0, choices = 0, search = 0;
    for (const Run& run : plan.runs) {
      if (run.name != o.run->name) continue;
      ++seeds;
      training = cost.training(run);
      scoring = cost.scoring(run);
    }
    for (const Run& run : plan.search) {
      if (run.name != o.run->name) continue;
      ++choices;
      search += cost.training(run) + cost.scoring(run);
    }
    total += seeds * (training + scoring) + search;
    out += fmt::format("{}: {} x ({} for {} steps + {} to score)", o.run->name, seeds,
                       human_time(training), o.record.planned_steps, human_time(scoring));
    if (choices > 0) out += fmt::format(", {} choices before in {}", choices, human_time(search));
    out += "\n";
  }
  return out + fmt::format("all: {}\n", human_time(total / plan.jobs));
}

}  // namespace lk
