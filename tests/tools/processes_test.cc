// A run in several processes as a person starts it: by mpirun, where there is an MPI.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/communicator.h"
#include "tests/tools/tool_run.h"

namespace lk {
namespace {

using test::Outcome;

std::string finetune(const test::TempDir& dir, const std::string& output) {
  return test::tool("finetune") + " --model " + (dir / "model").string() + " --train " +
         (dir / "train.tsv").string() + " --dev " + (dir / "train.tsv").string() + " --output " +
         (dir / output).string() +
         " --method lora --dropout 0.1 --batch-size 4 --gradient-accumulation-steps 2 --lr 0.01 "
         "--epochs 2 --seed 3";
}

std::vector<double> losses(const std::filesystem::path& output) {
  std::vector<double> out;
  std::istringstream lines(test::read_file(output / "log.jsonl"));
  for (std::string line; std::getline(lines, line);)
    out.push_back(nlohmann::json::parse(line)["loss"]);
  return out;
}

TEST_CASE("finetune in several processes: one run, one output") {
  const test::TempDir dir;
  test::make_bert_folder(dir);
  test::write_file(dir / "train.tsv", test::class_data(40));
  if (!built_with_mpi()) {
    const Outcome o = test::run(dir, "OMPI_COMM_WORLD_SIZE=2 " + finetune(dir, "two"));
    CHECK(o.code == 1);
    CHECK(o.says("started as one of several (OMPI_COMM_WORLD_SIZE=2), but this build has no MPI"));
    CHECK(!std::filesystem::exists(dir / "two"));
    return;
  }
  // Open MPI's words for a machine of few cores and a person who is root; others ignore them.
  const std::string mpirun =
      "OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
      "OMPI_MCA_rmaps_base_oversubscribe=1 mpirun -n ";
  // The library may be there without its launcher, or the launcher where it may start nothing.
  if (const Outcome probe = test::run(dir, mpirun + "2 true"); probe.code != 0) {
    fmt::print("mpirun: skipped: {}", probe.text);
    return;
  }
  const Outcome one = test::run(dir, finetune(dir, "one"));
  REQUIRE(one.code == 0);
  const Outcome two = test::run(dir, mpirun + "2 " + finetune(dir, "two"));
  CAPTURE(two.text);
  REQUIRE(two.code == 0);
  const std::string trained = "trained 10 steps";
  CHECK(one.says(trained));
  CHECK(two.says(trained));
  CHECK(two.text.find(trained) == two.text.rfind(trained));
  const auto expected = losses(dir / "one"), found = losses(dir / "two");
  REQUIRE(expected.size() == 10);
  REQUIRE(found.size() == 10);
  for (size_t i = 0; i < 10; ++i) CHECK(std::abs(found[i] - expected[i]) <= 1e-4 * expected[i]);
  // An error of any process ends all.
  const Outcome four = test::run(dir, mpirun + "4 " + finetune(dir, "four"));
  CHECK(four.code != 0);
  CHECK(four.says("4 processes cannot share the 2 batches of an update"));
}

}  // namespace
}  // namespace lk
