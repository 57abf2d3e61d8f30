// Kernels with one bug each, and clean twins: what the checker must find, and what it must not.
// Each runs on a grid of (3, 2) blocks, of which one has the bug.
#pragma once

#include <cstdint>

namespace lk::test {

inline constexpr int kPlantedBlocks = 6, kPlantedFloats = 64 * kPlantedBlocks;
inline constexpr unsigned kBugX = 1, kBugY = 1;        // the block with the bug, and
inline constexpr unsigned kBugTooX = 2, kBugTooY = 0;  // the one that it races with, if it does

struct Planted {
  const char* name;
  int line;        // of the bug, in its file
  int other_line;  // of the access it races with, or of where the others wait; 0 where there is
                   // none
  int thread;      // that has the bug; -1: which one depends on the order
  int apart;       // that thread's number ^ the other party's; -1: no other party
  void (*run)(float* y, const float* x);  // y, x: [kPlantedFloats]
};

// planted.cu
extern const Planted kOutOfBounds, kUseAfterFree, kUninitialised, kUninitialisedShared, kMisaligned,
    kRace, kRaceInGlobal, kRaceOfBlocks, kRaceOfLanes, kSharedOverrun, kStaticOverrun,
    kStaticUnderrun, kHostVariable, kNoWait;
// planted_warp.cu
extern const Planted kBarrier, kBarrierAfterExit, kInactiveLane, kShuffleFromExited, kShuffleMask,
    kVoteMask, kMmaWithoutLane, kMmaAfterExit, kLdmatrixAfterExit;
// The same patterns as they should be written: barriers, shuffles, atomics, asynchronous copies.
extern const Planted kClean;

}  // namespace lk::test
