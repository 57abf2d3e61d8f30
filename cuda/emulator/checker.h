// Watches accesses for faults; emulator.h has its public face.
#pragma once

#include <cstdint>
#include <vector>

#include "cuda/emulator/emulator.h"
#include "cuda/emulator/scheduler.h"

namespace emu {

bool checking();
// One access of the running thread to memory that is not its stack. vector: the instruction needs
// an address that is a multiple of its size.
void check_access(uintptr_t address, int bytes, bool write, bool atomic, bool vector,
                  const void* site);

// Faults of meeting; they are noticed with no checker, too.
// All threads of the block wait or are done: false when they wait for ever.
bool check_barrier(std::vector<Thread>& threads);
void report_outside_mask(const Thread& thread);
void report_inactive_source(const Thread& thread, int lane);

// Kept for whoever made a Checker; printed when nobody did.
void report(Fault fault, uint32_t site, uint32_t other_site, const Thread& thread,
            const std::string& what);

// The host's fault, outside of kernels.
void report_host(Fault fault, const std::string& what);

inline constexpr uint32_t kNoSite = 0;
uint32_t site_number(const void* site);

// Copies that cp.async began and nobody waited for.
void forget_copies(const Thread& thread);
void begin_block_shared();

}  // namespace emu
