// Launching kernels, and errors that name them.
#pragma once

#include <cuda_runtime.h>

#include <utility>

#include "engine/cuda.h"
#include "engine/error.h"

namespace lk {

// Throws Error unless `error` is success: what was asked, and what CUDA answered.
inline void check_cuda(cudaError_t error, const char* what) {
  if (error == cudaSuccess) [[likely]]
    return;
  cudaGetLastError();
  fail("CUDA: {}: {} ({})", what, cudaGetErrorString(error), cudaGetErrorName(error));
}

// kernel<<<grid, block, shared_bytes, stream>>>(args...); Error when it cannot be launched.
template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
            A&&... args) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  const cudaError_t error = cudaLaunchKernelEx(&config, kernel, std::forward<A>(args)...);
  if (error == cudaSuccess) [[likely]]
    return;
  const char* name = "?";
  cudaFuncGetName(&name, kernel);
  cudaGetLastError();
  fail(
      "CUDA: kernel {} cannot run on a grid of ({}, {}, {}) blocks of ({}, {}, {}) threads with {} "
      "bytes of shared memory: {}",
      name, grid.x, grid.y, grid.z, block.x, block.y, block.z, shared_bytes,
      cudaGetErrorString(error));
}

// Lets a kernel ask for more than 48 KiB of dynamic shared memory.
template <class... P>
void allow_shared_memory(void (*kernel)(P...), size_t bytes) {
  check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(bytes)),
             "shared memory of a kernel");
}

inline int current_device() {
  int device = 0;
  check_cuda(cudaGetDevice(&device), "the current device");
  return device;
}

inline int multiprocessors() {
  int count = 0;
  check_cuda(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, current_device()),
             "the number of multiprocessors");
  return count;
}

// Blocks for `pieces` of work in a loop over the grid: no more than run at the same time.
inline unsigned grid_for(int64_t pieces, int64_t blocks_per_multiprocessor = 8) {
  const int64_t most = multiprocessors() * blocks_per_multiprocessor;
  return static_cast<unsigned>(pieces < 1 ? 1 : pieces < most ? pieces : most);
}

}  // namespace lk
