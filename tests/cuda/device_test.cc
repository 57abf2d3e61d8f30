// Tensors on the device: moved, copied, counted, and refused where an operation would mix them with
// the CPU's.
#include "engine/device.h"

#include "autograd/ops.h"
#include "cuda/workspace.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

bool says(const std::string& message, std::initializer_list<const char*> words) {
  for (const char* word : words)
    if (message.find(word) == std::string::npos) {
      MESSAGE(message);
      return false;
    }
  return true;
}

TEST_CASE("a tensor goes to the device and comes back, to the bit") {
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16}) {
    const Tensor host = random_tensor({7, 3}, dtype, 1), there = host.to(Device::cuda);
    CHECK(there.device() == Device::cuda);
    CHECK(same_bits(there.to(Device::cpu), host));
    CHECK(same_bits(there.clone().to(Device::cpu), host));
    CHECK(same_bits(there.rows(2, 5).to(Device::cpu), host.rows(2, 5)));
    CHECK(there.rows(2, 5).item(4) == host.item(10));
    CHECK(there.to_vector<double>() == host.to_vector<double>());
    there.rows(1, 2).zero();
    CHECK(there.item(2) == host.item(2));
    CHECK(there.item(3) == 0);
    there.rows(0, 1).copy_from(host.rows(6, 7));
    CHECK(there.item(0) == host.item(18));
  }
  CHECK(Tensor::empty({0, 3}, DType::f32, Device::cuda).to(Device::cpu).numel() == 0);
  const Tensor host = random_tensor({1023}, DType::f32, 2), there = host.to(Device::cuda);
  CHECK(same_bits(there.to(DType::bf16).to(Device::cpu), host.to(DType::bf16)));
  CHECK(same_bits(there.to(DType::bf16).to(DType::f32).to(Device::cpu),
                  host.to(DType::bf16).to(DType::f32)));
  CHECK(says(error_of([&] { (void)there.to(DType::i32); }), {"conversion from f32 to i32"}));
}

TEST_CASE("device memory is counted by category, apart from the host's") {
  const CategoryScope scope(Category::optimizer);
  const auto live = [](Device device) {
    return memory_stats(device).live[static_cast<size_t>(Category::optimizer)];
  };
  const int64_t host = live(Device::cpu), before = live(Device::cuda);
  {
    const Tensor t = Tensor::zeros({100}, DType::f32, Device::cuda);
    CHECK(live(Device::cuda) == before + 400);
    CHECK(live(Device::cpu) == host);
  }
  CHECK(live(Device::cuda) == before);
  CHECK(memory_stats(Device::cuda).peak[static_cast<size_t>(Category::optimizer)] >= before + 400);
}

TEST_CASE("a device out of memory says what was asked, what is in use, and what needs less") {
  const CategoryScope scope(Category::gradients);
  const Tensor held = Tensor::zeros({1 << 20}, DType::u8, Device::cuda);
  const std::string message =
      error_of([] { (void)Tensor::empty({int64_t{1} << 50}, DType::u8, Device::cuda); });
  CHECK(says(message,
             {"out of memory on the CUDA device: 1125899906842624 bytes for gradients",
              "gradients 1048576", "--batch-size", "--max-length", "--gradient-checkpointing"}));
  CHECK(Tensor::zeros({5}, DType::f32, Device::cuda).item(4) == 0);  // and goes on
  const std::string of_kernel = error_of([] { Workspace<char>(Cuda{}, int64_t{1} << 50); });
  CHECK(says(of_kernel,
             {"out of memory on the CUDA device: 1125899906842624 bytes for workspace",
              "gradients 1048576", "--batch-size", "--max-length", "--gradient-checkpointing"}));
}

TEST_CASE("what a kernel needs while it runs is counted as workspace") {
  const auto live = [] {
    return memory_stats(Device::cuda).live[static_cast<size_t>(Category::workspace)];
  };
  const int64_t before = live();
  {
    const Workspace<float> sums(Cuda{}, 1000);
    CHECK(live() == before + 4000);
  }
  CHECK(live() == before);
}

TEST_CASE("operands on two devices are refused by the op's name") {
  const Var host = Var::leaf(random_tensor({8, 8}, DType::f32, 3)),
            there = Var::leaf(host.value().to(Device::cuda));
  const Var row(random_tensor({8}, DType::f32, 4)), row_there(row.value().to(Device::cuda));
  const int32_t offsets[] = {0, 8};
  const std::pair<const char*, std::function<Var()>> cases[] = {
      {"add:", [&] { return add(there, host); }},
      {"add:", [&] { return add(host, there); }},
      {"mul:", [&] { return mul(there, host); }},
      {"add_row:", [&] { return add_row(there, row); }},
      {"mul_row:", [&] { return mul_row(host, row_there); }},
      {"swiglu:", [&] { return swiglu(there, host); }},
      {"layer_norm:", [&] { return layer_norm(there, row_there, row, 1e-5f); }},
      {"rms_norm:", [&] { return rms_norm(host, row_there, 1e-5f); }},
      {"linear:", [&] { return linear(there, host); }},
      {"linear:", [&] { return linear(host, there, row); }},
      {"linear:", [&] { return linear(there, there, row); }},
      {"low_rank_add:", [&] { return low_rank_add(there, there, there, host, 1.0f); }},
      {"attention:", [&] { return attention(there, host, there, offsets, offsets, {}); }},
      {"concat_rows:",
       [&] {
         return concat_rows({there, host});
       }},
      {"copy_columns:",
       [&] {
         return concat_columns({there, host});
       }},
  };
  for (const auto& entry : cases) {
    const auto& name = entry.first;
    const std::string message = error_of([&] { (void)entry.second(); });
    CAPTURE(name);
    CHECK(message.rfind(name, 0) == 0);
    CHECK(says(message, {"cpu", "cuda", "f32"}));
  }
}

TEST_CASE("what cannot run on the device says so") {
  const Var x = Var::leaf(random_tensor({4, 4}, DType::f32, 3).to(Device::cuda));
  // Host code does not read the device's memory.
  CHECK(says(error_of([&] { (void)x.value().data<float>(); }),
             {"f32 [4, 4] lies on the cuda", "use --device cpu"}));
  const Tensor f64 = random_tensor({4}, DType::f64, 3).to(Device::cuda);
  CHECK(
      says(error_of([&] { (void)relu(f64); }), {"relu: CUDA computes in f32 or bf16, not in f64"}));
}

}  // namespace
}  // namespace lk::test
