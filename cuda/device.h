// The device that Device::cuda is.
#pragma once

#include <string>

namespace lk {

// Looks for it and makes its memory pool ready; why there is none, or empty.
std::string find_cuda_device();

}  // namespace lk
