// Launching kernels, and errors that name them.
#pragma once

#include <cuda_runtime.h>

#include <string>
#include <type_traits>
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

// Throws Error: which kernel of which op, its grid, the sizes among its arguments, why.
[[noreturn]] void launch_failed(const void* kernel, dim3 grid, dim3 block, size_t shared_bytes,
                                const std::string& sizes, cudaError_t error);

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
  std::string sizes;
  [[maybe_unused]] const auto add = [&sizes](const auto& value) {
    if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(value)>>)
      sizes += (sizes.empty() ? "" : ", ") + std::to_string(value);
  };
  (add(args), ...);
  launch_failed(reinterpret_cast<const void*>(kernel), grid, block, shared_bytes, sizes, error);
}

// Lets a kernel ask for more than 48 KiB of dynamic shared memory. Error where the device has not
// so much: 227 KiB from compute capability 9.0 on, 163 in 8.0, 99 in 8.6 and 8.9.
void allow_shared_memory(const void* kernel, size_t bytes);
template <class... P>
void allow_shared_memory(void (*kernel)(P...), size_t bytes) {
  allow_shared_memory(reinterpret_cast<const void*>(kernel), bytes);
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
