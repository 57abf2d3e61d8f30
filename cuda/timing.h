// How long kernels take on the device, by its own clock. No header of CUDA is needed to ask.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/cuda.h"

namespace lk {

struct KernelTime {
  std::string op, shape;  // of cuda/cases.h
  int64_t least_bytes;
  double microseconds;  // of one launch (or as many as the op makes): the median of five samples
};
// The cases whose op has `only` in its name, each as large as moves at least `bytes`; 0: as it is.
std::vector<KernelTime> time_kernels(Cuda cuda, const std::string& only, int64_t bytes);

// What a copy of `bytes` within the device reads and writes in a second, in 1e9 bytes.
double copy_gb_per_s(Cuda cuda, int64_t bytes);

}  // namespace lk
