// What the planted kernels have in common; for .cu files.
#pragma once

#include "cuda/intrinsics.h"
#include "cuda/launch.h"
#include "tests/cuda/emulator/planted.h"

namespace lk::test {

// constexpr int k...Line = __LINE__ + n stands n lines above what it names.

__device__ inline bool has_bug() { return blockIdx.x == kBugX && blockIdx.y == kBugY; }
// The thread's element of an array [kPlantedFloats].
__device__ inline int element() {
  return static_cast<int>(64 * (blockIdx.y * 3 + blockIdx.x) + threadIdx.x);
}

template <class... P>
void run_blocks(void (*kernel)(P...), int threads, size_t shared, float* y, const float* x) {
  launch(kernel, dim3(3, 2), threads, shared, nullptr, y, x);
}

}  // namespace lk::test
