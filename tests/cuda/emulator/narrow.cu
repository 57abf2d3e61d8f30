#include "tests/cuda/emulator/narrow.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "cuda/launch.h"

namespace lk::test {
namespace {

template <class Pair, class Number>
__global__ void axpy(Pair* y, const Pair* x, Number a, int pairs) {
  const int i = static_cast<int>(blockIdx.x * 64 + threadIdx.x);
  if (i < pairs) y[i] = __hfma2(Pair(a, a), x[i], y[i]);
}

template <class Number>
__global__ void block_max(Number* y, const Number* x) {
  __shared__ Number of_warp[2];
  const int i = static_cast<int>(threadIdx.x);
  Number most = x[blockIdx.x * 64 + threadIdx.x];
  for (int offset = 16; offset > 0; offset /= 2)
    most = __hmax(most, __shfl_xor_sync(0xffffffffu, most, offset));
  if (i % 32 == 0) of_warp[i / 32] = most;
  __syncthreads();
  if (i == 0) y[blockIdx.x] = of_warp[0] > of_warp[1] ? of_warp[0] : of_warp[1];
}

template <class Number, class Pair>
__global__ void atomic_sum(Number* sum, Pair* pair, const Number* x) {
  const Number value = x[blockIdx.x * 64 + threadIdx.x];
  atomicAdd(sum, value);
  atomicAdd(pair, Pair(value, -value));
}

__global__ void overrun(__half* y, const __half* x) {
  y[threadIdx.x] += x[threadIdx.x + 1];  // kNarrowOverrunLine
}

template <class Number>
Number* as(uint16_t* bits) {
  return reinterpret_cast<Number*>(bits);
}
template <class Number>
const Number* as(const uint16_t* bits) {
  return reinterpret_cast<const Number*>(bits);
}

}  // namespace

void half_axpy(uint16_t* y, const uint16_t* x, float a, int n) {
  launch(axpy<__half2, __half>, (n / 2 + 63) / 64, 64, 0, nullptr, as<__half2>(y), as<__half2>(x),
         __float2half(a), n / 2);
}
void bf16_axpy(uint16_t* y, const uint16_t* x, float a, int n) {
  launch(axpy<__nv_bfloat162, __nv_bfloat16>, (n / 2 + 63) / 64, 64, 0, nullptr,
         as<__nv_bfloat162>(y), as<__nv_bfloat162>(x), __float2bfloat16(a), n / 2);
}
void half_block_max(uint16_t* y, const uint16_t* x, int blocks) {
  launch(block_max<__half>, blocks, 64, 0, nullptr, as<__half>(y), as<__half>(x));
}
void bf16_block_max(uint16_t* y, const uint16_t* x, int blocks) {
  launch(block_max<__nv_bfloat16>, blocks, 64, 0, nullptr, as<__nv_bfloat16>(y),
         as<__nv_bfloat16>(x));
}
void half_atomic_sum(uint16_t* sum, const uint16_t* x, int blocks) {
  launch(atomic_sum<__half, __half2>, blocks, 64, 0, nullptr, as<__half>(sum), as<__half2>(sum + 2),
         as<__half>(x));
}
void bf16_atomic_sum(uint16_t* sum, const uint16_t* x, int blocks) {
  launch(atomic_sum<__nv_bfloat16, __nv_bfloat162>, blocks, 64, 0, nullptr, as<__nv_bfloat16>(sum),
         as<__nv_bfloat162>(sum + 2), as<__nv_bfloat16>(x));
}
void half_overrun(uint16_t* y, const uint16_t* x) {
  launch(overrun, 1, 64, 0, nullptr, as<__half>(y), as<__half>(x));
}

}  // namespace lk::test
