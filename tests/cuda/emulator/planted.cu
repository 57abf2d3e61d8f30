// Bugs in single accesses, and races.
#include "tests/cuda/emulator/planted_block.h"

namespace lk::test {
namespace {

constexpr int kOutOfBoundsLine = __LINE__ + 3;
__global__ void out_of_bounds(float* y, const float* x) {
  const int n = element();
  y[n] = x[n + (has_bug() && threadIdx.x == 63 ? 65 : 0)];
}

constexpr int kUseAfterFreeLine = __LINE__ + 3;
__global__ void use_after_free(float* y, const float* freed) {
  const int i = static_cast<int>(threadIdx.x);
  y[element()] = i == 40 && has_bug() ? freed[i] : 0.0f;
}

constexpr int kUninitialisedLine = __LINE__ + 3;
__global__ void uninitialised(float* y, const float* fresh) {
  const int i = static_cast<int>(threadIdx.x);
  y[element()] = has_bug() ? fresh[i] : 0.0f;
}

constexpr int kUninitialisedSharedLine = __LINE__ + 6;
__global__ void uninitialised_shared(float* y, const float* x) {
  __shared__ float copy[64];
  const int i = static_cast<int>(threadIdx.x);
  if (i != 5 || !has_bug()) copy[i] = x[i];
  __syncthreads();
  y[element()] = copy[63 - i];
}

constexpr int kMisalignedLine = __LINE__ + 4;
__global__ void misaligned(float* y, const float* x) {
  const int i = static_cast<int>(threadIdx.x);
  if (i == 7 && has_bug()) {
    store128(y + 4 * i, load128(x + 4 * i + 1));
  }
}

constexpr int kRaceWriteLine = __LINE__ + 4, kRaceLine = __LINE__ + 6;
__global__ void race(float* y, const float* x) {
  __shared__ float copy[64];
  const int i = static_cast<int>(threadIdx.x);
  copy[i] = x[i];
  if (!has_bug()) __syncthreads();
  y[element()] = copy[63 - i];
}

constexpr int kRaceInGlobalWriteLine = __LINE__ + 4, kRaceInGlobalLine = __LINE__ + 6;
__global__ void race_in_global(float* y, const float* x) {
  const int n = element();
  const bool lower = threadIdx.x < 32;
  if (lower) y[n] = x[n];
  if (!has_bug()) __syncthreads();
  if (!lower) y[n] = y[n ^ 32];
}

constexpr int kRaceOfBlocksLine = __LINE__ + 4;
__global__ void race_of_blocks(float* y, const float* x) {
  const bool too = blockIdx.x == kBugTooX && blockIdx.y == kBugTooY;
  const int n = element() + (too ? 64 * 2 : 0);  // that of the block with the bug
  y[n] = x[threadIdx.x] + static_cast<float>(blockIdx.x);
}

constexpr int kRaceOfLanesWriteLine = __LINE__ + 4, kRaceOfLanesLine = __LINE__ + 6;
__global__ void race_of_lanes(float* y, const float* x) {
  __shared__ float copy[32];
  const int i = static_cast<int>(threadIdx.x);
  copy[i] = x[i];
  if (!has_bug()) __syncwarp();
  y[element()] = copy[i ^ 1];
}

constexpr int kSharedOverrunLine = __LINE__ + 4;
__global__ void shared_overrun(float* y, const float* x) {
  float* copy = dynamic_shared<float>();
  const int i = static_cast<int>(threadIdx.x);
  copy[i + (i == 63 && has_bug())] = x[i];
  __syncthreads();
  y[element()] = i == 63 ? 0.0f : copy[i];
}

// Arrays that fill their bytes to a multiple of any alignment.
constexpr int kStaticOverrunLine = __LINE__ + 4;
__global__ void static_overrun(float* y, const float* x) {
  __shared__ float first[64], second[64];
  const int i = static_cast<int>(threadIdx.x);
  first[i + (i == 63 && has_bug())] = x[i];
  second[i] = x[i];
  __syncthreads();
  y[element()] = (i == 63 ? 0.0f : first[i]) + second[i];
}

constexpr int kStaticUnderrunLine = __LINE__ + 5;
__global__ void static_underrun(float* y, const float* x) {
  __shared__ float first[64], second[64];
  const int i = static_cast<int>(threadIdx.x);
  first[i] = x[i];
  second[i - (i == 0 && has_bug())] = x[i];
  __syncthreads();
  y[element()] = first[i] + (i == 0 ? 0.0f : second[i]);
}

float host_value;
constexpr int kHostVariableLine = __LINE__ + 3;
__global__ void host_variable(float* y, const float* x) {
  const int i = static_cast<int>(threadIdx.x);
  y[element()] = x[i] + (i == 20 && has_bug() ? host_value : 0.0f);
}

constexpr int kNoWaitLine = __LINE__ + 8;
__global__ void no_wait(float* y, const float* x) {
  __shared__ float copy[64];
  const int i = static_cast<int>(threadIdx.x);
  if (i < 16) copy_async_16(copy + 4 * i, x + 4 * i, true);
  copy_commit();
  if (!has_bug()) copy_wait<0>();
  __syncthreads();
  y[element()] = copy[i];
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
  y[element()] = v;
}

}  // namespace

const Planted kOutOfBounds{
    "out_of_bounds", kOutOfBoundsLine, 0, 63, -1, [](float* y, const float* x) {
      run_blocks(out_of_bounds, 64, 0, y, x);
    }};
const Planted kUseAfterFree{
    "use_after_free", kUseAfterFreeLine, 0, 40, -1, [](float* y, const float*) {
      float* freed = nullptr;
      check_cuda(cudaMalloc(&freed, 256), "malloc");
      check_cuda(cudaMemset(freed, 0, 256), "memset");
      check_cuda(cudaFree(freed), "free");
      run_blocks(use_after_free, 64, 0, y, freed);
    }};
const Planted kUninitialised{
    "uninitialised", kUninitialisedLine, 0, 63, -1, [](float* y, const float*) {
      float* fresh = nullptr;
      check_cuda(cudaMalloc(&fresh, 256), "malloc");
      check_cuda(cudaMemset(fresh, 0, 252), "memset");
      run_blocks(uninitialised, 64, 0, y, fresh);
      check_cuda(cudaFree(fresh), "free");
    }};
const Planted kUninitialisedShared{
    "uninitialised_shared", kUninitialisedSharedLine, 0, 58, -1, [](float* y, const float* x) {
      run_blocks(uninitialised_shared, 64, 0, y, x);
    }};
const Planted kMisaligned{"misaligned", kMisalignedLine, 0, 7, -1, [](float* y, const float* x) {
                            run_blocks(misaligned, 64, 0, y, x);
                          }};
const Planted kRace{
    "race", kRaceLine, kRaceWriteLine,
    -1,     63,        [](float* y, const float* x) { run_blocks(race, 64, 0, y, x); }};
const Planted kRaceInGlobal{
    "race_in_global",
    kRaceInGlobalLine,
    kRaceInGlobalWriteLine,
    -1,
    32,
    [](float* y, const float* x) { run_blocks(race_in_global, 64, 0, y, x); }};
const Planted kRaceOfBlocks{
    "race_of_blocks", kRaceOfBlocksLine, kRaceOfBlocksLine, -1, 0, [](float* y, const float* x) {
      run_blocks(race_of_blocks, 64, 0, y, x);
    }};
const Planted kRaceOfLanes{
    "race_of_lanes", kRaceOfLanesLine, kRaceOfLanesWriteLine, -1, 1, [](float* y, const float* x) {
      run_blocks(race_of_lanes, 32, 0, y, x);
    }};
const Planted kSharedOverrun{
    "shared_overrun", kSharedOverrunLine, 0, 63, -1, [](float* y, const float* x) {
      run_blocks(shared_overrun, 64, 256, y, x);
    }};
const Planted kStaticOverrun{
    "static_overrun", kStaticOverrunLine, 0, 63, -1, [](float* y, const float* x) {
      run_blocks(static_overrun, 64, 0, y, x);
    }};
const Planted kStaticUnderrun{
    "static_underrun", kStaticUnderrunLine, 0, 0, -1, [](float* y, const float* x) {
      run_blocks(static_underrun, 64, 0, y, x);
    }};
const Planted kHostVariable{
    "host_variable", kHostVariableLine, 0, 20, -1, [](float* y, const float* x) {
      host_value = 1;
      run_blocks(host_variable, 64, 0, y, x);
    }};
const Planted kNoWait{
    "no_wait", kNoWaitLine, 0,
    -1,        -1,          [](float* y, const float* x) { run_blocks(no_wait, 64, 0, y, x); }};
const Planted kClean{"clean", 0, 0, -1, -1, [](float* y, const float* x) {
                       unsigned* counter = nullptr;
                       check_cuda(cudaMalloc(&counter, 4), "malloc");
                       check_cuda(cudaMemset(counter, 0, 4), "memset");
                       launch(clean, dim3(3, 2), 64, 0, nullptr, y, x, counter);
                       check_cuda(cudaFree(counter), "free");
                     }};

}  // namespace lk::test
