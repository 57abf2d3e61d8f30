// What `compare` runs, from a TOML file:
//
//   title = "Methods on banking77"
//   description = "What the paper found."   # stands above the table
//   metrics = ["accuracy", "macro F1"]      # of finetune's scores; the main one first
//   seeds = [0, 1, 2]
//
//   [options]                               # of bin/finetune, for every run
//   model = "..."
//   train = "train.tsv"
//   dev = "dev.tsv"
//
//   [[run]]                                 # one a row of the table; its options win
//   name = "LoRA, rank 8"
//   method = "lora"
//   rank = 8
//   search.lr = [1e-3, 3e-3, 1e-2]          # each is tried, the best is taken
//
//   [search]                                # what holds where they are tried, for the first seed
//   dev = "dev.tsv"                         # not what the table reports
//   metric = "perplexity of the answers"    # which choice is the best; else by the main one
//
//   [[run]]                                 # nothing trains: bin/evaluate, with its options
//   name = "16 examples in the prompt"
//   method = "none"
//   shots = 16
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
  std::vector<std::string> arguments;    // without --output, --results and --resume
  std::string tool = "finetune";         // or "evaluate"
  std::vector<std::string> choice = {};  // of a search: "--lr=0.01", the last of the arguments
};

// The row's name, with what its search chose: "LoRA, rank 8 (lr 0.01)".
std::string label_of(const Run& run);

struct ComparePlan {
  std::string title, description;
  std::vector<std::string> metrics = {};  // the main one first
  std::string search_metric = {};         // what the search chooses by
  std::vector<Run> search = {};           // tried first: the best choice of a row becomes its runs'
  std::vector<Run> runs = {};             // seeds of a row follow one another
  int jobs = 1;                           // runs at a time
};

// `changes`: "key=value" over what [options] says, "search.key=value" over [search]; a row's own
// options still win. Where a row searches, its runs have the first choice until choose(). Error
// with file and line or key where something is missing, doubled or of the wrong type.
ComparePlan read_plan(const std::filesystem::path& file,
                      const std::vector<std::string>& changes = {});

// The first run of each row, cut off after `steps` updates and scored on 16 records, in folders of
// their own: what shows that a plan works, and how long it will take.
ComparePlan trial_of(const ComparePlan& plan, int64_t steps);

}  // namespace lk
