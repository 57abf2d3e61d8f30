// Watches accesses for faults; emulator.h has its public face.
#pragma once

#include <cstdint>
#include <vector>

#include "cuda/emulator/reports.h"
#include "cuda/emulator/scheduler.h"

namespace emu {

// One access of the running thread to memory that is not its stack. vector: the instruction needs
// an address that is a multiple of its size.
void check_access(uintptr_t address, int bytes, bool write, bool atomic, bool vector,
                  const void* site);

// Faults of meeting; they are noticed with no checker, too.
// All threads of the block wait or are done: false when they wait for ever.
bool check_barrier(std::vector<Thread>& threads);
void report_outside_mask(const Thread& thread);
void report_inactive_source(const Thread& thread, int lane);
void report_missing_lane(const Thread& thread, int lane);  // of an operation that needs all

// Copies that cp.async began and nobody waited for.
void forget_copies(const Thread& thread);
void begin_block_shared();

}  // namespace emu
