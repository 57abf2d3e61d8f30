#include "tools/train/step_log.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <string>

#include "engine/error.h"
#include "engine/files/atomic_file.h"

namespace lk {

StepLog::StepLog(const std::filesystem::path& folder, int64_t step) : file_(folder / "log.jsonl") {
  std::string kept;
  if (step > 0) {
    std::ifstream in(file_);
    for (std::string line; std::getline(in, line);) {
      const auto entry = nlohmann::json::parse(line, nullptr, false);
      // The last line of a killed run may be cut.
      if (!entry.is_object() || !entry.contains("step") || !entry["step"].is_number_integer() ||
          entry["step"].get<int64_t>() > step)
        break;
      kept += line + "\n";
    }
  }
  write_file_atomically(file_, kept);
  out_.open(file_, std::ios::app);
}

void StepLog::add(int64_t step, double loss, double grad_norm, double lr, int64_t tokens) {
  out_ << fmt::format(
      "{{\"step\":{},\"loss\":{:.6g},\"grad_norm\":{:.6g},\"lr\":{:.6g},\"tokens\":{}}}\n", step,
      loss, grad_norm, lr, tokens);
}

void StepLog::flush() {
  out_.flush();
  require(out_.good(), "{}: cannot be written; is the disk full?", file_.string());
}

}  // namespace lk
