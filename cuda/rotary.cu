#include "engine/kernels/rotary.h"

#include "cuda/each.h"

namespace lk {
namespace {

// A thread keeps the angles of N columns of one row and turns them in every head: the tables are
// read once.
template <int N, class T>
__global__ void __launch_bounds__(kEachThreads)
    rotary_kernel(T* y, const T* x, const float* cos, const float* sin, int64_t rows, int64_t heads,
                  int64_t half, float sign) {
  const int64_t packs = half / N, stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  for (int64_t at = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x;
       at < rows * packs; at += stride) {
    const int64_t row = at / packs, j = at % packs * N;
    const Elements<float, N> c = load<N>(cos + row * half + j), s = load<N>(sin + row * half + j);
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t first = (row * heads + h) * 2 * half + j;
      Elements<T, N> a = load<N>(x + first), b = load<N>(x + first + half);
#pragma unroll
      for (int k = 0; k < N; ++k) {
        const float ak = static_cast<float>(a.at[k]), bk = static_cast<float>(b.at[k]),
                    sk = sign * s.at[k];
        a.at[k] = T(ak * c.at[k] - bk * sk);
        b.at[k] = T(bk * c.at[k] + ak * sk);
      }
      store<N>(y + first, a);
      store<N>(y + first + half, b);
    }
  }
}

// In the models' range of positions the fast functions would be wrong: angles reach thousands.
__global__ void __launch_bounds__(kEachThreads)
    rotary_table_kernel(float* cos, float* sin, const int32_t* positions, const float* inv_freq,
                        int64_t count, int64_t half, float factor) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  for (int64_t at = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x; at < count;
       at += stride) {
    const float angle = static_cast<float>(positions[at / half]) * inv_freq[at % half];
    cos[at] = cosf(angle) * factor;
    sin[at] = sinf(angle) * factor;
  }
}

}  // namespace

template <class Isa, class A>
void rotary_table(Isa cuda, A* cos, A* sin, const int32_t* positions, const float* inv_freq,
                  int64_t rows, int64_t half, float factor) {
  if (rows * half == 0) return;
  launch(rotary_table_kernel, grid_for_threads(rows * half), kEachThreads, 0, cuda.stream, cos, sin,
         positions, inv_freq, rows * half, half, factor);
}

template <class Isa, class T>
void rotary_forward(Isa cuda, T* y, const T* x, const acc_t<T>* cos, const acc_t<T>* sin,
                    int64_t rows, int64_t heads, int64_t d, bool inverse) {
  const int64_t half = d / 2;
  if (rows == 0 || heads == 0 || half == 0) return;
  constexpr int N = kPackSize<T>;
  const bool packed =
      half % N == 0 && aligned_16(y) && aligned_16(x) && aligned_16(cos) && aligned_16(sin);
  const int64_t pieces = rows * half / (packed ? N : 1);
  launch(packed ? rotary_kernel<N, T> : rotary_kernel<1, T>, grid_for_threads(pieces), kEachThreads,
         0, cuda.stream, y, x, cos, sin, rows, heads, half, inverse ? -1.0f : 1.0f);
}

template void rotary_forward(Cuda, float*, const float*, const float*, const float*, int64_t,
                             int64_t, int64_t, bool);
template void rotary_forward(Cuda, bf16*, const bf16*, const float*, const float*, int64_t, int64_t,
                             int64_t, bool);

template void rotary_table(Cuda, float*, float*, const int32_t*, const float*, int64_t, int64_t,
                           float);

}  // namespace lk
