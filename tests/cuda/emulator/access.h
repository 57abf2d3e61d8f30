// Kernels whose accesses are known, for the profiler, and the warp's instructions, for their
// layout.
#pragma once

#include <cstdint>

#include "engine/dtype.h"

namespace lk::test {

// y[i] = x[i * stride], 4 blocks of 256 threads.
void copy_with_stride(float* y, const float* x, int stride);
// The same by 16 bytes a lane: 4 elements each.
void copy_packs(float* y, const float* x);
// y[j, i] = x[i, j], [32, 32], through shared memory with rows of `pitch` (32 or 33) floats.
void transpose(float* y, const float* x, int pitch);
// Lanes 0 .. active - 1 copy one element each.
void copy_some(float* y, const float* x, int active);
// y[i] = shared[63 - i], one block of 64 threads; with `write` after shared[i] = x[i].
void pass_through_shared(float* y, const float* x, bool write);
// d [16, 8] = a [16, 16] b [16, 8], all row-major: a and b by ldmatrix from shared memory.
void multiply_tile(float* d, const bf16* a, const bf16* b);
// The same with fragments gathered lane by lane, as the PTX manual draws them.
void multiply_tile_by_lane(float* d, const bf16* a, const bf16* b);

// ticket[thread] = how many threads came before; 4 blocks of 64. counter: 0.
void take_tickets(int* ticket, int* counter);
// result[row, lane] of a warp whose lanes hold 100 + lane: shuffles of lane 5, up by 3, down by 3,
// by xor 4, down by 3 within groups of 8; ballot of the even lanes; any, all of them; sum of all
// lanes.
inline constexpr int kExchanges = 9;
void exchange_all(int* result);

}  // namespace lk::test
