// Bound by memory. A thread takes 16 bytes of a row at a time; of the sums, the same columns of all
// rows that go to one, so that their order is fixed and no atomics are needed.
#include "engine/kernels/rows.h"

#include "cuda/each.h"

namespace lk {
namespace {

template <int N, class Out, class In>
__global__ void __launch_bounds__(kEachThreads)
    gather_rows_kernel(Out* y, const In* x, const int32_t* ids, int64_t n, int64_t d) {
  const int64_t packs = d / N, stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  for (int64_t at = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x; at < n * packs;
       at += stride) {
    const int64_t i = at / packs, j = at % packs * N;
    Elements<In, N> from{};
    if (const int32_t id = ids[i]; id >= 0) from = load<N>(x + id * d + j);
    Elements<Out, N> to;
#pragma unroll
    for (int k = 0; k < N; ++k) to.at[k] = Out(static_cast<float>(from.at[k]));
    store<N>(y + i * d + j, to);
  }
}

template <int N, class In>
__global__ void __launch_bounds__(kEachThreads)
    scatter_add_rows_kernel(float* y, const In* x, RowGroups s, int64_t d) {
  const int64_t packs = d / N, stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  for (int64_t at = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x;
       at < s.count * packs; at += stride) {
    const int64_t g = at / packs, j = at % packs * N;
    float* to = y + s.rows[g] * d + j;
    Elements<float, N> sum = load<N>(to);
    for (int32_t i = s.starts[g]; i < s.starts[g + 1]; ++i) {
      const Elements<In, N> from = load<N>(x + s.places[i] * d + j);
#pragma unroll
      for (int k = 0; k < N; ++k) sum.at[k] += static_cast<float>(from.at[k]);
    }
    store<N>(to, sum);
  }
}

}  // namespace

template <class Isa, class Out, class In>
void gather_rows(Isa cuda, Out* y, const In* x, const int32_t* ids, int64_t n, int64_t d) {
  if (n == 0 || d == 0) return;
  constexpr int N = common_pack<Out, In>();
  const bool packed = d % N == 0 && aligned_16(y) && aligned_16(x) && d % kPackSize<Out> == 0 &&
                      d % kPackSize<In> == 0;
  const int64_t pieces = n * d / (packed ? N : 1);
  launch(packed ? gather_rows_kernel<N, Out, In> : gather_rows_kernel<1, Out, In>,
         grid_for_threads(pieces), kEachThreads, 0, cuda.stream, y, x, ids, n, d);
}

template <class Isa, class Out, class In>
void scatter_add_rows(Isa cuda, Out* y, const In* x, const RowGroups& groups, int64_t d) {
  if (groups.count == 0 || d == 0) return;
  constexpr int N = common_pack<Out, In>();
  const bool packed = d % kPackSize<In> == 0 && aligned_16(y) && aligned_16(x);
  const int64_t pieces = groups.count * d / (packed ? N : 1);
  launch(packed ? scatter_add_rows_kernel<N, In> : scatter_add_rows_kernel<1, In>,
         grid_for_threads(pieces), kEachThreads, 0, cuda.stream, y, x, groups, d);
}

#define LK_ROWS(Out, In) \
  template void gather_rows(Cuda, Out*, const In*, const int32_t*, int64_t, int64_t);
LK_ROWS(float, float)
LK_ROWS(float, bf16)
LK_ROWS(bf16, float)
LK_ROWS(bf16, bf16)
template void scatter_add_rows(Cuda, float*, const float*, const RowGroups&, int64_t);
template void scatter_add_rows(Cuda, float*, const bf16*, const RowGroups&, int64_t);

}  // namespace lk
