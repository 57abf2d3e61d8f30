// Threads of a block as fibers, and the moments when they wait for each other.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "cuda/emulator/include/cuda_runtime.h"

namespace emu {

struct Thread {
  enum class State : uint8_t { fresh, ready, at_barrier, in_collective, done };
  int linear = 0;
  State state = State::fresh;
  int worker = -1;             // the fiber it runs on
  const void* site = nullptr;  // where it waits
  unsigned mask = 0;           // of the collective it waits for
  void (*operation)(void**) = nullptr;
  void* argument = nullptr;
  int lane() const { return linear % 32; }
  int warp() const { return linear / 32; }
};

// The launch that is running.
struct Grid {
  const void* kernel = nullptr;
  dim3 grid, block;
  size_t shared_bytes = 0;
  // The running number of its first block, over all launches since the numbers were used up and
  // accesses forgotten.
  uint32_t first_block = 0;
};

// Of the running thread; null between launches.
Thread* current_thread();
const Grid& current_grid();
Thread& thread_of_block(int linear);
uint32_t current_block();  // running number, over all launches; see first_block
// The running block's, for stamps of shared memory: another one for each block since those of all
// before were forgotten, and less than 2^28.
uint32_t shared_stamp();
// A clock of the running block: it ticks at every barrier and __syncwarp. Two accesses of one block
// are ordered when one of these that both threads passed lies between them.
uint32_t block_time();
uint32_t last_barrier();
uint32_t last_meeting(int lane_a, int lane_b, int warp);  // the last __syncwarp of both

// Waits until all live lanes of `mask` have come with the same operation; then `operation` runs
// once on their arguments, null for lanes that are not there.
void meet(unsigned mask, void (*operation)(void**), void* argument, const void* site,
          bool orders_memory);
// Calls f on the main stack, where there is room for it.
void on_main_stack(const std::function<void()>& f);
// Ends the launch with an error; the calling thread never goes on.
[[noreturn]] void abandon_launch(cudaError_t error);

// As if so many blocks had run, which no test can wait for.
void skip_blocks(uint64_t count);

bool on_fiber_stack(uintptr_t address);
// The kernel's arguments, which every thread reads.
bool in_arguments(uintptr_t address);
uint3 thread_index(int linear);
uint3 block_index();
uint3 block_index(uint32_t block);  // of a block of this launch, by its running number

void set_error(cudaError_t error);  // for cudaGetLastError
cudaError_t cuda_last_error(bool clear);
inline cudaError_t fail(cudaError_t error) {
  set_error(error);
  return error;
}
// What a call returns that waits for earlier work.
inline cudaError_t ok_unless_failed() { return cuda_last_error(false); }

}  // namespace emu
