#include "cuda/launch.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>

#include "engine/tensor.h"

namespace lk {
namespace {

// "attention_kernel<float, 64> (in attention)"
std::string name_of_kernel(const void* kernel) {
  const char* mangled = "?";
  cudaFuncGetName(&mangled, kernel);
  int status = 0;
  char* const readable = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  std::string name = readable ? readable : mangled;
  std::free(readable);
  for (const char* scope : {"lk::", "(anonymous namespace)::"})
    for (size_t at; (at = name.find(scope)) != std::string::npos;)
      name.erase(at, std::char_traits<char>::length(scope));
  name.resize(std::min(name.size(), name.find('(')));
  return KernelScope::op() ? name + " (in " + KernelScope::op() + ")" : name;
}

}  // namespace

void launch_failed(const void* kernel, dim3 grid, dim3 block, size_t shared_bytes,
                   const std::string& sizes, cudaError_t error) {
  const std::string name = name_of_kernel(kernel);
  cudaGetLastError();
  fail(
      "CUDA: kernel {} cannot run on a grid of ({}, {}, {}) blocks of ({}, {}, {}) threads with {} "
      "bytes of shared memory, sizes {}: {} (where an earlier kernel may have failed, "
      "CUDA_LAUNCH_BLOCKING=1 in the environment tells which)",
      name, grid.x, grid.y, grid.z, block.x, block.y, block.z, shared_bytes,
      sizes.empty() ? "none" : sizes, cudaGetErrorString(error));
}

void allow_shared_memory(const void* kernel, size_t bytes) {
  const cudaError_t error = cudaFuncSetAttribute(
      kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
  if (error == cudaSuccess) [[likely]]
    return;
  int most = 0;
  check_cuda(
      cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, current_device()),
      "the shared memory of the device");
  cudaGetLastError();
  require(
      bytes <= static_cast<size_t>(most),
      "CUDA: kernel {} needs {} bytes of shared memory for these shapes, this device has {} for "
      "a block (attention needs half of it in bf16)",
      name_of_kernel(kernel), bytes, most);
  check_cuda(error, "shared memory of a kernel");
}

}  // namespace lk
