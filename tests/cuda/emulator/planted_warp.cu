// Threads that wait for others in vain.
#include "tests/cuda/emulator/planted_block.h"

namespace lk::test {
namespace {

constexpr int kBarrierLine = __LINE__ + 6, kOtherBarrierLine = __LINE__ + 8;
__global__ void barrier(float* y, const float* x) {
  __shared__ float copy[64];
  const int i = static_cast<int>(threadIdx.x);
  copy[i] = x[i];
  if (i < 32 || !has_bug()) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  y[element()] = copy[63 - i];
}

constexpr int kBarrierAfterExitLine = __LINE__ + 6;
__global__ void barrier_after_exit(float* y, const float* x) {
  __shared__ float copy[64];
  const int i = static_cast<int>(threadIdx.x);
  if (i == 63 && has_bug()) return;
  copy[i] = x[i];
  __syncthreads();
  y[element()] = copy[i ^ 1];
}

constexpr int kInactiveLaneLine = __LINE__ + 4, kOtherLaneLine = __LINE__ + 5;
__global__ void inactive_lane(float* y, const float* x) {
  const int i = static_cast<int>(threadIdx.x);
  float v = x[i];
  if (i < 16 || !has_bug()) v += __shfl_down_sync(kAllLanes, v, 8);
  __syncthreads();
  y[element()] = v;
}

constexpr int kShuffleFromExitedLine = __LINE__ + 4;
__global__ void shuffle_from_exited(float* y, const float* x) {
  const int i = static_cast<int>(threadIdx.x);
  if (i >= 24 && has_bug()) return;
  y[element()] = __shfl_down_sync(kAllLanes, x[i], 8);
}

constexpr int kShuffleMaskLine = __LINE__ + 4;
__global__ void shuffle_mask(float* y, const float* x) {
  const int i = static_cast<int>(threadIdx.x);
  const unsigned mask = i == 9 && has_bug() ? kAllLanes & ~(1u << 9) : kAllLanes;
  y[element()] = __shfl_xor_sync(mask, x[i], 1);
}

constexpr int kVoteMaskLine = __LINE__ + 4;
__global__ void vote_mask(float* y, const float* x) {
  const int i = static_cast<int>(threadIdx.x);
  const unsigned mask = i == 40 && has_bug() ? 1u : kAllLanes;
  y[element()] = __any_sync(mask, x[i] > 0) ? 1.0f : 0.0f;
}

constexpr int kMmaWithoutLaneLine = __LINE__ + 4, kMmaOtherLine = __LINE__ + 5;
__global__ void mma_without_lane(float* y, const float* /*x*/) {
  const uint32_t a[4] = {}, b[2] = {};
  float d[4] = {};
  if (threadIdx.x != 37 || !has_bug()) mma_16x8x16(d, a, b);
  __syncthreads();
  y[element()] = d[0];
}

constexpr int kMmaAfterExitLine = __LINE__ + 5;
__global__ void mma_after_exit(float* y, const float* /*x*/) {
  const uint32_t a[4] = {}, b[2] = {};
  float d[4] = {};
  if (threadIdx.x == 32 && has_bug()) return;
  mma_16x8x16(d, a, b);
  y[element()] = d[0];
}

constexpr int kLdmatrixAfterExitLine = __LINE__ + 8;
__global__ void ldmatrix_after_exit(float* y, const float* x) {
  __shared__ __align__(16) float tiles[256];
  const int i = static_cast<int>(threadIdx.x);
  for (int j = i; j < 256; j += 32) tiles[j] = x[j];
  __syncthreads();
  if (i == 31 && has_bug()) return;
  uint32_t r[4] = {};
  load_matrices<false>(r, reinterpret_cast<const bf16*>(tiles) + 16 * i);
  y[element()] = __builtin_bit_cast(float, r[0]);
}

}  // namespace

const Planted kBarrier{
    "barrier", kBarrierLine, kOtherBarrierLine,
    0,         32,           [](float* y, const float* x) { run_blocks(barrier, 64, 0, y, x); }};
const Planted kBarrierAfterExit{
    "barrier_after_exit", kBarrierAfterExitLine, 0, 0, 63, [](float* y, const float* x) {
      run_blocks(barrier_after_exit, 64, 0, y, x);
    }};
const Planted kInactiveLane{
    "inactive_lane", kInactiveLaneLine, kOtherLaneLine, 0, 31, [](float* y, const float* x) {
      run_blocks(inactive_lane, 64, 0, y, x);
    }};
const Planted kShuffleFromExited{
    "shuffle_from_exited", kShuffleFromExitedLine, 0, 16, -1, [](float* y, const float* x) {
      run_blocks(shuffle_from_exited, 32, 0, y, x);
    }};

const Planted kShuffleMask{
    "shuffle_mask", kShuffleMaskLine, 0, 9, -1, [](float* y, const float* x) {
      run_blocks(shuffle_mask, 64, 0, y, x);
    }};
const Planted kVoteMask{
    "vote_mask", kVoteMaskLine,
    0,           40,
    -1,          [](float* y, const float* x) { run_blocks(vote_mask, 64, 0, y, x); }};
const Planted kMmaWithoutLane{
    "mma_without_lane",
    kMmaWithoutLaneLine,
    kMmaOtherLine,
    32,
    32 ^ 37,
    [](float* y, const float* x) { run_blocks(mma_without_lane, 64, 0, y, x); }};
const Planted kMmaAfterExit{
    "mma_after_exit", kMmaAfterExitLine, 0, 33, -1, [](float* y, const float* x) {
      run_blocks(mma_after_exit, 64, 0, y, x);
    }};
const Planted kLdmatrixAfterExit{
    "ldmatrix_after_exit", kLdmatrixAfterExitLine, 0, 0, -1, [](float* y, const float* x) {
      run_blocks(ldmatrix_after_exit, 32, 0, y, x);
    }};

}  // namespace lk::test
