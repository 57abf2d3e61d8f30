#include "tools/compare/plan.h"

#include <map>

#include "tests/support.h"
#include "tools/compare/search.h"

namespace lk {
namespace {

ComparePlan plan_of(const test::TempDir& dir, const std::string& text) {
  test::write_file(dir / "plan.toml", text);
  return read_plan(dir / "plan.toml");
}

TEST_CASE("compare: a plan becomes one run for each row and seed; a row's options win") {
  const test::TempDir dir;
  const ComparePlan plan = plan_of(dir, R"(
title = "T"
metric = "accuracy"
seeds = [3, 4]
[options]
model = "m"
epochs = 2
truncate = true
lr = 1e-3
[[run]]
name = "LoRA, rank 8"
method = "lora"
target-modules = ["query", "value"]
epochs = 5
[[run]]
name = "full"
method = "full"
truncate = false
seeds = [7]
)");
  REQUIRE(plan.runs.size() == 3);
  CHECK(plan.title == "T");
  CHECK(plan.metrics == std::vector<std::string>{"accuracy"});
  CHECK(plan.runs[0].folder == "lora-rank-8-seed-3");
  CHECK(plan.runs[1].folder == "lora-rank-8-seed-4");
  CHECK(plan.runs[2].folder == "full-seed-7");
  CHECK(plan.runs[0].arguments ==
        std::vector<std::string>{"--epochs=5", "--lr=0.001", "--method=lora", "--model=m",
                                 "--target-modules=query,value", "--truncate=true", "--seed=3"});
  CHECK(plan.runs[2].arguments == std::vector<std::string>{"--epochs=2", "--lr=0.001",
                                                           "--method=full", "--model=m",
                                                           "--seed=7"});
}

TEST_CASE("compare: options of the command line win over the file's, a row's over both") {
  const test::TempDir dir;
  test::write_file(dir / "plan.toml", R"(
metric = "accuracy"
[options]
train = "a.tsv"
truncate = true
epochs = 2
[[run]]
name = "x"
epochs = 3
)");
  const ComparePlan plan =
      read_plan(dir / "plan.toml", {"train=b=c.tsv", "truncate=false", "bf16=true", "epochs=4"});
  CHECK(plan.runs[0].arguments ==
        std::vector<std::string>{"--bf16=true", "--epochs=3", "--train=b=c.tsv", "--seed=0"});
  for (const char* bad : {"train", "=x"})
    CHECK(test::error_of([&] { read_plan(dir / "plan.toml", {bad}); }).find("expected KEY=VALUE") !=
          std::string::npos);
  CHECK(test::error_of([&] {
          read_plan(dir / "plan.toml", {"seed=1"});
        }).find("set by compare itself") != std::string::npos);
}

TEST_CASE("compare: what a row leaves open is tried for its first seed, with [search]'s options") {
  const test::TempDir dir;
  const std::string rows = R"(
metric = "accuracy"
seeds = [3, 4]
[options]
dev = "test.tsv"
lr = 1
[[run]]
name = "LoRA"
search.lr = [0.5, 0.25]
search.alpha = [8, 16]
[[run]]
name = "full"
)";
  const std::string search = "[search]\ndev = \"dev.tsv\"\nmax-steps = 9\n";
  const ComparePlan plan = plan_of(dir, rows + search);
  REQUIRE(plan.search.size() == 4);
  REQUIRE(plan.runs.size() == 4);
  CHECK(plan.search[1].folder == "search/lora-seed-3--alpha=8--lr=0.25");
  CHECK(plan.search[1].arguments == std::vector<std::string>{"--dev=dev.tsv", "--max-steps=9",
                                                             "--seed=3", "--alpha=8", "--lr=0.25"});
  CHECK(plan.runs[1].arguments ==
        std::vector<std::string>{"--dev=test.tsv", "--seed=4", "--alpha=8", "--lr=0.5"});
  CHECK(label_of(plan.runs[1]) == "LoRA (alpha 8, lr 0.5)");
  CHECK(plan.runs[2].arguments == std::vector<std::string>{"--dev=test.tsv", "--lr=1", "--seed=3"});
  CHECK(label_of(plan.runs[2]) == "full");
  const ComparePlan other = read_plan(dir / "plan.toml", {"search.dev=mine.tsv"});
  CHECK(other.search[0].arguments[0] == "--dev=mine.tsv");
  CHECK(other.runs[0].arguments[0] == "--dev=test.tsv");

  const auto error = [&](const std::string& text) {
    return test::error_of([&] { plan_of(dir, text); });
  };
  CHECK(error(rows).find("[search] names no 'dev'") != std::string::npos);
  CHECK(error(rows + search + "[[run]]\nname = \"x\"\nsearch.lr = [1]").find("a list of two") !=
        std::string::npos);
  CHECK(error(rows + search + "[[run]]\nname = \"x\"\nsearch = 1").find("expected search.lr =") !=
        std::string::npos);
  CHECK(error(rows + search + "[[run]]\nname = \"x\"\nmethod = \"none\"\nsearch.k = [1, 2]")
            .find("nothing trains here") != std::string::npos);
  CHECK(
      error("metric = \"x\"\n[search]\ndev = \"d\"\n[[run]]\nname = \"x\"").find("there is none") !=
      std::string::npos);
  CHECK(error("metric = \"x\"\nsearch = 1\n[[run]]\nname = \"x\"").find("write [search]") !=
        std::string::npos);
}

TEST_CASE("compare: the best choice becomes its row's, the lowest where the score is a loss") {
  const test::TempDir dir;
  const std::string rows = R"(
seeds = [0, 1]
[search]
dev = "dev.tsv"
[[run]]
name = "a"
search.lr = [1, 2, 3]
[[run]]
name = "b"
)";
  for (const std::string metric : {"accuracy", "perplexity", "slot error rate"}) {
    CAPTURE(metric);
    ComparePlan plan = plan_of(dir, "metric = \"" + metric + "\"\n" + rows);
    std::vector<Outcome> tried(3);
    const std::vector<double> scores{0.5, 0.9, 0.2};
    for (size_t i = 0; i < 3; ++i) {
      tried[i].run = &plan.search[i];
      tried[i].record.after[metric] = scores[i];
    }
    choose(plan, tried);
    const std::string best = metric == "accuracy" ? "2" : "3";
    CHECK(plan.runs[0].arguments == std::vector<std::string>{"--seed=0", "--lr=" + best});
    CHECK(label_of(plan.runs[1]) == "a (lr " + best + ")");
    CHECK(plan.runs[2].arguments == std::vector<std::string>{"--seed=0"});
    // One that failed is passed over; where all did, nothing is chosen.
    for (Outcome& o : tried) o.error = "diverged";
    choose(plan, tried);
    CHECK(label_of(plan.runs[1]) == "a (lr " + best + ")");
    tried[0].error.clear();
    choose(plan, tried);
    CHECK(label_of(plan.runs[0]) == "a (lr 1)");
  }
  // [search] may choose by another score than the main one; that is no option of the runs.
  ComparePlan plan = plan_of(dir, "metric = \"BLEU\"\n" + rows);
  CHECK(plan.search_metric == "BLEU");
  plan = read_plan(dir / "plan.toml", {"search.metric=perplexity of the answers"});
  CHECK(plan.search[0].arguments ==
        std::vector<std::string>{"--dev=dev.tsv", "--seed=0", "--lr=1"});
  std::vector<Outcome> tried(3);
  for (size_t i = 0; i < 3; ++i) {
    tried[i].run = &plan.search[i];
    tried[i].record.after["perplexity of the answers"] = 9.0 - static_cast<double>(i);
  }
  choose(plan, tried);
  CHECK(label_of(plan.runs[0]) == "a (lr 3)");
}

TEST_CASE("compare: rows where nothing trains take what holds for them too") {
  const test::TempDir dir;
  const ComparePlan plan = plan_of(dir, R"(
metrics = ["accuracy", "macro F1"]
description = "D"
seeds = [0, 1]
[options]
model = "m"
train = "a.tsv"
train-limit = 16
dev = "b.tsv"
dev-limit = 50
epochs = 2
truncate = true
[[run]]
name = "shown"
method = "none"
shots = 16
calibrate = true
[[run]]
name = "as it is"
method = "none"
template = "{text}: {label}"
[[run]]
name = "trained"
)");
  CHECK(plan.metrics == std::vector<std::string>{"accuracy", "macro F1"});
  CHECK(plan.description == "D");
  CHECK(plan.runs[0].tool == "evaluate");
  CHECK(plan.runs[0].arguments == std::vector<std::string>{"--calibrate=true", "--data=b.tsv",
                                                           "--limit=50", "--model=m", "--shots=16",
                                                           "--shots-from=a.tsv", "--shots-limit=16",
                                                           "--truncate=true", "--seed=0"});
  // Examples depend on the seed; without any, nothing does.
  REQUIRE(plan.runs.size() == 5);
  CHECK(plan.runs[1].seed == 1);
  CHECK(plan.runs[2].arguments ==
        std::vector<std::string>{"--data=b.tsv", "--limit=50", "--model=m",
                                 "--template={text}: {label}", "--truncate=true", "--seed=0"});
  CHECK(plan.runs[3].tool == "finetune");
  CHECK(plan.runs[4].seed == 1);
}

TEST_CASE("compare: a plan that cannot be is named by file and line or key") {
  const test::TempDir dir;
  const auto says = [&](const std::string& text, const std::string& words) {
    const std::string message = test::error_of([&] { plan_of(dir, text); });
    CAPTURE(message);
    CHECK(message.find("plan.toml") != std::string::npos);
    CHECK(message.find(words) != std::string::npos);
  };
  says("metric = \"a\"\nseeds = [", "plan.toml:2");
  says("seeds = [1]\n[[run]]\nname = \"x\"", "'metric' is missing");
  says("metric = \"a\"", "there is no [[run]]");
  says("metric = \"a\"\nmetrics = [\"b\"]", "both 'metric' and 'metrics'");
  says("metrics = [1]", "'metrics': expected a list of names");
  says("metric = \"a\"\n[[run]]\nmethod = \"lora\"", "plan.toml:2: 'name'");
  says("metric = \"a\"\n[[run]]\nname = \"x y\"\n[[run]]\nname = \"X-y\"", "occurs twice");
  says("metric = \"a\"\nseeds = [-1]\n[[run]]\nname = \"x\"", "'seeds': expected whole numbers");
  says("metric = \"a\"\nseed = 1\n[[run]]\nname = \"x\"", "'seed' is not known");
  says("metric = \"a\"\n[[run]]\nname = \"x\"\noutput = \"y\"", "'output' is set by compare");
  says("metric = \"a\"\n[[run]]\nname = \"x\"\nlr = 2020-01-01", "'lr'");
}

TEST_CASE(
    "compare: the shipped plans can be read, with what they are about and three seeds of what "
    "trains") {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tools/compare/plans")) {
    CAPTURE(entry.path().string());
    const ComparePlan plan = read_plan(entry.path());
    CHECK(!plan.description.empty());
    CHECK(plan.runs.size() >= 10);
    std::map<std::string, int> seeds;
    for (const Run& run : plan.runs) {
      CHECK(run.arguments.size() >= 4);
      if (run.tool == "finetune") ++seeds[run.name];
    }
    for (const auto& row : seeds) CHECK(row.second >= 3);
    ++count;
  }
  CHECK(count >= 10);
}

}  // namespace
}  // namespace lk
