// A block of threads takes a block of states, an element each: restored, used and encoded again in
// registers. Each operand is read and written once.
#include "engine/kernels/optimizer_8bit.h"

#include <cmath>
#include <map>

#include "cuda/each.h"

namespace lk {
namespace {

static_assert(kStateBlock == kEachThreads);

std::map<const StepTable*, void*>* g_tables = nullptr;  // never destroyed: the device may go first
// A table on the device, copied there once.
const StepTable* on_device(const StepTable* table) {
  if (!g_tables) g_tables = new std::map<const StepTable*, void*>;
  void*& copy = (*g_tables)[table];
  if (!copy) {
    check_cuda(cudaMalloc(&copy, sizeof(StepTable)), "a code book");
    check_cuda(cudaMemcpy(copy, table, sizeof(StepTable), cudaMemcpyHostToDevice), "a code book");
  }
  return static_cast<const StepTable*>(copy);
}
State8 on_device(const State8& s) { return {s.codes, s.absmax, on_device(s.table)}; }

__device__ __forceinline__ float restored(const State8& s, int64_t b, int64_t i) {
  return s.table->values[s.codes[i]] * s.absmax[b];
}

// Element i of block b becomes x; all threads call, those behind the end with 0 and `there` false.
__device__ __forceinline__ void encode(const State8& s, int64_t b, int64_t i, bool there, float x,
                                       float* scratch) {
  const float size = fabsf(x);
  const float most = block_reduce<kEachThreads>(size == size ? size : 0.0f, scratch, Maximum{});
  if (threadIdx.x == 0) s.absmax[b] = most;
  if (!there) return;
  if (most == 0) {
    s.codes[i] = 0;
    return;
  }
  const float v = x * (1.0f / most), low = v > -1.0f ? v : -1.0f, inside = low < 1.0f ? low : 1.0f;
  s.codes[i] = s.table->code[static_cast<int32_t>((inside + 1.0f) * 0.5f * 65535.0f + 0.5f)];
}

__device__ __forceinline__ bool finite(float x) { return x - x == 0; }

struct Adamw8 {
  float b1, c1, b2, c2, eps, decay, rate, root;
};

__global__ void __launch_bounds__(kEachThreads)
    adamw8bit_kernel(float* p, const float* g, State8 m, State8 v, int64_t n, Adamw8 s) {
  __shared__ float scratch[kEachThreads / kWarp];
  const int64_t blocks = (n + kStateBlock - 1) / kStateBlock;
  for (int64_t b = blockIdx.x; b < blocks; b += gridDim.x) {
    const int64_t i = b * kStateBlock + threadIdx.x;
    const bool there = i < n;
    float mi = 0, vi = 0;
    if (there) {
      const float x = g[i];
      if (finite(x)) {
        mi = fmaf(x, s.c1, restored(m, b, i) * s.b1);
        vi = fmaf(s.c2 * x, x, restored(v, b, i) * s.b2);
        p[i] = p[i] * s.decay + s.rate * mi / (sqrtf(vi) / s.root + s.eps);
      }
    }
    encode(m, b, i, there, mi, scratch);
    encode(v, b, i, there, vi, scratch);
  }
}

__global__ void __launch_bounds__(kEachThreads)
    lion8bit_kernel(float* p, const float* g, State8 m, int64_t n, float b1, float c1, float b2,
                    float c2, float rate, float decay) {
  __shared__ float scratch[kEachThreads / kWarp];
  const int64_t blocks = (n + kStateBlock - 1) / kStateBlock;
  for (int64_t b = blockIdx.x; b < blocks; b += gridDim.x) {
    const int64_t i = b * kStateBlock + threadIdx.x;
    const bool there = i < n;
    float mi = 0;
    if (there) {
      const float x = g[i];
      if (finite(x)) {
        const float old = restored(m, b, i), u = old * b1 + x * c1;
        p[i] = p[i] * decay - rate * (u > 0.0f ? 1.0f : u < 0.0f ? -1.0f : 0.0f);
        mi = fmaf(x, c2, old * b2);
      }
    }
    encode(m, b, i, there, mi, scratch);
  }
}

}  // namespace

template <class Isa>
void adamw8bit_update(Isa cuda, float* p, const float* g, State8 m, State8 v, int64_t n,
                      const AdamwStep& s) {
  if (n == 0) return;
  const double t = static_cast<double>(s.step);
  const Adamw8 constants{static_cast<float>(s.beta1),
                         static_cast<float>(1 - s.beta1),
                         static_cast<float>(s.beta2),
                         static_cast<float>(1 - s.beta2),
                         static_cast<float>(s.eps),
                         static_cast<float>(1 - s.lr * s.weight_decay),
                         static_cast<float>(-s.lr / (1 - std::pow(s.beta1, t))),
                         static_cast<float>(std::sqrt(1 - std::pow(s.beta2, t)))};
  launch(adamw8bit_kernel, grid_for((n + kStateBlock - 1) / kStateBlock), kEachThreads, 0,
         cuda.stream, p, g, on_device(m), on_device(v), n, constants);
}

template <class Isa>
void lion8bit_update(Isa cuda, float* p, const float* g, State8 m, int64_t n, double lr,
                     double beta1, double beta2, double weight_decay) {
  if (n == 0) return;
  launch(lion8bit_kernel, grid_for((n + kStateBlock - 1) / kStateBlock), kEachThreads, 0,
         cuda.stream, p, g, on_device(m), n, static_cast<float>(beta1),
         static_cast<float>(1 - beta1), static_cast<float>(beta2), static_cast<float>(1 - beta2),
         static_cast<float>(lr), static_cast<float>(1 - lr * weight_decay));
}

template void adamw8bit_update(Cuda, float*, const float*, State8, State8, int64_t,
                               const AdamwStep&);
template void lion8bit_update(Cuda, float*, const float*, State8, int64_t, double, double, double,
                              double);

}  // namespace lk
