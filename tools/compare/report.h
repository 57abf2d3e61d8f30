// What the runs of a plan gave, for people (Markdown, one HTML page) and programs (JSON).
#pragma once

#include <string>
#include <vector>

#include "tools/compare/execute.h"

namespace lk {

// The seeds of one name taken together.
struct Row {
  std::string name, error = {};
  double trained = 0, total = 0;                        // parameters
  std::vector<double> scores = {};                      // the metric, one a seed
  double mean = 0, spread = 0;                          // of the scores; sample standard deviation
  double seconds = 0, peak_memory = 0;                  // median, largest
  std::vector<std::pair<int64_t, double>> losses = {};  // of the first seed
};
std::vector<Row> rows_of(const ComparePlan& plan, const std::vector<Outcome>& outcomes);

std::string markdown(const ComparePlan& plan, const std::vector<Row>& rows);
std::string json(const ComparePlan& plan, const std::vector<Row>& rows);
// Self-contained: the table, the metric against trained parameters (log axis), the loss curves.
std::string html(const ComparePlan& plan, const std::vector<Row>& rows);

}  // namespace lk
