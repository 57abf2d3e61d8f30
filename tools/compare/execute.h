// Runs bin/finetune or bin/evaluate once for each run of a plan that is not done yet.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tools/compare/plan.h"
#include "tools/train/run_record.h"

namespace lk {

struct Outcome {
  const Run* run = nullptr;
  std::string error = {};  // what the tool said, where it failed
  RunRecord record = {};
  std::vector<std::pair<int64_t, double>> losses = {};  // step, loss
};

// The shell command of a run in `output`; done: whether it needs no running.
std::string command_of(const Run& run, const std::filesystem::path& output);
bool is_done(const Run& run, const std::filesystem::path& output);

// The threads that each of so many runs side by side gets: OMP_NUM_THREADS where it is set, else an
// equal share.
int threads_of(int jobs);

// A run is done when its folder holds results.json and the same command; one that was cut off goes
// on from its checkpoint. plan.jobs run at a time. Prints a line for each. Ctrl-C stops after the
// runs' own checkpoints, with an Error.
std::vector<Outcome> execute(const ComparePlan& plan, const std::filesystem::path& output);

}  // namespace lk
