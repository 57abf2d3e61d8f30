// The device that Device::cuda is.
#pragma once

#include <string>

#include "engine/cuda.h"

namespace lk {

// Looks for it and makes its memory pool ready; why there is none, or empty.
std::string find_cuda_device();

std::string device_name(Cuda);  // "NVIDIA H100 80GB HBM3"; of the emulator, "emulated"

}  // namespace lk
