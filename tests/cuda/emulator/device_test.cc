// What is said of machines that this one is not, and what only the profiler counts.
#include "cuda/device.h"

#include <doctest/doctest.h>

#include "autograd/ops.h"
#include "cuda/emulator/emulator.h"
#include "engine/device.h"
#include "nn/optim/optimizer.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

bool says(const std::string& message, const char* words) {
  return message.find(words) != std::string::npos;
}

TEST_CASE("without a device, or with one that is too old, that is said") {
  const emu::Machine was = emu::machine();
  emu::machine().devices = 0;
  CHECK(says(find_cuda_device(), "no CUDA device can be used"));
  CHECK(says(find_cuda_device(), "no CUDA-capable device"));
  emu::machine() = was;
  emu::machine().major = 7;
  emu::machine().minor = 5;
  CHECK(says(find_cuda_device(), "compute capability 7.5"));
  CHECK(says(find_cuda_device(), "8.0 or later"));
  emu::machine() = was;
  CHECK(find_cuda_device() == "");
  CHECK(cuda_problem() == "");
}

TEST_CASE("cuda: AdamW updates a hundred parameters in two launches, clipping takes five") {
  ParamGroup group;
  for (int64_t i = 0; i < 100; ++i) {
    const Var p = Var::leaf(random_tensor({i * 37 % 301 + 1}, DType::f32, 1).to(Device::cuda));
    p.set_grad(p.value().clone());
    group.params.emplace_back("p" + std::to_string(i), p);
  }
  const auto adamw = make_optimizer({}, {group});
  adamw->step(1e-2);  // makes the states
  {
    const emu::Profiler profiler;
    adamw->step(1e-2);
    CHECK(profiler.launches() == 2);
  }
  const emu::Profiler profiler;
  clip_grad_norm({group}, 1e-3);
  CHECK(profiler.launches() == 5);  // two sums, their sum, twice scaling
}

TEST_CASE("cuda: a GELU costs no kernel of its own where the library's product can have it") {
  // x [3, 16] times W [16, n]; with a gradient, Z is kept.
  const auto kernels = [](DType dtype, int64_t n, bool records) {
    const Var x = random_tensor({3, 16}, dtype, 1).to(Device::cuda),
              b = random_tensor({n}, dtype, 3).to(Device::cuda);
    const Tensor values = random_tensor({16, n}, dtype, 2).to(Device::cuda);
    const emu::Profiler profiler;
    linear_gelu_tanh(x, records ? Var::leaf(values) : Var(values), b, true);
    return profiler.launches();
  };
  CHECK(kernels(DType::bf16, 24, false) == 0);
  CHECK(kernels(DType::bf16, 24, true) == 0);
  CHECK(kernels(DType::bf16, 23, false) == 0);
  CHECK(kernels(DType::bf16, 23, true) == 1);  // Z's rows would be no multiples of 16 bytes
  CHECK(kernels(DType::f32, 24, false) == 1);
  const emu::Machine was = emu::machine();
  emu::machine().major = 8;
  CHECK(kernels(DType::bf16, 40, false) == 1);  // another shape: the choice for one is kept
  emu::machine() = was;
}

}  // namespace
}  // namespace lk::test
