// Kernels on numbers of 16 bits, as people write them with cuda_fp16.h and cuda_bf16.h.
#pragma once

#include <cstdint>

namespace lk::test {

// Both formats, by their bits. y = a x + y over n elements, in pairs with fma; blocks of 64.
void half_axpy(uint16_t* y, const uint16_t* x, float a, int n);
void bf16_axpy(uint16_t* y, const uint16_t* x, float a, int n);
// y[block] = the greatest of x's 64 elements of each block, by shuffles and shared memory.
void half_block_max(uint16_t* y, const uint16_t* x, int blocks);
void bf16_block_max(uint16_t* y, const uint16_t* x, int blocks);
// sum[0] += x[i], sum[2..3] += (x[i], -x[i]) as a pair, each atomically; blocks of 64.
void half_atomic_sum(uint16_t* sum, const uint16_t* x, int blocks);
void bf16_atomic_sum(uint16_t* sum, const uint16_t* x, int blocks);
// One element after x[63] is read. y, x: [64].
inline constexpr int kNarrowOverrunLine = 37;  // in narrow.cu
void half_overrun(uint16_t* y, const uint16_t* x);

}  // namespace lk::test
