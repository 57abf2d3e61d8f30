// From one description of an op, its tests: values against an independent double-precision
// reference in f64, f32 and bf16, on the CPU and on CUDA (tests/cuda/watch.h: on what),
// gradients against central differences of that reference, and every subset of inputs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/ops.h"

namespace lk::test {

using Numbers = std::vector<double>;

struct OpCase {
  std::string name;
  std::vector<Shape> shapes;  // of the inputs
  std::function<Var(const std::vector<Var>&)> op;
  std::function<Numbers(const std::vector<Numbers>&)> reference;
  double low = -1, high = 1;  // of the inputs' values
  // Largest error over the largest magnitude of the result.
  double f32 = 2e-6, bf16 = 1.5e-2, f32_gradient = 1e-5, bf16_gradient = 3e-2;
  bool parameters_stay_f32 = true;  // inputs after the first are f32 beside a bf16 first one
  // On CUDA: in f32 as precise as this, where that is less than on the CPU. false: the kernels do
  // not take these shapes, or the op reads numbers of the host.
  double cuda_f32 = 0;
  bool cuda = true;
};

void check_op(const OpCase& op_case);

}  // namespace lk::test
