// The seam to the device. What takes the tag Cuda is defined in cuda/, for GPUs and for the
// emulator alike; a build with neither has cuda/none.cc instead, and no tensor lies on a device
// there.
#pragma once

#include <string>
#include <utility>

#include "engine/cpu.h"
#include "engine/cuda.h"

namespace lk {

// Why this build or machine cannot compute on CUDA; empty where it can.
std::string cuda_problem();
// Which of the devices Cuda is, from 0, before anything else is asked of it; counted round, since a
// launcher may show each process one of its own. Where there is none, cuda_problem says so.
void choose_device(Cuda cuda, int index);
// Error unless tensors can lie on `device`; it says why, and names the CPU.
void require_device(Device device);

void* allocate(Cuda cuda, size_t bytes);  // null when the device has no more
void deallocate(Cuda cuda, void* data) noexcept;
// Between host and device or within it; host memory may be used again on return.
void copy(Cuda cuda, void* to, const void* from, size_t bytes);
// `rows` times `width` bytes within the device, a step apart on each side.
void copy_pitched(Cuda cuda, void* to, size_t to_step, const void* from, size_t from_step,
                  size_t width, size_t rows);
void clear(Cuda cuda, void* data, size_t bytes);  // to zero bytes
void synchronize(Cuda cuda);  // until all that was asked for is done; Error where some of it failed

// Calls f(tag, T{}) for the kernel set of the device that x lies on and the C++ type of its dtype.
// Until f returns, this thread takes addresses on that device alone: operands that lie elsewhere
// are an Error, which names `op`.
template <class F>
void on_float(const char* op, const Tensor& x, F&& f) {
  const KernelScope scope(op, x.device());
  if (x.device() == Device::cpu) return on_float(x.dtype(), std::forward<F>(f));
  switch (x.dtype()) {
    case DType::f32:
      return f(Cuda{}, float{});
    case DType::bf16:
      return f(Cuda{}, bf16{});
    default:
      fail("{}: CUDA computes in f32 or bf16, not in {}", op, name_of(x.dtype()));
  }
}

// For ops that have no CUDA kernel.
inline void require_cpu(const char* op, const Tensor& x) {
  require(x.device() == Device::cpu, "{} has no CUDA kernel; use --device cpu", op);
}

}  // namespace lk
