// Bound by memory: in 4 bits a thread reads the codes of 16 bytes of the output at a time.
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

template <class T>
__global__ void __launch_bounds__(kEachThreads)
    dequantize_8bit_kernel(T* y, const uint8_t* codes, const float* absmax, int64_t begin,
                           int64_t n, int64_t block, float offset, Values<256> book) {
  __shared__ float values[256];
  values[threadIdx.x] = book.at[threadIdx.x];
  __syncthreads();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads, first = begin / block;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x; i < n;
       i += stride) {
    const int64_t at = begin + i;
    // The product is rounded before the sum, as on the CPU: the factors of weights hang on it.
#if defined(__CUDA_ARCH__)
    const float product = __fmul_rn(values[codes[at]], absmax[at / block - first]);
#else
    const float product = values[codes[at]] * absmax[at / block - first];
#endif
    y[i] = T(product + offset);
  }
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
  if (n > 0)
    launch(dequantize_8bit_kernel<T>, grid_for_threads(n), kEachThreads, 0, cuda.stream, y, codes,
           absmax, begin, n, block, 0.0f, values_of<256>(values));
}

template <class Isa>
void restore_factors(Isa cuda, float* factors, const uint8_t* codes, const float* nested,
                     int64_t count, int64_t block, const float* values, float offset) {
  if (count > 0)
    launch(dequantize_8bit_kernel<float>, grid_for_threads(count), kEachThreads, 0, cuda.stream,
           factors, codes, nested, int64_t{0}, count, block, offset, values_of<256>(values));
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
