// A tensor as it lies in a mapped file, whatever the file's format.
#pragma once

#include <memory>
#include <vector>

#include "engine/tensor.h"

namespace lk {

struct StoredTensor {
  Shape shape;
  DType dtype = DType::f32;
  const char* data = nullptr;         // its first element
  std::shared_ptr<const void> owner;  // keeps the file in memory
  // In elements, one for each dimension; empty where it is row-major.
  std::vector<int64_t> strides = {};

  // A view of the file where it is row-major and aligned, otherwise a copy.
  Tensor get() const;
};

}  // namespace lk
