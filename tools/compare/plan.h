// What `compare` runs, from a TOML file:
//   title = "Methods on banking77"
//   metric = "accuracy"        # of the scores that finetune reports
//   seeds = [0, 1, 2]
//   [options]                  # of bin/finetune, for every run
//   model = "..."
//   train = "train.tsv"
//   dev = "dev.tsv"
//   epochs = 3
//   [[run]]                    # one a row of the table; its options win
//   name = "LoRA, rank 8"
//   method = "lora"
//   rank = 8
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lk {

struct Run {
  std::string name;    // of the row
  std::string folder;  // "lora-rank-8-seed-0", inside the output folder
  uint64_t seed;
  std::vector<std::string> arguments;  // of bin/finetune, without --output and --resume
};

struct ComparePlan {
  std::string title, metric;
  std::vector<Run> runs;  // seeds of a row follow one another
};

// `changes`: "key=value" over what [options] says; a row's own options still win. Error with file
// and line or key where something is missing, doubled or of the wrong type.
ComparePlan read_plan(const std::filesystem::path& file,
                      const std::vector<std::string>& changes = {});

}  // namespace lk
