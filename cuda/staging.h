// Copies between pageable host memory and the device through a ring of pinned memory. The device
// copies pinned memory by itself, while the host goes on; of pageable memory the driver makes the
// host wait.
#pragma once

#include <array>
#include <mutex>
#include <span>

#include "cuda/launch.h"

namespace lk {

class Staging {
 public:
  // Two halves of `half` bytes each, pinned at the first copy and never given back before the end.
  explicit Staging(size_t half) : half_(half) {}
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  // Copies on the stream; any sizes. `from` may be changed on return, the copy itself may still be
  // under way. False, and nothing was done, where pinned memory cannot be had.
  bool upload(Cuda cuda, void* to, const void* from, size_t bytes);
  // `to` is complete on return.
  bool download(Cuda cuda, void* to, const void* from, size_t bytes);

 private:
  bool ready(cudaStream_t stream);
  std::span<char> take(size_t most);

  const size_t half_;
  std::mutex mutex_;
  char* data_ = nullptr;
  bool refused_ = false;
  cudaStream_t stream_ = nullptr;  // of all copies that are under way
  // passed_[h]: after the last copy of half h; arrived_: after either of two downloads.
  std::array<cudaEvent_t, 2> passed_{}, arrived_{};
  size_t now_ = 0, used_ = 0;  // the half in use, and how much of it was taken
};

}  // namespace lk
