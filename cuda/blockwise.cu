// Bound by memory: a thread reads the codes of 16 bytes of the output at a time.
#include "engine/kernels/blockwise.h"

#include "cuda/codebook_values.h"
#include "cuda/each.h"

namespace lk {
namespace {

// Elements [begin, begin + n). Packed: begin and block are multiples of kPackSize<T>.
template <bool Packed, class T>
__global__ void __launch_bounds__(kEachThreads)
    dequantize_4bit_kernel(T* y, const uint8_t* packed, const float* absmax, int64_t begin,
                           int64_t n, int64_t block, Values<16> book) {
  __shared__ float values[16];
  if (threadIdx.x < 16) values[threadIdx.x] = book.at[threadIdx.x];
  __syncthreads();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads, first = begin / block;
  const int64_t own = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x;
  constexpr int N = kPackSize<T>;
  using Codes = std::conditional_t<N == 8, uint32_t, uint16_t>;
  const int64_t whole = Packed ? n / N : 0;
  for (int64_t p = own; p < whole; p += stride) {
    const int64_t at = begin + p * N;
    const uint32_t codes = *reinterpret_cast<const Codes*>(packed + at / 2);
    const float scale = absmax[at / block - first];
    Elements<T, N> e;
#pragma unroll
    for (int k = 0; k < N; ++k)  // the first of a byte lies in its high half
      e.at[k] = T(values[codes >> (8 * (k / 2) + (k % 2 ? 0 : 4)) & 15u] * scale);
    store<N>(y + p * N, e);
  }
  for (int64_t i = whole * N + own; i < n; i += stride) {
    const int64_t at = begin + i;
    const uint32_t byte = packed[at / 2];
    y[i] = T(values[(at % 2 ? byte : byte >> 4) & 15u] * absmax[at / block - first]);
  }
}

// N > 1: begin and block are multiples of it.
template <int N, class T>
__global__ void __launch_bounds__(kEachThreads)
    dequantize_8bit_kernel(T* y, const uint8_t* codes, const float* absmax, int64_t begin,
                           int64_t n, int64_t block, float offset, Values<256> book) {
  __shared__ float shared[256];
  shared[threadIdx.x] = book.at[threadIdx.x];
  __syncthreads();
  const float* const values = shared;  // GCC does not see that a lambda uses a static array
  const int64_t first = begin / block;
  for_packs<N>(n, [&]<int K>(int64_t i) {
    const Elements<uint8_t, K> c = load<K>(codes + begin + i);
    const float scale = absmax[(begin + i) / block - first];
    Elements<T, K> e;
#pragma unroll
    for (int k = 0; k < K; ++k) {
      // The product is rounded before the sum, as on the CPU: the factors of weights hang on it.
#if defined(__CUDA_ARCH__)
      const float product = __fmul_rn(values[c.at[k]], scale);
#else
      const float product = values[c.at[k]] * scale;
#endif
      e.at[k] = T(product + offset);
    }
    store<K>(y + i, e);
  });
}

template <class T>
void launch_8bit(Cuda cuda, T* y, const uint8_t* codes, const float* absmax, int64_t begin,
                 int64_t n, int64_t block, float offset, const float* values) {
  if (n == 0) return;
  constexpr int N = kPackSize<T>;
  const bool packed = begin % N == 0 && block % N == 0 && aligned_16(y) &&
                      reinterpret_cast<uintptr_t>(codes) % N == 0;
  launch(packed ? dequantize_8bit_kernel<N, T> : dequantize_8bit_kernel<1, T>,
         grid_for_packs(n, packed ? N : 1), kEachThreads, 0, cuda.stream, y, codes, absmax, begin,
         n, block, offset, values_of<256>(values));
}

}  // namespace

template <class Isa, class T>
void dequantize_4bit(Isa cuda, T* y, const uint8_t* packed, const float* absmax, int64_t begin,
                     int64_t n, int64_t block, const Codebook4& book) {
  if (n == 0) return;
  constexpr int N = kPackSize<T>;
  const bool whole = begin % N == 0 && block % N == 0 && aligned_16(y) &&
                     reinterpret_cast<uintptr_t>(packed) % (N / 2) == 0;
  launch(whole ? dequantize_4bit_kernel<true, T> : dequantize_4bit_kernel<false, T>,
         grid_for_threads(whole ? n / N + 1 : n), kEachThreads, 0, cuda.stream, y, packed, absmax,
         begin, n, block, values_of<16>(book.values));
}

template <class Isa, class T>
void dequantize_8bit(Isa cuda, T* y, const uint8_t* codes, const float* absmax, int64_t begin,
                     int64_t n, int64_t block, const float* values) {
  launch_8bit(cuda, y, codes, absmax, begin, n, block, 0.0f, values);
}

template <class Isa>
void restore_factors(Isa cuda, float* factors, const uint8_t* codes, const float* nested,
                     int64_t count, int64_t block, const float* values, float offset) {
  launch_8bit(cuda, factors, codes, nested, 0, count, block, offset, values);
}

template void dequantize_4bit(Cuda, float*, const uint8_t*, const float*, int64_t, int64_t, int64_t,
                              const Codebook4&);
template void dequantize_4bit(Cuda, bf16*, const uint8_t*, const float*, int64_t, int64_t, int64_t,
                              const Codebook4&);
template void dequantize_8bit(Cuda, float*, const uint8_t*, const float*, int64_t, int64_t, int64_t,
                              const float*);
template void dequantize_8bit(Cuda, bf16*, const uint8_t*, const float*, int64_t, int64_t, int64_t,
                              const float*);
template void restore_factors(Cuda, float*, const uint8_t*, const float*, int64_t, int64_t,
                              const float*, float);

}  // namespace lk
