// The curve of a run: FOLDER/log.jsonl, one line {"step", "loss", "grad_norm", "lr", "tokens"} an
// update. A resumed run goes on after the line of its checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>

namespace lk {

class StepLog {
 public:
  // Keeps the lines up to `step`, drops later ones.
  StepLog(const std::filesystem::path& folder, int64_t step);
  // tokens: read in this update.
  void add(int64_t step, double loss, double grad_norm, double lr, int64_t tokens);
  void flush();  // Error when the disk is full

 private:
  std::filesystem::path file_;
  std::ofstream out_;
};

}  // namespace lk
