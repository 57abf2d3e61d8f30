// What the runs of a plan gave, for people (Markdown, one HTML page) and programs (JSON).
#pragma once

#include <string>
#include <vector>

#include "tools/compare/execute.h"

namespace lk {

struct Spread {
  double mean = 0, deviation = 0;  // of a sample; 0 for one value
};
Spread spread_of(const std::vector<double>& values);

// The seeds of one name taken together.
struct Row {
  std::string name, error = {};
  double trained = 0, total = 0;                           // parameters
  std::vector<double> scores = {};                         // the main metric, one a seed
  std::vector<Spread> metrics = {};                        // each of the plan's
  double seconds = 0, score_seconds = 0, peak_memory = 0;  // medians, largest
  std::vector<std::pair<int64_t, double>> losses = {};     // of the first seed
  std::vector<LayerMap> maps = {};                         // means over the seeds
};
std::vector<Row> rows_of(const ComparePlan& plan, const std::vector<Outcome>& outcomes);

std::string markdown(const ComparePlan& plan, const std::vector<Row>& rows);
// command: how compare was called. With the machine it ran on.
std::string json(const ComparePlan& plan, const std::vector<Row>& rows, const std::string& command);
// A section of RESULTS.md: description, command, machine, the table, ranks and gates.
std::string section(const ComparePlan& plan, const std::vector<Row>& rows,
                    const std::string& command);
// What trials (trial_of) say of the whole plan: seconds for each row, and the sum. The records that
// a search is scored on are taken for as many as the table's.
std::string estimate(const ComparePlan& plan, const std::vector<Outcome>& trials);
// Self-contained: the table, the metric against trained parameters (log axis), the loss curves.
std::string html(const ComparePlan& plan, const std::vector<Row>& rows);

}  // namespace lk
