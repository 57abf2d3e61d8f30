// One launch of every kernel at a size that people train with (a slice of it: figures are per
// byte), for the profiler: tests hold the kernels to their figures, `bin/kernels report` prints
// them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cuda/launch.h"

namespace lk {

struct KernelCase {
  std::string op, shape;  // "rms_norm_forward", "bf16 [64, 4096]"
  int64_t least_bytes;    // of global memory: each input read once, each output written once
  std::function<void(Cuda)> run;  // on device memory of its own, filled with zeros
};
const std::vector<KernelCase>& kernel_cases();

}  // namespace lk
