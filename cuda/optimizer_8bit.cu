// A warp takes a block of states: restored, used and encoded again in registers. Each operand is
// read and written once.
#include "engine/kernels/optimizer_8bit.h"

#include <cmath>
#include <map>

#include "cuda/each.h"

namespace lk {
namespace {

constexpr int kWarps = kEachThreads / kWarp;
constexpr int kOwn = static_cast<int>(kStateBlock) / kWarp;  // states of a lane

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

// N codes, 4 in one access.
template <int N>
__device__ __forceinline__ Elements<uint8_t, N> load_codes(const uint8_t* codes) {
  if constexpr (N == 4)
    return __builtin_bit_cast(Elements<uint8_t, 4>, *reinterpret_cast<const uint32_t*>(codes));
  else
    return {{codes[0]}};
}
template <int N>
__device__ __forceinline__ void store_codes(uint8_t* codes, const Elements<uint8_t, N>& e) {
  if constexpr (N == 4)
    *reinterpret_cast<uint32_t*>(codes) = __builtin_bit_cast(uint32_t, e);
  else
    codes[0] = e.at[0];
}

// The states of a lane, in packs of N; f(k, i) for those of block b that are there, k the place in
// the lane's registers, i the element.
template <int N, class F>
__device__ __forceinline__ void each_pack(int64_t b, int64_t n, F f) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int k = 0; k < kOwn; k += N) {
    const int64_t i = b * kStateBlock + int64_t{k} * kWarp + lane * N;
    if (i < n) f(k, i);
  }
}

template <int N>
__device__ __forceinline__ void restore(float (&x)[kOwn], const State8& s, int64_t b, int64_t n) {
  const float absmax = s.absmax[b];
  each_pack<N>(b, n, [&](int k, int64_t i) {
    const Elements<uint8_t, N> codes = load_codes<N>(s.codes + i);
#pragma unroll
    for (int j = 0; j < N; ++j) x[k + j] = s.table->values[codes.at[j]] * absmax;
  });
}

// What is not there is 0.
template <int N>
__device__ __forceinline__ void encode(const State8& s, int64_t b, int64_t n,
                                       const float (&x)[kOwn]) {
  float most = 0;
#pragma unroll
  for (int k = 0; k < kOwn; ++k)
    if (x[k] == x[k]) most = Maximum{}(fabsf(x[k]), most);
  most = warp_reduce(most, Maximum{});
  __syncwarp();  // all have read the old one
  if (threadIdx.x % kWarp == 0) s.absmax[b] = most;
  const float scale = most == 0 ? 0.0f : 1.0f / most;
  each_pack<N>(b, n, [&](int k, int64_t i) {
    Elements<uint8_t, N> codes{};
    if (most != 0) {
#pragma unroll
      for (int j = 0; j < N; ++j) {
        const float v = x[k + j] * scale, low = v > -1.0f ? v : -1.0f,
                    inside = low < 1.0f ? low : 1.0f;
        codes.at[j] = s.table->code[static_cast<int32_t>((inside + 1.0f) * 0.5f * 65535.0f + 0.5f)];
      }
    }
    store_codes<N>(s.codes + i, codes);
  });
}

__device__ __forceinline__ bool finite(float x) { return x - x == 0; }

struct Adamw8 {
  float b1, c1, b2, c2, eps, decay, rate, root;
};

// f(b) for the blocks of states of this warp.
template <class F>
__device__ __forceinline__ void each_block(int64_t n, F f) {
  const int64_t blocks = (n + kStateBlock - 1) / kStateBlock;
  for (int64_t b = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp; b < blocks;
       b += int64_t{gridDim.x} * kWarps)
    f(b);
}

template <int N>
__global__ void __launch_bounds__(kEachThreads)
    adamw8bit_kernel(float* p, const float* g, State8 m, State8 v, int64_t n, Adamw8 s) {
  each_block(n, [&](int64_t b) {
    float mi[kOwn] = {}, vi[kOwn] = {};
    restore<N>(mi, m, b, n);
    restore<N>(vi, v, b, n);
    each_pack<N>(b, n, [&](int k, int64_t i) {
      const Elements<float, N> x = load<N>(g + i);
      Elements<float, N> value = load<N>(p + i);
#pragma unroll
      for (int j = 0; j < N; ++j) {
        float &first = mi[k + j], &second = vi[k + j];
        if (!finite(x.at[j])) {
          first = second = 0;
          continue;
        }
        first = fmaf(x.at[j], s.c1, first * s.b1);
        second = fmaf(s.c2 * x.at[j], x.at[j], second * s.b2);
        value.at[j] = value.at[j] * s.decay + s.rate * first / (sqrtf(second) / s.root + s.eps);
      }
      store<N>(p + i, value);
    });
    encode<N>(m, b, n, mi);
    encode<N>(v, b, n, vi);
  });
}

template <int N>
__global__ void __launch_bounds__(kEachThreads)
    lion8bit_kernel(float* p, const float* g, State8 m, int64_t n, float b1, float c1, float b2,
                    float c2, float rate, float decay) {
  each_block(n, [&](int64_t b) {
    float mi[kOwn] = {};
    restore<N>(mi, m, b, n);
    each_pack<N>(b, n, [&](int k, int64_t i) {
      const Elements<float, N> x = load<N>(g + i);
      Elements<float, N> value = load<N>(p + i);
#pragma unroll
      for (int j = 0; j < N; ++j) {
        float& state = mi[k + j];
        if (!finite(x.at[j])) {
          state = 0;
          continue;
        }
        const float u = state * b1 + x.at[j] * c1;
        value.at[j] = value.at[j] * decay - rate * (u > 0.0f ? 1.0f : u < 0.0f ? -1.0f : 0.0f);
        state = fmaf(x.at[j], c2, state * b2);
      }
      store<N>(p + i, value);
    });
    encode<N>(m, b, n, mi);
  });
}

// Packs of 4 where all lie so that each is one access, and none is cut by the end.
bool whole_packs(const float* p, const float* g, const uint8_t* codes, int64_t n) {
  return n % 4 == 0 && aligned_16(p) && aligned_16(g) &&
         reinterpret_cast<uintptr_t>(codes) % 4 == 0;
}
unsigned grid_for_states(int64_t n) {
  return grid_for((n + kEachThreads * kOwn - 1) / (kEachThreads * kOwn));
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
  const bool packed = whole_packs(p, g, m.codes, n) && whole_packs(p, g, v.codes, n);
  launch(packed ? adamw8bit_kernel<4> : adamw8bit_kernel<1>, grid_for_states(n), kEachThreads, 0,
         cuda.stream, p, g, on_device(m), on_device(v), n, constants);
}

template <class Isa>
void lion8bit_update(Isa cuda, float* p, const float* g, State8 m, int64_t n, double lr,
                     double beta1, double beta2, double weight_decay) {
  if (n == 0) return;
  launch(whole_packs(p, g, m.codes, n) ? lion8bit_kernel<4> : lion8bit_kernel<1>,
         grid_for_states(n), kEachThreads, 0, cuda.stream, p, g, on_device(m), n,
         static_cast<float>(beta1), static_cast<float>(1 - beta1), static_cast<float>(beta2),
         static_cast<float>(1 - beta2), static_cast<float>(lr),
         static_cast<float>(1 - lr * weight_decay));
}

template void adamw8bit_update(Cuda, float*, const float*, State8, State8, int64_t,
                               const AdamwStep&);
template void lion8bit_update(Cuda, float*, const float*, State8, int64_t, double, double, double,
                              double);

}  // namespace lk
