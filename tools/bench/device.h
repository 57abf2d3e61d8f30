// What a device reaches, and its kernels and attention beside that.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/dtype.h"
#include "engine/tensor.h"

namespace lk {

// An n^3 product of normal numbers in `dtype`, in GFLOP/s: what the library reaches there.
double gemm_ceiling(DType dtype, Device device, int64_t n);

// Rates of a product of order n in f32 and bf16, and of a copy of `bytes` within the device.
nlohmann::ordered_json bench_device(int64_t n, int64_t bytes);

// A line for each of the CUDA kernels' cases whose op has `only` in its name, moving at least
// `bytes`: the bytes that it must move, over its time, beside a copy's. Error when there is none.
std::vector<nlohmann::ordered_json> bench_kernels(const std::string& only, int64_t bytes);

struct AttentionBench {
  int64_t batch = 4, seq = 2048, heads = 32, kv_heads = 8, head_dim = 128;
  bool causal = true;
  DType dtype = DType::bf16;
  Device device = Device::cpu;
};
// Forward, and forward with backward, of whole documents of `seq` tokens. TFLOP/s count 4 T^2 d a
// head forward and 2.5 times that backward, under a causal mask half of it.
nlohmann::ordered_json bench_attention(const AttentionBench& o);

}  // namespace lk
