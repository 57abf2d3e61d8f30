// compare as a person runs it: a plan's runs, one by one and side by side, what is not run again,
// and what fails.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tools/tool_run.h"

namespace lk {
namespace {

using test::Outcome;

std::string at(const test::TempDir& dir, const std::string& name) { return (dir / name).string(); }

Outcome compare(const test::TempDir& dir, const std::string& output, const std::string& more = "") {
  return run(dir, test::tool("compare") + " " + at(dir, "plan.toml") + " --output " +
                      at(dir, output) + " " + more);
}

// Two rows of two seeds, and `more`.
void make_plan(const test::TempDir& dir, const std::string& more = "") {
  test::make_bert_folder(dir);
  test::write_file(dir / "train.tsv", test::class_data(24));
  test::write_file(dir / "plan.toml", R"(title = "Two methods"
metrics = ["accuracy"]
seeds = [0, 1]
[options]
model = ")" + at(dir, "model") + "\"\ntrain = \"" +
                                          at(dir, "train.tsv") + "\"\ndev = \"" +
                                          at(dir, "train.tsv") + R"("
max-steps = 3
samples = 0
no-baseline = true
[[run]]
name = "lora"
method = "lora"
[[run]]
name = "bitfit"
method = "bitfit"
)" + more);
}

nlohmann::json results(const test::TempDir& dir, const std::string& output) {
  auto all = nlohmann::json::parse(test::read_file(dir / output / "results.json"));
  for (auto& row : all["rows"])
    for (const char* measured : {"train_seconds", "score_seconds", "peak_memory_bytes"})
      row.erase(measured);
  return all["rows"];
}

TEST_CASE("compare: runs side by side give what runs one by one give, in the plan's order") {
  const test::TempDir dir;
  make_plan(dir);
  const Outcome one = compare(dir, "one"), two = compare(dir, "two", "--jobs 3");
  CAPTURE(one.text);
  CAPTURE(two.text);
  REQUIRE(one.code == 0);
  REQUIRE(two.code == 0);
  CHECK(two.says("[4/4] bitfit, seed 1: accuracy"));
  CHECK(results(dir, "one") == results(dir, "two"));
  CHECK(results(dir, "one").size() == 2);
  CHECK(test::read_file(dir / "two" / "section.md").find("3 runs side by side") !=
        std::string::npos);

  const Outcome again = compare(dir, "two", "--jobs 2");
  CHECK(again.code == 0);
  CHECK(again.says("[1/4] lora, seed 0: accuracy"));
  CHECK(again.says("(was done)"));
  const Outcome none = compare(dir, "two", "--jobs 0");
  CHECK(none.code != 0);
  CHECK(none.says("--jobs"));
}

TEST_CASE("compare: a search runs first, and what it chose stands in the table") {
  const test::TempDir dir;
  make_plan(dir, "[[run]]\nname = \"best\"\nmethod = \"lora\"\nsearch.rank = [100000, 2]\n" +
                     ("[search]\ndev = \"" + at(dir, "train.tsv")) +
                     "\"\nmax-steps = 2\nmetric = \"macro F1\"\n");
  for (const char* again : {"", " (was done)"}) {
    const Outcome o = compare(dir, "out");
    CAPTURE(o.text);
    CHECK(o.code == 0);
    CHECK(o.says("[1/2] best (rank 100000), seed 0: failed: "));
    CHECK(o.says("[2/2] best (rank 2), seed 0: macro F1"));
    CHECK(o.says("[6/6] best (rank 2), seed 1: accuracy"));
    CHECK(o.says("| best (rank 2) |"));
    CHECK(o.says(again));
  }
}

TEST_CASE("compare: a run that fails is told with its row, and the others go on") {
  const test::TempDir dir;
  make_plan(dir,
            "[[run]]\nname = \"wrong\"\nmethod = \"lora\"\nrank = 100000\n"
            "[[run]]\nname = \"no good choice\"\nmethod = \"lora\"\n"
            "search.rank = [100000, 200000]\n" +
                ("[search]\ndev = \"" + at(dir, "train.tsv") + "\"\n"));
  for (const char* jobs : {"1", "2"}) {
    const Outcome o = compare(dir, jobs, std::string("--jobs ") + jobs);
    CAPTURE(o.text);
    CHECK(o.code == 1);
    CHECK(o.says("[4/8] bitfit, seed 1: accuracy"));
    CHECK(o.says("[5/8] wrong, seed 0: failed: "));
    CHECK(o.says("[8/8] no good choice (rank 100000), seed 1: failed: "));
    CHECK(o.says("a run of 'wrong' failed"));
  }
  // Options that changed are not mixed with what was run before.
  test::write_file(dir / "plan.toml", [&] {
    std::string plan = test::read_file(dir / "plan.toml");
    return plan.replace(plan.find("max-steps = 3"), 13, "max-steps = 2");
  }());
  const Outcome other = compare(dir, "2", "--jobs 2");
  CHECK(other.code == 1);
  CHECK(other.says("this run was made with other options"));
}

}  // namespace
}  // namespace lk
