// A thread sums a row of few numbers. Rows of B and B A A^T come in through shared memory, so that
// lanes read neighbouring numbers.
#include "engine/kernels/low_rank_norm.h"

#include "cuda/each.h"

namespace lk {
namespace {

constexpr int kChunk = 8;  // of a row, at a time
// Where a row's number lies in its chunk: neither four rows together nor a column of 32 meet in a
// bank.
__device__ __forceinline__ int turned(int row, int column) { return (column + row / 4) % kChunk; }

__global__ void __launch_bounds__(kEachThreads)
    low_rank_norm_kernel(float* n, const double* squares, const float* b, const float* wa,
                         const float* baa, int64_t out, int64_t r, double s, bool inverse) {
  __shared__ float bs[kEachThreads][kChunk], baas[kEachThreads][kChunk];
  const int thread = static_cast<int>(threadIdx.x);
  for (int64_t first = static_cast<int64_t>(blockIdx.x) * kEachThreads; first < out;
       first += static_cast<int64_t>(gridDim.x) * kEachThreads) {
    const int64_t o = first + thread;
    double total = o < out ? squares[o] : 0.0;
    for (int64_t i0 = 0; i0 < r; i0 += kChunk) {
      const int count = static_cast<int>(r - i0 < kChunk ? r - i0 : kChunk);
      for (int e = thread; e < kEachThreads * kChunk; e += kEachThreads) {
        const int row = e / kChunk, column = e % kChunk;
        if (first + row >= out || column >= count) continue;
        const int64_t at = (first + row) * r + i0 + column;
        bs[row][turned(row, column)] = b[at];
        baas[row][turned(row, column)] = baa[at];
      }
      __syncthreads();
      for (int i = 0; i < count && o < out; ++i)
        total += s * static_cast<double>(bs[thread][turned(thread, i)]) *
                 (2 * static_cast<double>(wa[(i0 + i) * out + o]) +
                  s * static_cast<double>(baas[thread][turned(thread, i)]));
      __syncthreads();
    }
    const double length = sqrt(total > 1e-24 || total != total ? total : 1e-24);
    if (o < out) n[o] = static_cast<float>(inverse ? 1.0 / length : length);
  }
}

}  // namespace

template <class Isa, class T>
void low_rank_norm(Isa cuda, T* n, const double* squares, const T* b, const T* wa, const T* baa,
                   int64_t out, int64_t r, double s, bool inverse) {
  if (out > 0)
    launch(low_rank_norm_kernel, grid_for_threads(out), kEachThreads, 0, cuda.stream, n, squares, b,
           wa, baa, out, r, s, inverse);
}

template void low_rank_norm(Cuda, float*, const double*, const float*, const float*, const float*,
                            int64_t, int64_t, double, bool);

}  // namespace lk
