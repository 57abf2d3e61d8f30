// The product with a quantized matrix on the device: as on the CPU, whichever way it
// takes, and in a workspace of one panel.
#include "quant/linear_cuda.h"

#include "engine/gemm.h"
#include "quant/linear.h"
#include "tests/cuda/kernel_case.h"
#include "tests/cuda/watch.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

using Results = std::vector<std::vector<double>>;

// y and dx of a product on `device`.
Results products(Device device, const Quantized& q, const Tensor& x, const Tensor& dy,
                 const Tensor& bias) {
  const auto w = std::make_shared<const Quantized>(q.to(device));
  const Var in = Var::leaf(x.to(device));
  const Var b = bias.defined() ? Var(bias.to(device)) : Var();
  const Var y = quantized_linear(in, w, b);
  backward(y, dy.to(device));
  return {y.value().to_vector<double>(), in.grad().to_vector<double>()};
}

// bf16: weights and results are rounded to 8 bits, on the CPU's way of a few rows only the results.
double tolerance_of(DType dtype) { return dtype == DType::f32 ? 5e-6 : 1e-2; }

void compare(const QuantSpec& spec, DType dtype, int64_t rows, int64_t in, int64_t out,
             bool biased) {
  CAPTURE(spec.type);
  CAPTURE(spec.block_size);
  CAPTURE(spec.double_quant);
  CAPTURE(name_of(dtype));
  CAPTURE(rows);
  CAPTURE(in);
  CAPTURE(out);
  const Quantized q = quantize(random_tensor({out, in}, DType::f32, 1, 0.1), spec);
  const Tensor x = random_tensor({rows, in}, dtype, 2), dy = random_tensor({rows, out}, dtype, 3),
               bias = biased ? random_tensor({out}, dtype, 4) : Tensor();
  const Results want = products(Device::cpu, q, x, dy, bias);
  const Watch watch;
  check_close(products(Device::cuda, q, x, dy, bias), want, tolerance_of(dtype));
  CHECK(watch.faults() == "");
}

TEST_CASE("cuda quantized_linear equals the CPU's, for one row and for many") {
  const std::vector<int64_t> all_rows{1, 3, 17, 64, 65, 300};
  for (const DType dtype : {DType::f32, DType::bf16})
    for (size_t i = 0; i < all_rows.size(); ++i) {
      const int64_t rows = all_rows[i];
      const bool odd = i % 2 == 1;
      compare({"nf4", 64, odd}, dtype, rows, 192, 67, !odd);
      compare({"nf4", 32, !odd}, dtype, rows, 96, 33, odd);
      compare({"fp4", 128, odd}, dtype, rows, 256, 40, odd);
      // Blocks cross rows, whose length may be odd: panels alone.
      compare({"int4", 64, !odd}, dtype, rows, 75, 35, odd);
      compare({"int8", 64, odd}, dtype, rows, 100, 31, !odd);
    }
}

// What was computed under the name of gemm, and the most that was live as workspace.
struct Cost {
  int64_t products, bytes;
};
template <class F>
Cost cost_of(F f) {
  constexpr auto kWorkspace = static_cast<size_t>(Category::workspace);
  reset_memory_peak();
  const int64_t calls = gemm_counters().calls, live = memory_stats(Device::cuda).live[kWorkspace];
  f();
  CHECK(memory_stats(Device::cuda).live[kWorkspace] == live);
  return {gemm_counters().calls - calls, memory_stats(Device::cuda).peak[kWorkspace] - live};
}

TEST_CASE("cuda quantized_linear: the workspace is one panel, or none") {
  constexpr int64_t in = 192, out = 301, panel_bytes = 24 << 10;
  for (const char* type : {"nf4", "int8"})
    for (const DType dtype : {DType::f32, DType::bf16})
      for (const bool nested : {false, true}) {
        CAPTURE(type);
        CAPTURE(name_of(dtype));
        CAPTURE(nested);
        const Quantized host =
            quantize(random_tensor({out, in}, DType::f32, 1, 0.1), {type, 64, nested});
        const Quantized w = host.to(Device::cuda);
        const Tensor x = random_tensor({130, in}, dtype, 2),
                     dy = random_tensor({130, out}, dtype, 3),
                     bias = random_tensor({out}, DType::f32, 4);
        const Results want = products(Device::cpu, host, x, dy, bias);
        const Tensor x_there = x.to(Device::cuda), dy_there = dy.to(Device::cuda),
                     bias_there = bias.to(Device::cuda);
        Tensor y, dx;
        // Beside the panel: the factors of one (and of what its nested block begins with), the bias
        // in bf16.
        const int64_t small = (panel_bytes / size_of(dtype) / 64 + kNestedBlock) * 4 + out * 2;
        const int64_t panels = dtype == DType::f32 ? 10 : 5;
        const Cost forward =
            cost_of([&] { y = quantized_forward_on_cuda(x_there, w, bias_there, panel_bytes); });
        CHECK(forward.products == panels);
        CHECK(forward.bytes <= panel_bytes + small);
        const Cost backward = cost_of(
            [&] { dx = quantized_input_gradient_on_cuda(dy_there, w, x.shape(), panel_bytes); });
        CHECK(backward.products == panels);
        CHECK(backward.bytes <= panel_bytes + small);
        CHECK(dx.dtype() == dtype);
        check_close({y.to_vector<double>(), dx.to_vector<double>()}, want, tolerance_of(dtype));
      }
}

TEST_CASE("cuda quantized_linear: few rows restore nothing") {
  const Quantized w =
      quantize(random_tensor({70, 128}, DType::f32, 1, 0.1), {"nf4", 64, true}).to(Device::cuda);
  const auto cost = [&](DType dtype, int64_t rows) {
    const Tensor x = random_tensor({rows, 128}, dtype, 2).to(Device::cuda);
    return cost_of([&] { quantized_forward_on_cuda(x, w, {}); });
  };
  for (const DType dtype : {DType::f32, DType::bf16}) {
    CAPTURE(name_of(dtype));
    const int64_t most = dtype == DType::f32 ? 4 : kCudaFusedRows;
    for (const int64_t rows : {int64_t{1}, most}) {
      const Cost none = cost(dtype, rows);
      CHECK(none.products == 0);
      CHECK(none.bytes == 0);
    }
    // One more takes a panel.
    const Cost whole = cost(dtype, most + 1);
    CHECK(whole.products == 1);
    CHECK(whole.bytes >= 70 * 128 * size_of(dtype));
  }
}

TEST_CASE("cuda quantized_linear: x at an odd address, and dtypes that no kernel has") {
  const Quantized host = quantize(random_tensor({40, 64}, DType::f32, 1, 0.1), {"nf4", 64, false});
  const Quantized w = host.to(Device::cuda);
  const Tensor flat = random_tensor({9 * 64 + 1}, DType::bf16, 2).to(Device::cuda);
  const Tensor odd = flat.rows(1, 9 * 64 + 1).view({9, 64});
  const Tensor y = quantized_forward_on_cuda(odd, w, {}),
               same = quantized_forward_on_cuda(odd.clone(), w, {});
  check_close({y.to_vector<double>()}, {same.to_vector<double>()}, 1e-2);
  CHECK(error_of([&] {
          quantized_forward_on_cuda(Tensor::zeros({1, 64}, DType::f64, Device::cuda), w, {});
        }).find("f32 or bf16, not in f64") != std::string::npos);
}

}  // namespace
}  // namespace lk::test
