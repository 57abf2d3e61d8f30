// What is said of machines that this one is not, and what only the profiler counts.
#include "cuda/device.h"

#include <memory>

#include "cuda/emulator/emulator.h"
#include "cuda/optimizer.h"
#include "engine/device.h"
#include "tests/cuda/device.h"

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

TEST_CASE("cuda adamw: a hundred tensors in two launches") {
  std::vector<std::unique_ptr<DeviceArray<float>>> memory;
  std::vector<AdamwTensor> tensors;
  const auto zeros = [&](int64_t n) {
    memory.push_back(
        std::make_unique<DeviceArray<float>>(std::vector<float>(static_cast<size_t>(n))));
    return memory.back()->data();
  };
  for (int64_t i = 0; i < 100; ++i) {
    const int64_t n = i * 37 % 301;  // 0 elements, too
    tensors.push_back({zeros(n), zeros(n), zeros(n), zeros(n), n});
  }
  const emu::Profiler profiler;
  adamw_update_many(Cuda{}, tensors, {1e-2, 0.9, 0.99, 1e-8, 0.1, 3});
  REQUIRE(profiler.profiles().size() == 1);
  CHECK(profiler.profiles()[0].launches == 2);
}

}  // namespace
}  // namespace lk::test
