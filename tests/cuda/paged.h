// Parameters with large and small states, and where memory of the device lies.
#pragma once

#include <string>
#include <vector>

#include "cuda/launch.h"
#include "engine/device.h"
#include "nn/optim/optimizer.h"
#include "tests/tiny_models.h"

namespace lk::test {

// Of 100000 elements or more, in 8 bits only, and small; on the device.
inline std::vector<ParamGroup> some_groups() {
  std::vector<ParamGroup> groups(1);
  groups[0].weight_decay = 0.01;
  uint64_t seed = 1;
  for (const Shape& shape : {Shape{400, 251}, Shape{1021, 101}, Shape{100, 50}, Shape{30}}) {
    const Tensor value = random_tensor(shape, DType::f32, seed).to(Device::cuda);
    groups[0].params.emplace_back("p" + std::to_string(seed++), Var::leaf(value));
  }
  return groups;
}

inline void set_gradients(const std::vector<ParamGroup>& groups, uint64_t step) {
  for (const auto& [name, p] : groups[0].params)
    p.set_grad(
        random_tensor(p.shape(), DType::f32, 100 * step + name.back(), 0.1).to(Device::cuda));
}

struct Place {
  cudaMemoryType type{};
  int preferred = cudaInvalidDeviceId, prefetched = cudaInvalidDeviceId;
};
inline Place place_of(const Tensor& t) {
  const KernelScope scope("place", Device::cuda);
  cudaPointerAttributes attributes{};
  check_cuda(cudaPointerGetAttributes(&attributes, t.raw()), "a pointer");
  Place place{.type = attributes.type};
  if (place.type != cudaMemoryTypeManaged) return place;
  const auto ask = [&](cudaMemRangeAttribute attribute, int& value) {
    check_cuda(cudaMemRangeGetAttribute(&value, sizeof value, attribute, t.raw(),
                                        static_cast<size_t>(t.bytes())),
               "a range");
  };
  ask(cudaMemRangeAttributePreferredLocation, place.preferred);
  ask(cudaMemRangeAttributeLastPrefetchLocation, place.prefetched);
  return place;
}

}  // namespace lk::test
