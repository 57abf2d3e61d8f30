// Managed memory: pages at home on the host, on the device from fetch to put_away. Both are asked
// for on the stream, so they happen in the order of the kernels that use the pages; the driver
// drives pages out earlier when the device has no room.
#include "cuda/launch.h"
#include "engine/paged.h"

namespace lk {
namespace {

// CUDA 13 names a place by a struct, CUDA 12 by a number.
#if CUDART_VERSION >= 13000
cudaMemLocation host() {
  cudaMemLocation place{};
  place.type = cudaMemLocationTypeHost;
  return place;
}
cudaMemLocation device() {
  cudaMemLocation place{};
  place.type = cudaMemLocationTypeDevice;
  place.id = current_device();
  return place;
}
cudaError_t prefetch(const void* data, size_t bytes, cudaMemLocation to, cudaStream_t stream) {
  return cudaMemPrefetchAsync(data, bytes, to, 0, stream);
}
#else
int host() { return cudaCpuDeviceId; }
int device() { return current_device(); }
cudaError_t prefetch(const void* data, size_t bytes, int to, cudaStream_t stream) {
  return cudaMemPrefetchAsync(data, bytes, to, stream);
}
#endif

bool can_prefetch() {
  int can = 0;
  check_cuda(cudaDeviceGetAttribute(&can, cudaDevAttrConcurrentManagedAccess, current_device()),
             "the device");
  return can != 0;
}

}  // namespace

void* allocate_managed(Cuda, size_t bytes) {
  require(can_prefetch(),
          "this CUDA device or its driver has no managed memory that moves by pages (Linux has it, "
          "Windows and WSL do not), and paged optimizers need it; use --optimizer adamw8bit");
  void* data = nullptr;
  const cudaError_t error = cudaMallocManaged(&data, bytes, cudaMemAttachGlobal);
  if (error != cudaSuccess) {
    cudaGetLastError();
    fail(
        "{} bytes of managed memory, which lies on the host, could not be had: {} ({}); "
        "--optimizer paged-adamw8bit needs a quarter of paged-adamw's",
        bytes, cudaGetErrorString(error), cudaGetErrorName(error));
  }
  // What a kernel touches with no fetch before it is read over the bus and stays where it is.
  check_cuda(cudaMemAdvise(data, bytes, cudaMemAdviseSetPreferredLocation, host()),
             "the place of managed memory");
  return data;
}

void deallocate_managed(Cuda, void* data) noexcept { cudaFree(data); }

void fetch_managed(Cuda cuda, void* data, size_t bytes) {
  check_cuda(prefetch(data, bytes, device(), cuda.stream), "moving pages to the device");
}

void put_away_managed(Cuda cuda, void* data, size_t bytes) {
  check_cuda(prefetch(data, bytes, host(), cuda.stream), "moving pages to the host");
}

}  // namespace lk
