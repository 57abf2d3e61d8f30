// What a test of kernels asks of the emulator: the order in which threads run, the checker and the
// profiler. Both observe every access of every launch while one of their objects lives.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cuda/emulator/include/cuda_runtime.h"

namespace emu {

// Blocks, and the lanes of a warp between two meetings, run in an order shuffled by `seed`; 0 is
// the natural order. Results must not depend on it.
void set_order(uint64_t seed);

// What the machine is said to have; a test of what is done without may change it.
struct Machine {
  int devices = 1, major = 9, minor = 0;    // compute capability
  size_t bytes = size_t{16} << 30;          // of device memory
  size_t host_bytes = size_t{64} << 30;     // that pinned and managed memory may take together
  size_t shared_bytes = size_t{227} << 10;  // that a block may have
  // Addresses of device memory, 64 GiB at most: given again when each has been given once.
  size_t addresses = size_t{64} << 30;
  bool concurrent_managed = true;  // managed memory can be advised and prefetched
};
Machine& machine();

// Copies between host and device, by what the host's side was.
struct Copies {
  int64_t pinned = 0, pageable = 0;  // since the program began
  int64_t in_flight = 0;             // asynchronous ones that nobody has waited for
};
Copies copies();

enum class Fault : uint8_t {
  out_of_bounds,
  use_after_free,
  uninitialised,  // a read of what nobody wrote
  misaligned,     // a vector access at an address that is no multiple of its size
  race,           // two threads, one of them writing, with no barrier between
  barrier,        // a barrier that not all threads of the block reach
  inactive_lane,  // a warp-wide operation that waits for, or reads from, a lane that is not there
  in_flight,      // the host changed or freed what an asynchronous copy may still read or write
};
const char* name_of(Fault fault);

// A place in a kernel.
struct Place {
  std::string file;  // as the compiler was given it
  int line = 0;
};

struct Report {
  Fault fault{};
  std::string kernel;  // demangled; empty where the host is at fault, who has no place either
  Place place;
  uint3 block{}, thread{};
  // The other party: of a race, whoever came first; of a barrier and a warp-wide operation, one of
  // those that are waited for, and where it is. No line where there is none.
  Place other;
  uint3 other_block{}, other_thread{};
  std::string text;   // one line with all of it
  int64_t count = 1;  // how often, in all launches
};

// While it lives, accesses are checked; a fault is reported once for each place.
class Checker {
 public:
  Checker();
  ~Checker();
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;
  const std::vector<Report>& reports() const;
  std::string text() const;  // all reports, a line each
};

// Of one kernel's accesses to one kind of memory. A request is what a warp's lanes ask in lock
// step.
struct Traffic {
  int64_t requests = 0, lanes = 0;         // lanes: that took part, summed over requests
  int64_t sectors = 0, ideal_sectors = 0;  // of 32 bytes
  int64_t missed = 0;  // of the sectors: those that are not in the block's share of the L1 cache
  int64_t bytes() const { return 32 * missed; }  // that come from, or go to, beyond it
};
struct Profile {
  std::string kernel;
  int64_t launches = 0;
  int threads = 0;              // of a block, and
  size_t shared_bytes = 0;      // its dynamic shared memory: the most of all launches
  Traffic read, write;          // global memory
  int64_t shared_requests = 0;  // and its passes over the banks: as many as needed at least, and
  int64_t bank_passes = 0, ideal_bank_passes = 0;  // as many as there were
  int64_t barriers = 0, warp_operations = 0;       // by the block; by the warp
  int64_t away = 0;  // lanes' accesses to managed memory that was not prefetched to the device last
  // Least sectors over sectors moved: 1 when each moved byte was asked for.
  double sector_efficiency() const;
  int64_t bank_conflicts() const { return bank_passes - ideal_bank_passes; }
  double active_lanes() const;  // lanes that took part, of 32
};

// While it lives, launches are measured, each kernel apart.
class Profiler {
 public:
  Profiler();
  ~Profiler();
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;
  std::vector<Profile> profiles() const;  // one a kernel, in the order of the first launches
  int64_t launches() const;               // of all kernels
};

}  // namespace emu
