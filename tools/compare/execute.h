// Runs bin/finetune once for each run of a plan that is not done yet.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tools/compare/plan.h"

namespace lk {

struct Outcome {
  const Run* run = nullptr;
  std::string error = {};                               // what finetune said, where it failed
  std::map<std::string, double> scores = {};            // after training
  double trained = 0, total = 0;                        // parameters
  double seconds = 0, peak_memory = 0;                  // of training; bytes of the process
  std::vector<std::pair<int64_t, double>> losses = {};  // step, loss
};

// A run is done when its folder holds results.json and the same command; one that was cut off goes
// on from its checkpoint. Prints a line for each. Ctrl-C stops after the run's own checkpoint, with
// an Error.
std::vector<Outcome> execute(const ComparePlan& plan, const std::filesystem::path& output);

}  // namespace lk
