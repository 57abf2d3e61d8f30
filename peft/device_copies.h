// Tensors of a method that do not train and are no parameters, where they are used.
#pragma once

#include <utility>
#include <vector>

#include "engine/tensor.h"

namespace lk {

class DeviceCopies {
 public:
  // t on `device`: itself, or a copy that is made once.
  Tensor of(const Tensor& t, Device device) const {
    if (t.device() == device) return t;
    for (const auto& [from, copy] : copies_)
      if (from.raw() == t.raw() && from.shape() == t.shape()) return copy;
    copies_.emplace_back(t, t.to(device));
    return copies_.back().second;
  }

 private:
  mutable std::vector<std::pair<Tensor, Tensor>> copies_;
};

}  // namespace lk
