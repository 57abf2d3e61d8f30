// Measures accesses; emulator.h has its public face.
#pragma once

#include <cstdint>

namespace emu {

struct Grid;
bool profiling();
void profile_launch(const Grid& grid);
void profile_access(uintptr_t address, int bytes, bool write, const void* site);
void profile_barrier();
void profile_warp_operation();
void profile_block_end();

}  // namespace emu
