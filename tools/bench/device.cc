#include "tools/bench/device.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "cuda/device.h"
#include "cuda/timing.h"
#include "engine/error.h"
#include "engine/gemm.h"
#include "engine/kernels/random_normal.h"
#include "tools/bench/clock.h"

namespace lk {
namespace {

Tensor normal_numbers(const Shape& shape, DType dtype, Device device, uint64_t stream) {
  const Tensor t = Tensor::empty(shape, dtype);
  on_float(dtype, [&](auto isa, auto type) {
    random_normal(isa, t.data<decltype(type)>(), t.numel(), 1.0f, 1, stream);
  });
  return t.to(device);
}

void require_usable() {
  const std::string problem = cuda_problem();
  require(problem.empty(), "{}", problem);
}

}  // namespace

double gemm_ceiling(DType dtype, Device device, int64_t n) {
  const Tensor a = normal_numbers({n, n}, dtype, device, 1),
               b = normal_numbers({n, n}, dtype, device, 2), c = Tensor::like(a);
  const double ms = time_ms([&] { gemm(c, a, b); }, device == Device::cuda ? 20 : 1, device);
  return 2.0 * static_cast<double>(n * n * n) / ms / 1e6;
}

nlohmann::ordered_json bench_device(int64_t n, int64_t bytes) {
  require_usable();
  return {{"who", "lorikeet"},
          {"bench", "device"},
          {"device_name", device_name(Cuda{})},
          {"order", n},
          {"gemm_f32_gflops", gemm_ceiling(DType::f32, Device::cuda, n)},
          {"gemm_bf16_gflops", gemm_ceiling(DType::bf16, Device::cuda, n)},
          {"copy_gb_per_s", copy_gb_per_s(Cuda{}, std::max<int64_t>(bytes, 1 << 20))}};
}

std::vector<nlohmann::ordered_json> bench_kernels(const std::string& only, int64_t bytes) {
  require_usable();
  const std::string name = device_name(Cuda{});
  const double copy = copy_gb_per_s(Cuda{}, std::max<int64_t>(bytes, 1 << 20));
  std::vector<nlohmann::ordered_json> lines;
  for (const KernelTime& t : time_kernels(Cuda{}, only, bytes)) {
    const double rate = static_cast<double>(t.least_bytes) / t.microseconds / 1e3;
    lines.push_back({{"who", "lorikeet"},
                     {"bench", "kernels"},
                     {"device_name", name},
                     {"op", t.op},
                     {"shape", t.shape},
                     {"least_bytes", t.least_bytes},
                     {"microseconds", t.microseconds},
                     {"gb_per_s", rate},
                     {"of_copy", rate / copy}});
  }
  require(!lines.empty(), "no op's name has '{}' in it", only);
  return lines;
}

nlohmann::ordered_json bench_attention(const AttentionBench& o) {
  require_device(o.device);
  const int64_t tokens = o.batch * o.seq;
  const auto make = [&](int64_t heads, uint64_t stream) {
    return normal_numbers({tokens, heads * o.head_dim}, o.dtype, o.device, stream);
  };
  const Tensor q = make(o.heads, 1), k = make(o.kv_heads, 2), v = make(o.kv_heads, 3),
               dout = make(o.heads, 4);
  std::vector<int32_t> offsets;
  for (int64_t b = 0; b <= o.batch; ++b) offsets.push_back(static_cast<int32_t>(b * o.seq));
  AttentionOptions options;
  options.heads = o.heads;
  options.kv_heads = o.kv_heads;
  options.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(o.head_dim)));
  options.causal = o.causal;
  const auto forward = [&] {
    return attention(Var::leaf(q), Var::leaf(k), Var::leaf(v), offsets, offsets, options);
  };
  const int count = o.device == Device::cuda ? 10 : 1;
  const double forward_ms = time_ms(forward, count, o.device),
               both_ms = time_ms([&] { backward(forward(), dout); }, count, o.device),
               flops = 4.0 * static_cast<double>(tokens * o.seq * o.heads * o.head_dim) *
                       (o.causal ? 0.5 : 1.0);
  return {{"who", "lorikeet"},
          {"bench", "attention"},
          {"device", name_of(o.device)},
          {"dtype", name_of(o.dtype)},
          {"batch", o.batch},
          {"seq", o.seq},
          {"heads", o.heads},
          {"kv_heads", o.kv_heads},
          {"head_dim", o.head_dim},
          {"causal", o.causal},
          {"forward_ms", forward_ms},
          {"backward_ms", both_ms - forward_ms},
          {"forward_tflops", flops / forward_ms / 1e9},
          {"backward_tflops", 2.5 * flops / (both_ms - forward_ms) / 1e9}};
}

}  // namespace lk
