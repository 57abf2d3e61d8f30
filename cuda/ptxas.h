// What ptxas made of the kernels (the .ptxas files that `make cuda-objects` leaves), and how many
// of them a multiprocessor can run at a time.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lk {

struct Compiled {
  std::string source, kernel, arch;  // "norm.cu", "backward_kernel<false, 512, 1, bf16>", "sm_80"
  int registers = 0;                 // of a thread
  int spilled_bytes = 0;             // of registers that did not suffice, stored by a thread
  int shared_bytes = 0;              // static, of a block
};
// Every kernel of the folder's files; none where the folder is missing.
std::vector<Compiled> read_ptxas(const std::filesystem::path& folder);

// Warps that a multiprocessor runs at a time, of the most that it could: by blocks of `threads`
// with `dynamic_bytes` of shared memory beside the static ones ("CUDA C++ Programming Guide",
// Compute Capabilities). 0 where not one block fits; Error for an architecture other than sm_80,
// sm_86, sm_89, sm_90, sm_100 and sm_120.
double occupancy(const Compiled& kernel, int threads, size_t dynamic_bytes);

}  // namespace lk
