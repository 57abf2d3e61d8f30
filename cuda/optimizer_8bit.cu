// A warp takes a block of states, eight elements a lane: restored, used and encoded again in
// registers. Each operand is read and written once.
#include "engine/kernels/optimizer_8bit.h"

#include <cmath>
#include <map>

#include "cuda/each.h"

namespace lk {
namespace {

static_assert(kStateBlock % (4 * kWarp) == 0);

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

// The block of states that a lane's warp has: packs of N elements, the lanes' side by side. What
// lies behind the end counts as 0 and is not written.
template <int N>
struct Part {
  static constexpr int kPacks = static_cast<int>(kStateBlock) / kWarp / N;
  int64_t block, n;
  // f(k, i): the pack k in registers begins at the element i.
  template <class F>
  __device__ __forceinline__ void each_pack(F f) const {
    const int64_t first = block * kStateBlock + static_cast<int64_t>(threadIdx.x) % kWarp * N;
#pragma unroll
    for (int k = 0; k < kPacks; ++k)
      if (const int64_t i = first + k * kWarp * N; i < n) f(k, i);
  }
};

// x: the elements' states, which are encoded. All lanes of the warp call.
template <int N>
__device__ __forceinline__ void encode(const State8& s, const Part<N>& part,
                                       const Elements<float, N> (&x)[Part<N>::kPacks]) {
  float most = 0;
  part.each_pack([&](int k, int64_t) {
#pragma unroll
    for (int j = 0; j < N; ++j)
      if (const float size = fabsf(x[k].at[j]); size > most) most = size;  // a NaN is not
  });
  most = warp_reduce(most, Maximum{});
  if (threadIdx.x % kWarp == 0) s.absmax[part.block] = most;
  const float inverse = 1.0f / most;
  part.each_pack([&](int k, int64_t i) {
    Elements<uint8_t, N> codes;
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const float v = x[k].at[j] * inverse, low = v > -1.0f ? v : -1.0f,
                  inside = low < 1.0f ? low : 1.0f;
      codes.at[j] =
          most == 0 ? uint8_t{0}
                    : s.table->code[static_cast<int32_t>((inside + 1.0f) * 0.5f * 65535.0f + 0.5f)];
    }
    store<N>(s.codes + i, codes);
  });
}

__device__ __forceinline__ bool finite(float x) { return x - x == 0; }

struct Adamw8 {
  float b1, c1, b2, c2, eps, decay, rate, root;
};

template <int N>
__device__ __forceinline__ void adamw_block(float* p, const float* g, const State8& m,
                                            const State8& v, const Part<N>& part, const Adamw8& s) {
  Elements<float, N> first[Part<N>::kPacks], second[Part<N>::kPacks];
  const float m_scale = m.absmax[part.block], v_scale = v.absmax[part.block];
  part.each_pack([&](int k, int64_t i) {
    const Elements<uint8_t, N> m_codes = load<N>(m.codes + i), v_codes = load<N>(v.codes + i);
    const Elements<float, N> gradient = load<N>(g + i);
    Elements<float, N> value = load<N>(p + i);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const float x = gradient.at[j];
      float mi = 0, vi = 0;
      if (finite(x)) {
        mi = fmaf(x, s.c1, m.table->values[m_codes.at[j]] * m_scale * s.b1);
        vi = fmaf(s.c2 * x, x, v.table->values[v_codes.at[j]] * v_scale * s.b2);
        value.at[j] = value.at[j] * s.decay + s.rate * mi / (sqrtf(vi) / s.root + s.eps);
      }
      first[k].at[j] = mi;
      second[k].at[j] = vi;
    }
    store<N>(p + i, value);
  });
  __syncwarp();  // all have read absmax
  encode(m, part, first);
  encode(v, part, second);
}

struct Lion8 {
  float b1, c1, b2, c2, rate, decay;
};

template <int N>
__device__ __forceinline__ void lion_block(float* p, const float* g, const State8& m,
                                           const Part<N>& part, const Lion8& s) {
  Elements<float, N> first[Part<N>::kPacks];
  const float scale = m.absmax[part.block];
  part.each_pack([&](int k, int64_t i) {
    const Elements<uint8_t, N> codes = load<N>(m.codes + i);
    const Elements<float, N> gradient = load<N>(g + i);
    Elements<float, N> value = load<N>(p + i);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const float x = gradient.at[j];
      float mi = 0;
      if (finite(x)) {
        const float old = m.table->values[codes.at[j]] * scale, u = old * s.b1 + x * s.c1;
        value.at[j] = value.at[j] * s.decay - s.rate * (u > 0.0f ? 1.0f : u < 0.0f ? -1.0f : 0.0f);
        mi = fmaf(x, s.c2, old * s.b2);
      }
      first[k].at[j] = mi;
    }
    store<N>(p + i, value);
  });
  __syncwarp();  // all have read absmax
  encode(m, part, first);
}

// f(part) for the blocks of a warp; where packed, the elements of all but a short last one go by
// four.
template <bool Packed, class F>
__device__ __forceinline__ void each_block(int64_t n, F f) {
  constexpr int kWarps = kEachThreads / kWarp;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kWarps;
  for (int64_t b = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
       b * kStateBlock < n; b += stride) {
    if (Packed && (b + 1) * kStateBlock <= n)
      f(Part<4>{b, n});
    else
      f(Part<1>{b, n});
  }
}

template <bool Packed>
__global__ void __launch_bounds__(kEachThreads)
    adamw8bit_kernel(float* p, const float* g, State8 m, State8 v, int64_t n, Adamw8 s) {
  each_block<Packed>(n, [&](const auto& part) { adamw_block(p, g, m, v, part, s); });
}
template <bool Packed>
__global__ void __launch_bounds__(kEachThreads)
    lion8bit_kernel(float* p, const float* g, State8 m, int64_t n, Lion8 s) {
  each_block<Packed>(n, [&](const auto& part) { lion_block(p, g, m, part, s); });
}

unsigned grid_for_blocks(int64_t n) {
  return grid_for_threads((n + kStateBlock - 1) / kStateBlock * kWarp);
}
bool aligned_4(const void* p) { return reinterpret_cast<uintptr_t>(p) % 4 == 0; }

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
  const bool packed = aligned_16(p) && aligned_16(g) && aligned_4(m.codes) && aligned_4(v.codes);
  launch(packed ? adamw8bit_kernel<true> : adamw8bit_kernel<false>, grid_for_blocks(n),
         kEachThreads, 0, cuda.stream, p, g, on_device(m), on_device(v), n, constants);
}

template <class Isa>
void lion8bit_update(Isa cuda, float* p, const float* g, State8 m, int64_t n, double lr,
                     double beta1, double beta2, double weight_decay) {
  if (n == 0) return;
  const Lion8 constants{static_cast<float>(beta1), static_cast<float>(1 - beta1),
                        static_cast<float>(beta2), static_cast<float>(1 - beta2),
                        static_cast<float>(lr),    static_cast<float>(1 - lr * weight_decay)};
  const bool packed = aligned_16(p) && aligned_16(g) && aligned_4(m.codes);
  launch(packed ? lion8bit_kernel<true> : lion8bit_kernel<false>, grid_for_blocks(n), kEachThreads,
         0, cuda.stream, p, g, on_device(m), n, constants);
}

template void adamw8bit_update(Cuda, float*, const float*, State8, State8, int64_t,
                               const AdamwStep&);
template void lion8bit_update(Cuda, float*, const float*, State8, int64_t, double, double, double,
                              double);

}  // namespace lk
