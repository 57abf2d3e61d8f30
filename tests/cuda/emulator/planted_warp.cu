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

}  // namespace lk::test
