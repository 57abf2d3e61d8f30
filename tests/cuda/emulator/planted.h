// Kernels with one bug each, and clean twins: what the checker must find, and what it must not.
#pragma once

#include <cstdint>

namespace lk::test {

struct Planted {
  const char* name;
  int line;        // of the bug, in planted.cu
  int other_line;  // of the access it races with, or of where the others wait; 0 where there is
                   // none
  void (*run)(float* y, const float* x);  // y: [64], x: [64]
};

extern const Planted kOutOfBounds, kUseAfterFree, kUninitialised, kUninitialisedShared, kMisaligned,
    kRace, kRaceOfBlocks, kRaceOfLanes, kBarrier, kBarrierAfterExit, kInactiveLane,
    kShuffleFromExited, kSharedOverrun, kNoWait;
// The same patterns as they should be written: barriers, shuffles, atomics, asynchronous copies.
extern const Planted kClean;

}  // namespace lk::test
