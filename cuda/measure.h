// What the emulator's profiler says of a kernel case.
#pragma once

#include "cuda/cases.h"
#include "cuda/emulator/emulator.h"

namespace lk {

struct Figures {
  double sector_efficiency;  // sectors that the lanes asked for, of the sectors moved
  double traffic;            // bytes moved over the least possible
  int64_t bank_conflicts;    // passes over the banks beyond the needed ones
  double active_lanes;       // of 32, in accesses of global memory
  int64_t launches, read_bytes, written_bytes;
  std::vector<emu::Profile> kernels;
};
Figures measure(const KernelCase& kernel_case);

}  // namespace lk
