#include "tests/cuda/emulator/planted.h"

#include "cuda/intrinsics.h"
#include "cuda/launch.h"

namespace lk::test {
namespace {

// constexpr int k...Line = __LINE__ + n stands n lines above what it names.

constexpr int kOutOfBoundsLine = __LINE__ + 3;
__global__ void out_of_bounds(float* y, const float* x) {
  const int i = static_cast<int>(threadIdx.x);
  y[i] = x[i + (i == 63)];
}

constexpr int kUseAfterFreeLine = __LINE__ + 3;
__global__ void use_after_free(float* y, const float* freed) {
  const int i = static_cast<int>(threadIdx.x);
  y[i] = i == 40 ? freed[i] : 0.0f;
}

constexpr int kUninitialisedLine = __LINE__ + 3;
__global__ void uninitialised(float* y, const float* fresh) {
  const int i = static_cast<int>(threadIdx.x);
  y[i] = fresh[i];
}

constexpr int kUninitialisedSharedLine = __LINE__ + 6;
__global__ void uninitialised_shared(float* y, const float* x) {
  __shared__ float copy[64];
  const int i = static_cast<int>(threadIdx.x);
  if (i != 5) copy[i] = x[i];
  __syncthreads();
  y[i] = copy[63 - i];
}

constexpr int kMisalignedLine = __LINE__ + 3;
__global__ void misaligned(float* y, const float* x) {
  const int i = static_cast<int>(threadIdx.x);
  if (i == 7) store128(y + 4 * i, load128(x + 4 * i + 1));
}

constexpr int kRaceWriteLine = __LINE__ + 4, kRaceLine = __LINE__ + 5;
__global__ void race(float* y, const float* x) {
  __shared__ float copy[64];
  const int i = static_cast<int>(threadIdx.x);
  copy[i] = x[i];
  y[i] = copy[63 - i];
}

constexpr int kRaceOfBlocksLine = __LINE__ + 2;
__global__ void race_of_blocks(float* y, const float* x) {
  y[threadIdx.x] = x[threadIdx.x] + static_cast<float>(blockIdx.x);
}

constexpr int kRaceOfLanesWriteLine = __LINE__ + 4, kRaceOfLanesLine = __LINE__ + 5;
__global__ void race_of_lanes(float* y, const float* x) {
  __shared__ float copy[32];
  const int i = static_cast<int>(threadIdx.x);
  copy[i] = x[i];
  y[i] = copy[i ^ 1];
}

constexpr int kBarrierLine = __LINE__ + 6, kOtherBarrierLine = __LINE__ + 8;
__global__ void barrier(float* y, const float* x) {
  __shared__ float copy[64];
  const int i = static_cast<int>(threadIdx.x);
  copy[i] = x[i];
  if (i < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  y[i] = copy[63 - i];
}

constexpr int kBarrierAfterExitLine = __LINE__ + 6;
__global__ void barrier_after_exit(float* y, const float* x) {
  __shared__ float copy[64];
  const int i = static_cast<int>(threadIdx.x);
  if (i == 63) return;
  copy[i] = x[i];
  __syncthreads();
  y[i] = copy[62 - i];
}

constexpr int kInactiveLaneLine = __LINE__ + 4, kOtherLaneLine = __LINE__ + 5;
__global__ void inactive_lane(float* y, const float* x) {
  const int i = static_cast<int>(threadIdx.x);
  float v = x[i];
  if (i < 16) v += __shfl_down_sync(kAllLanes, v, 8);
  __syncthreads();
  y[i] = v;
}

constexpr int kShuffleFromExitedLine = __LINE__ + 4;
__global__ void shuffle_from_exited(float* y, const float* x) {
  const int i = static_cast<int>(threadIdx.x);
  if (i >= 24) return;
  y[i] = __shfl_down_sync(kAllLanes, x[i], 8);
}

constexpr int kSharedOverrunLine = __LINE__ + 4;
__global__ void shared_overrun(float* y, const float* x) {
  float* copy = dynamic_shared<float>();
  const int i = static_cast<int>(threadIdx.x);
  copy[i + (i == 63)] = x[i];
  __syncthreads();
  y[i] = i == 63 ? 0.0f : copy[i];
}

constexpr int kNoWaitLine = __LINE__ + 7;
__global__ void no_wait(float* y, const float* x) {
  __shared__ float copy[64];
  const int i = static_cast<int>(threadIdx.x);
  if (i < 16) copy_async_16(copy + 4 * i, x + 4 * i, true);
  copy_commit();
  __syncthreads();
  y[i] = copy[i];
}

__global__ void clean(float* y, const float* x, unsigned* counter) {
  __shared__ float copy[64];
  const int i = static_cast<int>(threadIdx.x);
  if (i < 16) copy_async_16(copy + 4 * i, x + 4 * i, true);
  copy_commit();
  copy_wait<0>();
  __syncthreads();
  float v = copy[63 - i];
  v += __shfl_xor_sync(kAllLanes, v, 1);
  __syncthreads();
  copy[i] = v;
  __syncwarp();
  v = copy[i ^ 1];
  __syncwarp();
  if (i % 32 < 16) {
    copy[i] += 1.0f;
    __syncwarp(0xffffu);
    v = copy[i ^ 2];
  }
  atomicAdd(counter, 1u);
  if (blockIdx.x == 0) y[i] = v;
}

template <class... P>
void run_64(void (*kernel)(P...), float* y, const float* x) {
  launch(kernel, 1, 64, 0, nullptr, y, x);
}

}  // namespace

const Planted kOutOfBounds{"out_of_bounds", kOutOfBoundsLine, 0,
                           [](float* y, const float* x) { run_64(out_of_bounds, y, x); }};
const Planted kUseAfterFree{"use_after_free", kUseAfterFreeLine, 0, [](float* y, const float*) {
                              float* freed = nullptr;
                              check_cuda(cudaMalloc(&freed, 256), "malloc");
                              check_cuda(cudaMemset(freed, 0, 256), "memset");
                              check_cuda(cudaFree(freed), "free");
                              run_64(use_after_free, y, freed);
                            }};
const Planted kUninitialised{"uninitialised", kUninitialisedLine, 0, [](float* y, const float*) {
                               float* fresh = nullptr;
                               check_cuda(cudaMalloc(&fresh, 256), "malloc");
                               check_cuda(cudaMemset(fresh, 0, 128), "memset");
                               run_64(uninitialised, y, fresh);
                               check_cuda(cudaFree(fresh), "free");
                             }};
const Planted kUninitialisedShared{"uninitialised_shared", kUninitialisedSharedLine, 0,
                                   [](float* y, const float* x) {
                                     run_64(race, y, x);  // leaves values where `copy` will lie
                                     run_64(uninitialised_shared, y, x);
                                   }};
const Planted kMisaligned{"misaligned", kMisalignedLine, 0,
                          [](float* y, const float* x) { run_64(misaligned, y, x); }};
const Planted kRace{"race", kRaceLine, kRaceWriteLine,
                    [](float* y, const float* x) { run_64(race, y, x); }};
const Planted kRaceOfBlocks{
    "race_of_blocks", kRaceOfBlocksLine, kRaceOfBlocksLine,
    [](float* y, const float* x) { launch(race_of_blocks, 2, 64, 0, nullptr, y, x); }};
const Planted kRaceOfLanes{
    "race_of_lanes", kRaceOfLanesLine, kRaceOfLanesWriteLine,
    [](float* y, const float* x) { launch(race_of_lanes, 1, 32, 0, nullptr, y, x); }};
const Planted kBarrier{"barrier", kBarrierLine, kOtherBarrierLine,
                       [](float* y, const float* x) { run_64(barrier, y, x); }};
const Planted kBarrierAfterExit{"barrier_after_exit", kBarrierAfterExitLine, 0,
                                [](float* y, const float* x) { run_64(barrier_after_exit, y, x); }};
const Planted kInactiveLane{"inactive_lane", kInactiveLaneLine, kOtherLaneLine,
                            [](float* y, const float* x) { run_64(inactive_lane, y, x); }};
const Planted kShuffleFromExited{
    "shuffle_from_exited", kShuffleFromExitedLine, 0,
    [](float* y, const float* x) { launch(shuffle_from_exited, 1, 32, 0, nullptr, y, x); }};
const Planted kSharedOverrun{"shared_overrun", kSharedOverrunLine, 0, [](float* y, const float* x) {
                               launch(shared_overrun, 1, 64, 256, nullptr, y, x);
                             }};
const Planted kNoWait{"no_wait", kNoWaitLine, 0,
                      [](float* y, const float* x) { run_64(no_wait, y, x); }};
const Planted kClean{"clean", 0, 0, [](float* y, const float* x) {
                       unsigned* counter = nullptr;
                       check_cuda(cudaMalloc(&counter, 4), "malloc");
                       check_cuda(cudaMemset(counter, 0, 4), "memset");
                       launch(clean, 3, 64, 0, nullptr, y, x, counter);
                       check_cuda(cudaFree(counter), "free");
                     }};

}  // namespace lk::test
