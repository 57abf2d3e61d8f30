#include "engine/kernels/elementwise.h"

#include "cuda/each.h"
#include "engine/kernels/math.h"

namespace lk {
namespace {

struct Product {
  template <class A>
  __device__ A operator()(A a, A b) const {
    return a * b;
  }
};
template <class A>
struct Scale {
  A factor;
  __device__ A operator()(A x) const { return x * factor; }
};
struct Swiglu {
  template <class A>
  __device__ A operator()(A gate, A up) const {
    return gate * math::sigmoid(gate) * up;
  }
};
struct SwigluToGate {
  template <class A>
  __device__ A operator()(A dy, A gate, A up) const {
    const A s = math::sigmoid(gate);
    return dy * up * s * (A(1) + gate * (A(1) - s));
  }
};
struct SwigluToUp {
  template <class A>
  __device__ A operator()(A dy, A gate) const {
    return dy * gate * math::sigmoid(gate);
  }
};

// Both gradients in one pass over dy, gate and up.
template <int N, class T>
__global__ void __launch_bounds__(kEachThreads)
    swiglu_backward_kernel(T* dgate, T* dup, const T* dy, const T* gate, const T* up, int64_t n) {
  using A = acc_t<T>;
  for_packs<N>(n, [&]<int K>(int64_t i) {
    const Elements<T, K> d = load<K>(dy + i), g = load<K>(gate + i), u = load<K>(up + i);
    Elements<T, K> to_gate, to_up;
#pragma unroll
    for (int j = 0; j < K; ++j) {
      const A dj = static_cast<A>(d.at[j]), gj = static_cast<A>(g.at[j]);
      to_gate.at[j] = T(SwigluToGate{}(dj, gj, static_cast<A>(u.at[j])));
      to_up.at[j] = T(SwigluToUp{}(dj, gj));
    }
    store<K>(dgate + i, to_gate);
    store<K>(dup + i, to_up);
  });
}

// y[i, j] = f(x[i, j], row[j]). A lane keeps its columns' row values over the rows of its block.
constexpr int kRowWarps = 8;
template <int N, class F, class T, class A>
__global__ void __launch_bounds__(kWarp* kRowWarps)
    each_row_kernel(F f, T* y, const T* x, const A* row, int64_t rows, int64_t cols) {
  const int64_t j = (static_cast<int64_t>(blockIdx.x) * kWarp + threadIdx.x) * N;
  if (j >= cols) return;
  const Elements<A, N> r = load<N>(row + j);
  const int64_t stride = static_cast<int64_t>(gridDim.y) * kRowWarps;
  for (int64_t i = static_cast<int64_t>(blockIdx.y) * kRowWarps + threadIdx.y; i < rows;
       i += stride) {
    Elements<T, N> e = load<N>(x + i * cols + j);
#pragma unroll
    for (int k = 0; k < N; ++k) e.at[k] = T(f(static_cast<A>(e.at[k]), r.at[k]));
    store<N>(y + i * cols + j, e);
  }
}

template <class F, class T, class A>
void each_row(Cuda cuda, F f, T* y, const T* x, const A* row, int64_t rows, int64_t cols) {
  if (rows == 0 || cols == 0) return;
  constexpr int N = kPackSize<T>;
  const bool packed = cols % N == 0 && aligned_16(y) && aligned_16(x) && aligned_16(row);
  const int64_t width = kWarp * (packed ? N : 1), across = (cols + width - 1) / width;
  // Eight rows a warp or more: the row's values are loaded once for all of them.
  const unsigned down = grid_for((rows + 8 * kRowWarps - 1) / (8 * kRowWarps));
  launch(packed ? each_row_kernel<N, F, T, A> : each_row_kernel<1, F, T, A>,
         dim3(static_cast<unsigned>(across), down), dim3(kWarp, kRowWarps), 0, cuda.stream, f, y, x,
         row, rows, cols);
}

// y[i, j] = x[i, j] column[i]. A warp takes a row.
template <int N, class T, class A>
__global__ void __launch_bounds__(kWarp* kRowWarps)
    mul_column_kernel(T* y, const T* x, const A* column, int64_t rows, int64_t cols) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kRowWarps;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kRowWarps + threadIdx.y; i < rows;
       i += stride) {
    const A factor = column[i];
    for (int64_t j = static_cast<int64_t>(threadIdx.x) * N; j < cols; j += kWarp * N) {
      Elements<T, N> e = load<N>(x + i * cols + j);
#pragma unroll
      for (int k = 0; k < N; ++k) e.at[k] = T(static_cast<A>(e.at[k]) * factor);
      store<N>(y + i * cols + j, e);
    }
  }
}

}  // namespace

template <class Isa, class T>
void add_forward(Isa cuda, T* y, const T* a, const T* b, int64_t n) {
  each(cuda, Sum{}, y, n, a, b);
}
template <class Isa, class T>
void mul_forward(Isa cuda, T* y, const T* a, const T* b, int64_t n) {
  each(cuda, Product{}, y, n, a, b);
}
template <class Isa, class T>
void scale_forward(Isa cuda, T* y, const T* x, acc_t<T> factor, int64_t n) {
  each(cuda, Scale<acc_t<T>>{factor}, y, n, x);
}
template <class Isa, class T>
void add_row_forward(Isa cuda, T* y, const T* x, const acc_t<T>* row, int64_t rows, int64_t cols) {
  each_row(cuda, Sum{}, y, x, row, rows, cols);
}
template <class Isa, class T>
void mul_row_forward(Isa cuda, T* y, const T* x, const acc_t<T>* row, int64_t rows, int64_t cols) {
  each_row(cuda, Product{}, y, x, row, rows, cols);
}
template <class Isa, class T>
void mul_column_forward(Isa cuda, T* y, const T* x, const acc_t<T>* column, int64_t rows,
                        int64_t cols) {
  if (rows == 0 || cols == 0) return;
  constexpr int N = kPackSize<T>;
  const bool packed = cols % N == 0 && aligned_16(y) && aligned_16(x);
  launch(packed ? mul_column_kernel<N, T, acc_t<T>> : mul_column_kernel<1, T, acc_t<T>>,
         grid_for((rows + kRowWarps - 1) / kRowWarps), dim3(kWarp, kRowWarps), 0, cuda.stream, y, x,
         column, rows, cols);
}
template <class Isa, class T>
void swiglu_forward(Isa cuda, T* y, const T* gate, const T* up, int64_t n) {
  each(cuda, Swiglu{}, y, n, gate, up);
}
template <class Isa, class T>
void swiglu_backward(Isa cuda, T* dgate, T* dup, const T* dy, const T* gate, const T* up,
                     int64_t n) {
  if (!dup) {
    if (dgate) each(cuda, SwigluToGate{}, dgate, n, dy, gate, up);
  } else if (!dgate) {
    each(cuda, SwigluToUp{}, dup, n, dy, gate);
  } else if (n > 0) {
    constexpr int N = kPackSize<T>;
    const bool packed = aligned_16(dgate) && aligned_16(dup) && aligned_16(dy) &&
                        aligned_16(gate) && aligned_16(up);
    launch(packed ? swiglu_backward_kernel<N, T> : swiglu_backward_kernel<1, T>,
           grid_for_packs(n, packed ? N : 1), kEachThreads, 0, cuda.stream, dgate, dup, dy, gate,
           up, n);
  }
}

#define LK_ELEMENTWISE(T)                                                                  \
  template void add_forward(Cuda, T*, const T*, const T*, int64_t);                        \
  template void mul_forward(Cuda, T*, const T*, const T*, int64_t);                        \
  template void scale_forward(Cuda, T*, const T*, acc_t<T>, int64_t);                      \
  template void add_row_forward(Cuda, T*, const T*, const acc_t<T>*, int64_t, int64_t);    \
  template void mul_row_forward(Cuda, T*, const T*, const acc_t<T>*, int64_t, int64_t);    \
  template void mul_column_forward(Cuda, T*, const T*, const acc_t<T>*, int64_t, int64_t); \
  template void swiglu_forward(Cuda, T*, const T*, const T*, int64_t);                     \
  template void swiglu_backward(Cuda, T*, T*, const T*, const T*, const T*, int64_t);
LK_ELEMENTWISE(float)
LK_ELEMENTWISE(bf16)

}  // namespace lk
