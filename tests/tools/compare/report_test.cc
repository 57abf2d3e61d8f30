#include "tools/compare/report.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("compare: seeds of a row are taken together, failures keep their words") {
  ComparePlan plan{"A <title>", "What was found.", {"accuracy", "loss"}};
  for (const char* name : {"a", "a", "a", "b"}) plan.runs.push_back({name, name, 0, {}});
  std::vector<Outcome> outcomes;
  const double scores[] = {0.5, 0.7, 0.6}, seconds[] = {30, 10, 20};
  for (size_t i = 0; i < 3; ++i) {
    RunRecord r{.method = "adalora",
                .steps = 2,
                .train_seconds = seconds[i],
                .score_seconds = 2,
                .trained_parameters = 100,
                .total_parameters = 1000,
                .peak_memory_bytes = 1000000 * static_cast<int64_t>(i + 1)};
    r.after = {{"accuracy", scores[i]}, {"loss", static_cast<double>(i)}};
    r.maps = {{"rank", {"0", "1"}, {"q", "v"}, {static_cast<double>(i), 0, 8, NAN}}};
    outcomes.push_back({&plan.runs[i], "", r, {{1, 2.0}, {2, 1.0}}});
  }
  outcomes.push_back({.run = &plan.runs[3], .error = "x < y"});
  const std::vector<Row> rows = rows_of(plan, outcomes);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].metrics[0].mean == doctest::Approx(0.6));
  CHECK(rows[0].metrics[0].deviation == doctest::Approx(0.1));  // of a sample: divided by n - 1
  CHECK(rows[0].seconds == 20);
  CHECK(rows[0].peak_memory == 3e6);
  CHECK(rows[1].error == "x < y");

  const std::string table = markdown(plan, rows);
  CHECK(table.find("| a | 0.6 ± 0.1 | 1 ± 1 | 3 | 100 (10 %) | 20s | 2s | 3.0 MB |") !=
        std::string::npos);
  CHECK(table.find("| b | failed: x < y |") != std::string::npos);
  const auto parsed = nlohmann::json::parse(json(plan, rows, "bin/compare p"));
  CHECK(parsed["rows"][0]["scores"] == nlohmann::json({0.5, 0.7, 0.6}));
  CHECK(parsed["rows"][1]["error"] == "x < y");
  CHECK(parsed["rows"][0]["metrics"]["loss"] == nlohmann::json({1.0, 1.0}));
  CHECK(parsed["command"] == "bin/compare p");
  // The mean of the three seeds' ranks.
  REQUIRE(rows[0].maps.size() == 1);
  CHECK(rows[0].maps[0].at(0, 0) == doctest::Approx(1));
  CHECK(rows[0].maps[0].at(1, 0) == doctest::Approx(8));
  const std::string text = section(plan, rows, "bin/compare p");
  CHECK(text.find("### A <title>\n\nWhat was found.\n\n    bin/compare p\n\nOn ") == 0);
  CHECK(text.find("\n| a | 0.6") != std::string::npos);
  CHECK(text.find("a, rank by layer:\n\n```\nrank") != std::string::npos);
  const std::string page = html(plan, rows);
  CHECK(page.find("A &lt;title>") != std::string::npos);
  CHECK(page.find("<polyline") != std::string::npos);
  CHECK(page.find("<circle") != std::string::npos);
  CHECK(page.find("<h2>a: rank</h2>") != std::string::npos);
  CHECK(page.find(">8</text>") != std::string::npos);
  CHECK(page.find("nan") == std::string::npos);
}

TEST_CASE("compare: a trial's times make those of the whole plan") {
  ComparePlan plan{"T", "", {"accuracy"}};
  plan.runs = {{"a", "a-0", 0, {"--dev-limit=50"}},
               {"a", "a-1", 1, {"--dev-limit=50"}},
               {"b", "b-0", 0, {}, "evaluate"}};
  plan.search = {{"a", "search/a-0", 0, {"--dev-limit=50", "--max-steps=10"}},
                 {"a", "search/a-1", 0, {"--dev-limit=50", "--max-steps=10"}}};
  const ComparePlan trial = trial_of(plan, 3);
  REQUIRE(trial.runs.size() == 2);
  CHECK(trial.runs[0].folder == "trial/a-0");
  CHECK(trial.runs[0].arguments == std::vector<std::string>{"--dev-limit=16", "--stop-after=3"});
  CHECK(trial.runs[1].arguments == std::vector<std::string>{"--limit=16"});
  const RunRecord trained{.steps = 3,
                          .planned_steps = 30,
                          .scored = 16,
                          .held_out = 200,
                          .train_seconds = 6,
                          .score_seconds = 16};
  const RunRecord scored{.scored = 16, .held_out = 32, .score_seconds = 16};
  const std::vector<Outcome> outcomes{{&trial.runs[0], "", trained, {}},
                                      {&trial.runs[1], "", scored, {}}};
  const std::string text = estimate(plan, outcomes);
  CAPTURE(text);
  CHECK(text.find("a: 2 x (1m00s for 30 steps + 50s to score), 2 choices before in 2m20s\n") !=
        std::string::npos);
  CHECK(text.find("b: 1 x (0s for 0 steps + 32s to score)\n") != std::string::npos);
  CHECK(text.find("all: 6m32s") != std::string::npos);
}

}  // namespace
}  // namespace lk
