#include "tools/compare/report.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("compare: seeds of a row are taken together, failures keep their words") {
  ComparePlan plan{"A <title>", "accuracy", {}};
  for (const char* name : {"a", "a", "a", "b"}) plan.runs.push_back({name, name, 0, {}});
  std::vector<Outcome> outcomes;
  const double scores[] = {0.5, 0.7, 0.6}, seconds[] = {30, 10, 20};
  for (size_t i = 0; i < 3; ++i)
    outcomes.push_back({.run = &plan.runs[i],
                        .scores = {{"accuracy", scores[i]}},
                        .trained = 100,
                        .total = 1000,
                        .seconds = seconds[i],
                        .peak_memory = 1e6 * static_cast<double>(i + 1),
                        .losses = {{1, 2.0}, {2, 1.0}}});
  outcomes.push_back({.run = &plan.runs[3], .error = "x < y"});
  const std::vector<Row> rows = rows_of(plan, outcomes);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].mean == doctest::Approx(0.6));
  CHECK(rows[0].spread == doctest::Approx(0.1));  // of a sample: divided by n - 1
  CHECK(rows[0].seconds == 20);
  CHECK(rows[0].peak_memory == 3e6);
  CHECK(rows[1].error == "x < y");

  const std::string table = markdown(plan, rows);
  CHECK(table.find("| a | 0.6 ± 0.1 | 3 | 100 (10 %) | 20s | 3.0 MB |") != std::string::npos);
  CHECK(table.find("| b | failed: x < y |") != std::string::npos);
  const auto parsed = nlohmann::json::parse(json(plan, rows));
  CHECK(parsed["rows"][0]["scores"] == nlohmann::json({0.5, 0.7, 0.6}));
  CHECK(parsed["rows"][1]["error"] == "x < y");
  const std::string page = html(plan, rows);
  CHECK(page.find("A &lt;title>") != std::string::npos);
  CHECK(page.find("<polyline") != std::string::npos);
  CHECK(page.find("<circle") != std::string::npos);
  CHECK(page.find("nan") == std::string::npos);
}

}  // namespace
}  // namespace lk
