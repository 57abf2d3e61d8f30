// The random numbers of PyTorch's CPU generator (MT19937), for frozen values that HF PEFT's files
// give by their seed only.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "engine/tensor.h"

namespace lk {

class TorchRandom {
 public:
  explicit TorchRandom(uint32_t seed) : engine_(seed) {}
  // tensor.uniform_(-bound, bound) in f32.
  Tensor uniform(const Shape& shape, double bound);
  // The first `count` of torch.randperm(n).
  std::vector<int64_t> permutation(int64_t n, int64_t count);

 private:
  std::mt19937 engine_;
};

}  // namespace lk
