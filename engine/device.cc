#include "engine/device.h"

namespace lk {

void require_device(Device device) {
  if (device == Device::cpu) return;
  const std::string problem = cuda_problem();
  require(problem.empty(), "{}; use --device cpu", problem);
}

}  // namespace lk
