#include "engine/files/stored_tensor.h"

#include <cstring>

namespace lk {

Tensor StoredTensor::get() const {
  const auto size = static_cast<size_t>(size_of(dtype));
  if (strides.empty() && reinterpret_cast<uintptr_t>(data) % size == 0)
    return Tensor::mapped(shape, dtype, data, owner);
  const CategoryScope weights(Category::weights);
  Tensor copy = Tensor::empty(shape, dtype);
  auto* to = static_cast<char*>(copy.raw());
  if (strides.empty()) {
    if (copy.numel() > 0) std::memcpy(to, data, static_cast<size_t>(copy.bytes()));
    return copy;
  }
  for (int64_t i = 0; i < copy.numel(); ++i) {
    int64_t rest = i, from = 0;
    for (int d = shape.rank() - 1; d >= 0; --d) {
      from += rest % shape[d] * strides[static_cast<size_t>(d)];
      rest /= shape[d];
    }
    std::memcpy(to + static_cast<size_t>(i) * size, data + static_cast<size_t>(from) * size, size);
  }
  return copy;
}

}  // namespace lk
