// Every fine-tuning method trains on the device as on the CPU.
#include "quant/quantized_weight.h"
#include "tests/cuda/kernel_case.h"
#include "tests/cuda/training.h"
#include "tests/peft/contract.h"
#include "tests/support.h"

namespace lk::test {
namespace {

TEST_CASE("cuda: two steps of every method equal the CPU's") {
  // Each row on two of its architectures, in turn.
  size_t turn = 0;
  for (const ContractRow& row : contract_rows()) {
    CAPTURE(row.settings);
    const size_t first = turn++;
    for (size_t i = 0; i < std::min<size_t>(2, row.models.size()); ++i) {
      Run run{row.models[(first + i) % row.models.size()], row.method, row.settings};
      // Its schedule is as long as the run.
      if (row.method == "adalora")
        run.settings = R"({"init_r": 3, "target_r": 1, "target_modules": "all-linear"})";
      // Attention's f32 operands have 16 bits. Where that moves a gradient by 2e-5, a step of 0.02
      // over an eps of 1e-3 makes 4e-4 of it.
      check_equal(run, 5e-4, 2);
    }
  }
}

TEST_CASE("cuda: QLoRA and DoRA on quantized bases equal the CPU's") {
  const std::string dora = R"({"r": 4, "use_dora": true})";
  check_equal({.type = "llama", .method = "qlora", .settings = R"({"r": 4})", .quant = "nf4"}, 1e-4,
              2);
  check_equal({.type = "gpt2", .method = "lora", .settings = dora, .quant = "int8"}, 1e-4, 2);
  check_equal({.type = "t5", .method = "qlora", .settings = R"({"r": 4})", .quant = "fp4"}, 1e-4,
              2);
}

TEST_CASE("cuda: PiSSA starts from the same singular values, whichever device finds them") {
  std::vector<std::vector<std::vector<double>>> left;  // W - s B A, of each layer
  for (const Device device : {Device::cpu, Device::cuda}) {
    const auto model = tiny_model("llama", DType::f32);
    model->factor_on = device;
    const auto method = method_of(
        "lora",
        R"({"r": 2, "init_lora_weights": "pissa", "lora_alpha": 2, "target_modules": "all-linear"})");
    std::vector<std::vector<double>> before, after;
    const auto read = [&](std::vector<std::vector<double>>& to) {
      model->visit_linears([&](Linear& linear) {
        to.push_back(linear.weight().dense(DType::f32).to_vector<double>());
      });
    };
    read(before);
    method->attach(*model, 1);
    read(after);
    CHECK(before != after);
    left.push_back(after);
  }
  check_close(left[1], left[0], 1e-5);
}

TEST_CASE("cuda: a quantized weight follows what it is multiplied with, and keeps its numbers") {
  const Tensor w = random_tensor({33, 70}, DType::f32, 5);
  const QuantizedWeight weight("w", quantize(w, {.type = "nf4", .double_quant = true}), false);
  const Tensor before = weight.dense(DType::f32);
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const Tensor x = random_tensor({5, 70}, dtype, 6), dy = random_tensor({5, 33}, dtype, 7);
    std::vector<std::vector<double>> y, dx;
    for (const Device device : {Device::cpu, Device::cuda, Device::cpu}) {
      const Var in = Var::leaf(x.to(device)), out = weight.apply(in, {});
      CHECK(weight.quantized().device() == device);
      backward(out, dy.to(device));
      y.push_back(out.value().to_vector<double>());
      dx.push_back(in.grad().to_vector<double>());
      CHECK(same_bits(weight.dense(DType::f32), before));
    }
    const double tolerance = dtype == DType::f32 ? 1e-5 : 1e-2;
    check_close({y[1], dx[1]}, {y[0], dx[0]}, tolerance);
    CHECK(y[2] == y[0]);
  }
}

}  // namespace
}  // namespace lk::test
