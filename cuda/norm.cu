// A group of 32, 128 or 512 threads holds a row in registers: x is read once, y written once. A
// group walks over rows and keeps its columns' gains (forward) or their partial gradients
// (backward) in registers too. Threads hold packs of N columns, the groups' lanes side by side.
#include "engine/kernels/norm.h"

#include "cuda/each.h"
#include "cuda/workspace.h"
#include "engine/kernels/column_sum.h"

namespace lk {
namespace {

// Columns that one thread holds: kPacks packs of N.
template <int N>
inline constexpr int kPacks = N == 1 ? 16 : 16 / N;
template <int Group>
inline constexpr int kThreads = Group == kWarp ? 256 : Group;

// The columns of a thread; f(k, j) with k the place in its registers, j the column.
template <int Group, int N, class F>
__device__ __forceinline__ void each_pack(int64_t d, F f) {
  const int lane = static_cast<int>(threadIdx.x) % Group;
#pragma unroll
  for (int pack = 0; pack < kPacks<N>; ++pack) {
    const int64_t j = (static_cast<int64_t>(pack) * Group + lane) * N;
    if (j < d) f(pack * N, j);
  }
}

template <int N>
struct Row {
  float at[kPacks<N> * N];
  template <int Group, class T>
  __device__ __forceinline__ void read(const T* x, int64_t d) {
    each_pack<Group, N>(d, [&](int k, int64_t j) {
      const Elements<T, N> e = load<N>(x + j);
#pragma unroll
      for (int i = 0; i < N; ++i) at[k + i] = static_cast<float>(e.at[i]);
    });
  }
  // Adds x, the sums rounded to T.
  template <int Group, class T>
  __device__ __forceinline__ void add(const T* x, int64_t d) {
    each_pack<Group, N>(d, [&](int k, int64_t j) {
      const Elements<T, N> e = load<N>(x + j);
#pragma unroll
      for (int i = 0; i < N; ++i)
        at[k + i] = static_cast<float>(T(at[k + i] + static_cast<float>(e.at[i])));
    });
  }
  template <int Group, class T>
  __device__ __forceinline__ void write(T* y, int64_t d) const {
    each_pack<Group, N>(d, [&](int k, int64_t j) {
      Elements<T, N> e;
#pragma unroll
      for (int i = 0; i < N; ++i) e.at[i] = T(at[k + i]);
      store<N>(y + j, e);
    });
  }
  // Sum of f(k) over the columns of the row, the same in all threads of the group.
  template <int Group, class F>
  static __device__ __forceinline__ float sum(int64_t d, float* scratch, F f) {
    float total = 0;
    each_pack<Group, N>(d, [&](int k, int64_t) {
#pragma unroll
      for (int i = 0; i < N; ++i) total += f(k + i);
    });
    if constexpr (Group == kWarp) return warp_reduce(total, Sum{});
    return block_reduce<Group>(total, scratch, Sum{});
  }
};

template <int Group>
__device__ __forceinline__ int64_t group_number() {
  return (static_cast<int64_t>(blockIdx.x) * kThreads<Group> + threadIdx.x) / Group;
}
template <int Group>
__device__ __forceinline__ int64_t group_count() {
  return static_cast<int64_t>(gridDim.x) * kThreads<Group> / Group;
}

// Layer norm, or RMS norm: without mean and bias. Of x, or with Add of sum = x + residual.
template <bool Layer, bool Add, int Group, int N, class T>
__global__ void __launch_bounds__(kThreads<Group>)
    forward_kernel(T* y, T* sum, float* mean, float* rstd, const T* x, const T* residual,
                   const float* gain, const float* bias, int64_t rows, int64_t d, float eps) {
  __shared__ float scratch[32];
  Row<N> g, b, v;
  g.template read<Group>(gain, d);
  if constexpr (Layer) b.template read<Group>(bias, d);
  const float width = static_cast<float>(d);
  for (int64_t i = group_number<Group>(); i < rows; i += group_count<Group>()) {
    v.template read<Group>(x + i * d, d);
    if constexpr (Add) {
      v.template add<Group>(residual + i * d, d);
      v.template write<Group>(sum + i * d, d);
    }
    float m = 0;
    if constexpr (Layer)
      m = Row<N>::template sum<Group>(d, scratch, [&](int k) { return v.at[k]; }) / width;
    const float square = Row<N>::template sum<Group>(
        d, scratch, [&](int k) { return (v.at[k] - m) * (v.at[k] - m); });
    const float r = 1.0f / sqrtf(square / width + eps);
    each_pack<Group, N>(d, [&](int k, int64_t) {
#pragma unroll
      for (int c = k; c < k + N; ++c) {
        v.at[c] = (v.at[c] - m) * r * g.at[c];
        if constexpr (Layer) v.at[c] += b.at[c];
      }
    });
    v.template write<Group>(y + i * d, d);
    if (threadIdx.x % Group == 0) {
      if constexpr (Layer) mean[i] = m;
      rstd[i] = r;
    }
  }
}

// The sum of the block's rows of partial results, its groups one after another.
template <int Group, int N>
__device__ __forceinline__ void write_block_sum(Row<N>& mine, float* out, int64_t d) {
  constexpr int kGroups = kThreads<Group> / Group;
  if constexpr (kGroups > 1) {
    __shared__ float total[kPacks<N> * N][Group];
    const int group = static_cast<int>(threadIdx.x) / Group,
              lane = static_cast<int>(threadIdx.x) % Group;
    for (int turn = 0; turn < kGroups; ++turn) {
      __syncthreads();
      if (turn != group) continue;
      each_pack<Group, N>(d, [&](int k, int64_t) {
#pragma unroll
        for (int c = k; c < k + N; ++c) {
          if (turn > 0) mine.at[c] += total[c][lane];
          total[c][lane] = mine.at[c];
        }
      });
    }
    if (group != kGroups - 1) return;
  }
  mine.template write<Group>(out, d);
}

// dx, and for each block the partial sums of dgain and dbias over its rows; each may be null.
template <bool Layer, int Group, int N, class T>
__global__ void __launch_bounds__(kThreads<Group>)
    backward_kernel(T* dx, float* dgain, float* dbias, const T* dy, const T* x, const float* mean,
                    const float* rstd, const float* gain, int64_t rows, int64_t d) {
  __shared__ float scratch[32];
  Row<N> g, to_gain{}, to_bias{}, u, v;  // u: dy; v: the normalised x
  if (dx) g.template read<Group>(gain, d);
  const float width = static_cast<float>(d);
  for (int64_t i = group_number<Group>(); i < rows; i += group_count<Group>()) {
    u.template read<Group>(dy + i * d, d);
    if (dx || dgain) {
      v.template read<Group>(x + i * d, d);
      const float r = rstd[i];
      float m = 0;
      if constexpr (Layer) m = mean[i];
      each_pack<Group, N>(d, [&](int k, int64_t) {
#pragma unroll
        for (int c = k; c < k + N; ++c) v.at[c] = (v.at[c] - m) * r;
      });
    }
    each_pack<Group, N>(d, [&](int k, int64_t) {
#pragma unroll
      for (int c = k; c < k + N; ++c) {
        if (dgain) to_gain.at[c] += u.at[c] * v.at[c];
        if (Layer && dbias) to_bias.at[c] += u.at[c];
      }
    });
    if (!dx) continue;
    float of_g = 0;
    if constexpr (Layer)
      of_g =
          Row<N>::template sum<Group>(d, scratch, [&](int k) { return u.at[k] * g.at[k]; }) / width;
    const float of_gx = Row<N>::template sum<Group>(
                            d, scratch, [&](int k) { return u.at[k] * g.at[k] * v.at[k]; }) /
                        width;
    const float r = rstd[i];
    each_pack<Group, N>(d, [&](int k, int64_t) {
#pragma unroll
      for (int c = k; c < k + N; ++c) v.at[c] = r * (u.at[c] * g.at[c] - of_g - v.at[c] * of_gx);
    });
    v.template write<Group>(dx + i * d, d);
  }
  if (dgain) write_block_sum<Group>(to_gain, dgain + blockIdx.x * d, d);
  if (Layer && dbias) write_block_sum<Group>(to_bias, dbias + blockIdx.x * d, d);
}

// Calls f<Group, N>() with the smallest group that holds rows of d.
template <class T, class F>
void with_group(int64_t d, bool packed, F f) {
  const auto of_size = [&](auto n) {
    constexpr int N = decltype(n)::value;
    constexpr int64_t kColumns = kPacks<N> * N;
    require(d <= 512 * kColumns, "norms on CUDA take rows of at most {} elements, these have {}",
            512 * kColumns, d);
    if (d <= kWarp * kColumns)
      f.template operator()<kWarp, N>();
    else if (d <= 128 * kColumns)
      f.template operator()<128, N>();
    else
      f.template operator()<512, N>();
  };
  if (packed)
    of_size(std::integral_constant<int, kPackSize<T>>{});
  else
    of_size(std::integral_constant<int, 1>{});
}

// Blocks for groups that walk over rows.
template <int Group>
unsigned blocks_for(int64_t rows, int64_t blocks_per_multiprocessor) {
  constexpr int64_t kGroups = kThreads<Group> / Group;
  return grid_for((rows + kGroups - 1) / kGroups, blocks_per_multiprocessor);
}

template <class T>
struct Forward {
  T *y, *sum;  // sum and residual: both or neither
  float *mean, *rstd;
  const T *x, *residual;
  const float *gain, *bias;
};

template <bool Layer, bool Add, class T>
void forward(Cuda cuda, const Forward<T>& f, int64_t rows, int64_t d, float eps) {
  if (rows == 0 || d == 0) return;
  const bool packed = d % kPackSize<T> == 0 && aligned_16(f.y) && aligned_16(f.sum) &&
                      aligned_16(f.x) && aligned_16(f.residual) && aligned_16(f.gain) &&
                      aligned_16(f.bias);
  with_group<T>(d, packed, [&]<int Group, int N>() {
    launch(forward_kernel<Layer, Add, Group, N, T>, blocks_for<Group>(rows, Group == 512 ? 4 : 8),
           kThreads<Group>, 0, cuda.stream, f.y, f.sum, f.mean, f.rstd, f.x, f.residual, f.gain,
           f.bias, rows, d, eps);
  });
}

template <bool Layer, class T>
void backward(Cuda cuda, T* dx, float* dgain, float* dbias, const T* dy, const T* x,
              const float* mean, const float* rstd, const float* gain, int64_t rows, int64_t d) {
  if (d == 0) return;
  const bool packed = d % kPackSize<T> == 0 && aligned_16(dx) && aligned_16(dy) && aligned_16(x) &&
                      aligned_16(gain);
  with_group<T>(d, packed, [&]<int Group, int N>() {
    // Few blocks where each writes partial sums: these are [blocks, d] of f32.
    const int64_t blocks = blocks_for<Group>(rows, dgain || dbias ? 2 : 8);
    const Workspace<float> partial(cuda, ((dgain != nullptr) + (dbias != nullptr)) * blocks * d);
    float* gain_part = dgain ? partial.data() : nullptr;
    float* bias_part = dbias ? partial.data() + (dgain ? blocks * d : 0) : nullptr;
    launch(backward_kernel<Layer, Group, N, T>, static_cast<unsigned>(blocks), kThreads<Group>, 0,
           cuda.stream, dx, gain_part, bias_part, dy, x, mean, rstd, gain, rows, d);
    if (dgain) column_sum(cuda, dgain, static_cast<const float*>(gain_part), blocks, d);
    if (dbias) column_sum(cuda, dbias, static_cast<const float*>(bias_part), blocks, d);
  });
}

}  // namespace

template <class Isa, class T>
void layer_norm_forward(Isa cuda, T* y, acc_t<T>* mean, acc_t<T>* rstd, const T* x,
                        const acc_t<T>* gain, const acc_t<T>* bias, int64_t rows, int64_t d,
                        acc_t<T> eps) {
  forward<true, false>(cuda, Forward<T>{y, nullptr, mean, rstd, x, nullptr, gain, bias}, rows, d,
                       eps);
}
template <class Isa, class T>
void add_layer_norm_forward(Isa cuda, T* y, T* sum, acc_t<T>* mean, acc_t<T>* rstd, const T* a,
                            const T* b, const acc_t<T>* gain, const acc_t<T>* bias, int64_t rows,
                            int64_t d, acc_t<T> eps) {
  forward<true, true>(cuda, Forward<T>{y, sum, mean, rstd, a, b, gain, bias}, rows, d, eps);
}
template <class Isa, class T>
void layer_norm_backward(Isa cuda, T* dx, acc_t<T>* dgain, acc_t<T>* dbias, const T* dy, const T* x,
                         const acc_t<T>* mean, const acc_t<T>* rstd, const acc_t<T>* gain,
                         int64_t rows, int64_t d) {
  backward<true>(cuda, dx, dgain, dbias, dy, x, mean, rstd, gain, rows, d);
}
template <class Isa, class T>
void rms_norm_forward(Isa cuda, T* y, acc_t<T>* rstd, const T* x, const acc_t<T>* gain,
                      int64_t rows, int64_t d, acc_t<T> eps) {
  forward<false, false>(cuda, Forward<T>{y, nullptr, nullptr, rstd, x, nullptr, gain, nullptr},
                        rows, d, eps);
}
template <class Isa, class T>
void add_rms_norm_forward(Isa cuda, T* y, T* sum, acc_t<T>* rstd, const T* a, const T* b,
                          const acc_t<T>* gain, int64_t rows, int64_t d, acc_t<T> eps) {
  forward<false, true>(cuda, Forward<T>{y, sum, nullptr, rstd, a, b, gain, nullptr}, rows, d, eps);
}
template <class Isa, class T>
void rms_norm_backward(Isa cuda, T* dx, acc_t<T>* dgain, const T* dy, const T* x,
                       const acc_t<T>* rstd, const acc_t<T>* gain, int64_t rows, int64_t d) {
  backward<false>(cuda, dx, dgain, static_cast<float*>(nullptr), dy, x,
                  static_cast<const float*>(nullptr), rstd, gain, rows, d);
}

#define LK_NORM(T)                                                                                 \
  template void layer_norm_forward(Cuda, T*, float*, float*, const T*, const float*, const float*, \
                                   int64_t, int64_t, float);                                       \
  template void layer_norm_backward(Cuda, T*, float*, float*, const T*, const T*, const float*,    \
                                    const float*, const float*, int64_t, int64_t);                 \
  template void add_layer_norm_forward(Cuda, T*, T*, float*, float*, const T*, const T*,           \
                                       const float*, const float*, int64_t, int64_t, float);       \
  template void add_rms_norm_forward(Cuda, T*, T*, float*, const T*, const T*, const float*,       \
                                     int64_t, int64_t, float);                                     \
  template void rms_norm_forward(Cuda, T*, float*, const T*, const float*, int64_t, int64_t,       \
                                 float);                                                           \
  template void rms_norm_backward(Cuda, T*, float*, const T*, const T*, const float*,              \
                                  const float*, int64_t, int64_t);
LK_NORM(float)
LK_NORM(bf16)

}  // namespace lk
