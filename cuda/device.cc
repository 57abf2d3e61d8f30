// Memory of the CUDA device, stream-ordered: the runtime's own pool keeps what is freed for the
// next tensor. Counting: engine/memory.h.
#include "cuda/device.h"

#include "cuda/graph.h"
#include "cuda/launch.h"
#include "cuda/staging.h"
#include "engine/device.h"

namespace lk {

std::string find_cuda_device() {
  int count = 0, major = 0, minor = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    cudaGetLastError();
    return fmt::format(
        "no CUDA device can be used: {}; its driver may be missing or older than this build",
        error == cudaSuccess ? "there is none" : cudaGetErrorString(error));
  }
  const int device = current_device();
  check_cuda(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device),
             "the device");
  check_cuda(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device),
             "the device");
  if (major < 8)
    return fmt::format(
        "the CUDA device has compute capability {}.{}, the kernels need 8.0 or later", major,
        minor);
  cudaMemPool_t pool = nullptr;
  check_cuda(cudaDeviceGetDefaultMemPool(&pool, device), "the memory pool");
  uint64_t keep_all = UINT64_MAX;
  check_cuda(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep_all),
             "the memory pool");
  return "";
}

void choose_device(Cuda, int index) {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
    cudaGetLastError();  // require_device says what it is
    return;
  }
  check_cuda(cudaSetDevice(index % count), "the device");
}

std::string cuda_problem() {
  static bool found = false;
  if (found) return "";
  std::string problem = find_cuda_device();
  found = problem.empty();
  return problem;
}

namespace {

// 4 MiB keep the bus busy. Never destroyed: tensors in static storage may outlive any static one.
Staging& staging() {
  static Staging& ring = *new Staging(size_t{4} << 20);
  return ring;
}

bool is_host(const void* data) {
  cudaPointerAttributes attributes{};
  check_cuda(cudaPointerGetAttributes(&attributes, data), "where memory lies");
  return attributes.type == cudaMemoryTypeUnregistered || attributes.type == cudaMemoryTypeHost;
}

}  // namespace

void* allocate(Cuda cuda, size_t bytes) {
  if (DeviceGraph* graph = recorded_graph()) return graph->memory->take(bytes);
  void* data = nullptr;
  const cudaError_t error = cudaMallocAsync(&data, bytes > 0 ? bytes : 1, cuda.stream);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check_cuda(error, "device memory");
  return data;
}

void deallocate(Cuda cuda, void* data) noexcept {
  if (give_to_graph(data)) return;
  if (DeviceGraph* graph = recorded_graph())
    graph->freed.push_back(data);
  else
    cudaFreeAsync(data, cuda.stream);
}

void copy(Cuda cuda, void* to, const void* from, size_t bytes) {
  const bool up = is_host(from), down = is_host(to);
  if (DeviceGraph* graph = recorded_graph(); graph && up != down) {
    if (up) return record_upload(*graph, cuda, to, from, bytes);
    return outside_graph(cuda, [&] { copy(cuda, to, from, bytes); });
  }
  if (up != down)
    if (up ? staging().upload(cuda, to, from, bytes) : staging().download(cuda, to, from, bytes))
      return;
  // From pageable host memory the runtime returns when it has been read, into it when it is there.
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, cuda.stream), "a copy");
}

void copy_pitched(Cuda cuda, void* to, size_t to_step, const void* from, size_t from_step,
                  size_t width, size_t rows) {
  if (width == 0 || rows == 0) return;
  check_cuda(cudaMemcpy2DAsync(to, to_step, from, from_step, width, rows, cudaMemcpyDeviceToDevice,
                               cuda.stream),
             "a copy of columns");
}

void clear(Cuda cuda, void* data, size_t bytes) {
  check_cuda(cudaMemsetAsync(data, 0, bytes, cuda.stream), "zeros");
}

std::string device_name(Cuda) {
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, current_device()), "the device");
  return properties.name;
}

void synchronize(Cuda cuda) {
  const auto wait = [&] {
    check_cuda(cudaStreamSynchronize(cuda.stream),
               "an earlier kernel (CUDA_LAUNCH_BLOCKING=1 in the environment tells which)");
  };
  if (recorded_graph())
    outside_graph(cuda, wait);
  else
    wait();
}

}  // namespace lk
