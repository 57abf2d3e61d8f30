// What kernels under test run on, and what can be seen of them: the emulator sees every access and
// runs threads in other orders (tests/cuda/emulator/watch.cc); of a GPU only results and errors are
// seen (tests/gpu/watch.cc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace lk::test {

// How often a kernel runs; what it writes must be the same to the bit. In the emulator once, or in
// as many orders of threads and blocks as EMULATOR_ORDERS says; on a GPU twice.
uint64_t run_count();

// While it lives, kernels are watched, and threads run in the order number `order` where there is a
// choice (0: the natural one).
class Watch {
 public:
  explicit Watch(uint64_t order = 0);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  // Waits for the kernels; what they did wrong, a line each. Empty: nothing.
  std::string faults() const;
};

// Makes NaN of fresh device memory that a kernel must write, where reading it would not be a fault
// by itself.
void spoil(void* data, size_t bytes);

}  // namespace lk::test
