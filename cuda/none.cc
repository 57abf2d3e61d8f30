// A build without CUDA: no tensor ever lies on a device, so nothing with the tag Cuda is called.
// The linker takes `lk_no_cuda` for all of it (Makefile).
#include <string>

#include "engine/device.h"

namespace lk {

std::string cuda_problem() {
  return "this build has no CUDA backend (nvcc was not found, or CUDA=0 was given to make)";
}

}  // namespace lk

extern "C" [[noreturn]] void lk_no_cuda();
extern "C" [[noreturn]] void lk_no_cuda() { lk::fail("{}", lk::cuda_problem()); }
