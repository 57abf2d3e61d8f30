#include "tests/cuda/emulator/access.h"

#include "cuda/intrinsics.h"
#include "cuda/launch.h"

namespace lk::test {
namespace {

__global__ void strided(float* y, const float* x, int stride) {
  const unsigned i = blockIdx.x * 256 + threadIdx.x;
  y[i] = x[i * static_cast<unsigned>(stride)];
}
__global__ void packs(float* y, const float* x) {
  const unsigned i = blockIdx.x * 256 + threadIdx.x;
  store128(y + 4 * i, load128(x + 4 * i));
}
template <int Pitch>
__global__ void transposed(float* y, const float* x) {
  __shared__ float tile[32 * Pitch];
  const int i = static_cast<int>(threadIdx.y), j = static_cast<int>(threadIdx.x);
  tile[i * Pitch + j] = x[i * 32 + j];
  __syncthreads();
  y[i * 32 + j] = tile[j * Pitch + i];
}
__global__ void some(float* y, const float* x, int active) {
  const int i = static_cast<int>(threadIdx.x);
  if (i < active) y[i] = x[i];
}

__global__ void through_shared(float* y, const float* x, bool write) {
  __shared__ float copy[64];
  const int i = static_cast<int>(threadIdx.x);
  if (write) copy[i] = x[i];
  __syncthreads();
  y[i] = copy[63 - i];
}

__global__ void tile_product(float* y, const bf16* a, const bf16* b) {
  __shared__ __align__(16) bf16 as[16 * 16], bs[16 * 8];
  const int lane = static_cast<int>(threadIdx.x);
  store128(as + 8 * lane, load128(a + 8 * lane));
  if (lane < 16) store128(bs + 8 * lane, load128(b + 8 * lane));
  __syncwarp();
  uint32_t fa[4], fb[4];
  load_matrices<false>(fa, as + lane % 16 * 16 + lane / 16 * 8);
  // Two of the four matrices are needed: the 16 rows of b, by columns.
  load_matrices<true>(fb, bs + lane % 16 * 8);
  const uint32_t fb2[2] = {fb[0], fb[1]};
  float d[4] = {};
  mma_16x8x16(d, fa, fb2);
  for (int i = 0; i < 4; ++i) y[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = d[i];
}

__global__ void tile_product_by_lane(float* y, const bf16* a, const bf16* b) {
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  uint32_t fa[4], fb[2];
  for (int i = 0; i < 4; ++i) {
    const bf16* from = a + (g + i % 2 * 8) * 16 + 2 * t + i / 2 * 8;
    fa[i] = from[0].bits | static_cast<uint32_t>(from[1].bits) << 16;
  }
  for (int i = 0; i < 2; ++i) {
    const bf16* from = b + (2 * t + 8 * i) * 8 + g;
    fb[i] = from[0].bits | static_cast<uint32_t>(from[8].bits) << 16;
  }
  float d[4] = {};
  mma_16x8x16(d, fa, fb);
  for (int i = 0; i < 4; ++i) y[(g + i / 2 * 8) * 8 + t * 2 + i % 2] = d[i];
}

__global__ void tickets(int* ticket, int* counter) {
  ticket[blockIdx.x * 64 + threadIdx.x] = atomicAdd(counter, 1);
}

__global__ void exchanges(int* result) {
  const int lane = static_cast<int>(threadIdx.x), value = 100 + lane;
  const int got[kExchanges] = {
      __shfl_sync(kAllLanes, value, 5),
      __shfl_up_sync(kAllLanes, value, 3),
      __shfl_down_sync(kAllLanes, value, 3),
      __shfl_xor_sync(kAllLanes, value, 4),
      __shfl_down_sync(kAllLanes, value, 3, 8),
      static_cast<int>(__ballot_sync(kAllLanes, lane % 2 == 0)),
      __any_sync(kAllLanes, lane % 2 == 0) != 0,
      __all_sync(kAllLanes, lane % 2 == 0) != 0,
      static_cast<int>(__reduce_add_sync(kAllLanes, static_cast<unsigned>(value))),
  };
  for (int i = 0; i < kExchanges; ++i) result[i * 32 + lane] = got[i];
}

}  // namespace

void copy_with_stride(float* y, const float* x, int stride) {
  launch(strided, 4, 256, 0, nullptr, y, x, stride);
}
void copy_packs(float* y, const float* x) { launch(packs, 4, 256, 0, nullptr, y, x); }
void transpose(float* y, const float* x, int pitch) {
  launch(pitch == 32 ? transposed<32> : transposed<33>, 1, dim3(32, 32), 0, nullptr, y, x);
}
void copy_some(float* y, const float* x, int active) {
  launch(some, 1, 32, 0, nullptr, y, x, active);
}
void pass_through_shared(float* y, const float* x, bool write) {
  launch(through_shared, 1, 64, 0, nullptr, y, x, write);
}
void multiply_tile(float* d, const bf16* a, const bf16* b) {
  launch(tile_product, 1, 32, 0, nullptr, d, a, b);
}
void multiply_tile_by_lane(float* d, const bf16* a, const bf16* b) {
  launch(tile_product_by_lane, 1, 32, 0, nullptr, d, a, b);
}

void take_tickets(int* ticket, int* counter) {
  launch(tickets, 4, 64, 0, nullptr, ticket, counter);
}
void exchange_all(int* result) { launch(exchanges, 1, 32, 0, nullptr, result); }

}  // namespace lk::test
