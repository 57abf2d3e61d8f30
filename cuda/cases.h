// One launch of every kernel at a size that people train with. The profiler takes a slice of it,
// for figures are per byte: tests hold the kernels to them, `bin/kernels report` prints them. A
// device's clock takes hundreds of slices (cuda/timing.h).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cuda/launch.h"

namespace lk {

// Device memory of a case's operands. A case asks for the same ones each time it runs: after
// again(), it gets those of its last run, as they were left.
class CaseMemory {
 public:
  template <class T>
  T* zeros(int64_t count) {
    return static_cast<T*>(take(count * static_cast<int64_t>(sizeof(T))));
  }
  // value(0), value(1), ... [count]
  const int32_t* ints(int64_t count, const std::function<int64_t(int64_t)>& value);
  void again() { next_ = 0; }

 private:
  void* take(int64_t bytes);

  std::vector<std::unique_ptr<void, cudaError_t (*)(void*)>> owned_;
  size_t next_ = 0;
};

struct KernelCase {
  std::string op, shape;  // "rms_norm_forward", "bf16 [64, 4096]"
  int64_t least_bytes;    // of global memory: each input read once, each output written once
  std::function<void(Cuda, CaseMemory&)> run;
};
// times: how many slices; least_bytes grows with it.
std::vector<KernelCase> kernel_cases(int64_t times = 1);

}  // namespace lk
