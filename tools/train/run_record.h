// What a run gave, as a file: OUTPUT/results.json of finetune, and what `evaluate --results`
// writes; compare reads it.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "peft/layer_map.h"

namespace lk {

struct RunRecord {
  std::string method = "none";           // "none": nothing was trained
  int64_t examples = 0;                  // that were trained on
  int64_t steps = 0, planned_steps = 0;  // updates made; of the whole run
  int64_t scored = 0, held_out = 0;      // records that were scored; that there are
  double train_seconds = 0, score_seconds = 0;
  int64_t trained_parameters = 0, total_parameters = 0, peak_memory_bytes = 0;
  std::map<std::string, double> before = {}, after = {};  // scores; empty where there are none
  std::vector<LayerMap> maps = {};                        // ranks, gates
};

void write_record(const std::filesystem::path& file, const RunRecord& record);
// Error with file and key where something is missing or of the wrong type.
RunRecord read_record(const std::filesystem::path& file);

}  // namespace lk
