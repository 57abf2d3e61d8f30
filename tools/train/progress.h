// What a run shows: a bar on a terminal, a line now and then in a pipe.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace lk {

class Progress {
 public:
  Progress(int64_t first_step, int64_t total_steps, int64_t logging_steps);
  // After each update. tokens: read so far in this process.
  void show(int64_t step, double loss, double grad_norm, double lr, int64_t tokens);
  void finish();  // ends the line of the bar
  double seconds() const;

 private:
  int64_t first_step_, total_, every_;
  bool terminal_, open_ = false;
  std::chrono::steady_clock::time_point start_, last_{};
};

std::string human_time(double seconds);  // "1m05s"
std::string human_bytes(int64_t bytes);  // "12.3 MB"

}  // namespace lk
