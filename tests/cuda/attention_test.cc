#include "engine/kernels/attention.h"

#include <algorithm>

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

struct Case {
  const char* name;
  std::vector<int32_t> q_offsets, k_offsets;
  int64_t heads = 2, kv_heads = 1, head_dim = 64;
  bool causal = true;
  int64_t window = 0;
  float dropout = 0;
};

const std::vector<Case>& attention_cases() {
  static const std::vector<Case> cases{
      {"one token", {0, 1}, {0, 1}},
      {"packed documents", {0, 1, 34, 34, 105}, {0, 1, 34, 34, 105}},
      {"not causal", {0, 70, 101}, {0, 70, 101}, 1, 1, 32, false},
      {"more keys than queries", {0, 5, 40}, {0, 75, 205}, 4, 2, 40},
      {"fewer keys: queries that see none", {0, 80}, {0, 70}, 1, 1, 16},
      {"sliding window", {0, 200}, {0, 200}, 1, 1, 32, true, 50},
      {"dropout", {0, 67}, {0, 67}, 2, 1, 32, true, 0, 0.2f},
      {"wide heads", {0, 66}, {0, 66}, 1, 1, 128},
      {"wide heads: dropout", {0, 70}, {0, 70}, 2, 1, 128, true, 0, 0.2f},
      {"widest heads", {0, 33}, {0, 33}, 1, 1, 256},
      {"widest heads: dropout, two tiles", {0, 9, 80}, {0, 9, 80}, 2, 1, 248, true, 40, 0.2f},
  };
  return cases;
}

AttentionShape shape_of(const Case& c) {
  return {c.q_offsets.data(),
          c.k_offsets.data(),
          static_cast<int64_t>(c.q_offsets.size()) - 1,
          c.heads,
          c.kv_heads,
          c.head_dim,
          1 / std::sqrt(static_cast<double>(c.head_dim)),
          c.causal,
          c.window,
          c.dropout,
          5,
          9};
}

TEST_CASE("cuda attention_forward equals the CPU's") {
  for (const Case& c : attention_cases())
    // f32: operands are the sum of two bf16, 16 bits. bf16: probabilities are rounded to bf16.
    compare_with_cpu(c.name, 5e-5, 1.5e-2, [&](auto isa, auto t, Operands& o) {
      const AttentionShape s = shape_of(c);
      const int64_t tq = c.q_offsets.back(), tk = c.k_offsets.back();
      auto* out = o.out(t, tq * c.heads * c.head_dim);
      float* lse = o.out(0.0f, tq * c.heads);
      const auto *q = o.in(t, tq * c.heads * c.head_dim, -2, 2),
                 *k = o.in(t, tk * c.kv_heads * c.head_dim, -2, 2),
                 *v = o.in(t, tk * c.kv_heads * c.head_dim);
      attention_forward(isa, out, lse, q, k, v, s, {});
    });
}

TEST_CASE("cuda attention_backward equals the CPU's") {
  for (const Case& c : attention_cases()) {
    // Of one token dq and dk are 0 but for rounding; "packed documents" begins with such a one.
    if (c.q_offsets.back() == 1) continue;
    const auto body = [&](auto isa, auto t, Operands& o) {
      const AttentionShape s = shape_of(c);
      const int64_t nq = c.q_offsets.back() * c.heads * c.head_dim,
                    nk = c.k_offsets.back() * c.kv_heads * c.head_dim;
      auto *dq = o.out(t, nq), *dk = o.out(t, nk), *dv = o.out(t, nk);
      auto* out = o.out(t, nq);
      float* lse = o.out(0.0f, c.q_offsets.back() * c.heads);
      const auto *q = o.in(t, nq, -2, 2), *k = o.in(t, nk, -2, 2), *v = o.in(t, nk),
                 *dout = o.in(t, nq);
      attention_forward(isa, out, lse, q, k, v, s, {});
      const decltype(t)* out_read = out;
      const float* lse_read = lse;
      attention_backward(isa, dq, dk, dv, dout, out_read, lse_read, q, k, v, s, {});
    };
    compare_with_cpu<bf16>(c.name, 3e-2, body);
    if (c.head_dim <= 128) compare_with_cpu<float>(c.name, 1e-4, body);
  }
}

// T5's: each head adds a number for each distance; documents begin at positions of their own.
struct Biased {
  std::vector<int32_t> origin;
  int64_t count = 0;
  Biased(const Case& c) {
    const size_t documents = c.q_offsets.size() - 1;
    int64_t lowest = 0, highest = 0;
    std::vector<int64_t> starts;
    for (size_t b = 0; b < documents; ++b) {
      starts.push_back(static_cast<int64_t>(3 * b));
      lowest = std::min(lowest, -(starts[b] + c.q_offsets[b + 1] - c.q_offsets[b] - 1));
      highest = std::max(highest, c.k_offsets[b + 1] - c.k_offsets[b] - 1 - starts[b]);
    }
    count = highest - lowest + 1;
    for (const int64_t start : starts) origin.push_back(static_cast<int32_t>(-start - lowest));
  }
};

TEST_CASE("cuda attention adds a bias by distance, and makes its gradient") {
  for (const Case& c : attention_cases()) {
    if (c.q_offsets.back() == 1) continue;
    const Biased biased(c);
    const auto body = [&](auto isa, auto t, Operands& o) {
      const AttentionShape s = shape_of(c);
      const int64_t nq = c.q_offsets.back() * c.heads * c.head_dim,
                    nk = c.k_offsets.back() * c.kv_heads * c.head_dim;
      auto *dq = o.out(t, nq), *dk = o.out(t, nk), *dv = o.out(t, nk);
      float* gradient = o.in_out(0.0f, s.documents * c.heads * biased.count, 0, 0);
      auto* out = o.out(t, nq);
      float* lse = o.out(0.0f, c.q_offsets.back() * c.heads);
      const auto *q = o.in(t, nq, -2, 2), *k = o.in(t, nk, -2, 2), *v = o.in(t, nk),
                 *dout = o.in(t, nq);
      const AttentionBias<float> bias{o.in(0.0f, c.heads * biased.count, -2, 2), gradient,
                                      biased.count, biased.origin.data()};
      attention_forward(isa, out, lse, q, k, v, s, bias);
      const decltype(t)* out_read = out;
      const float* lse_read = lse;
      attention_backward(isa, dq, dk, dv, dout, out_read, lse_read, q, k, v, s, bias);
    };
    compare_with_cpu<bf16>(c.name, 3e-2, body);
    if (c.head_dim <= 128) compare_with_cpu<float>(c.name, 1e-4, body);
  }
}

TEST_CASE("cuda attention: what its tiles do not take is refused") {
  Case c{"", {0, 1}, {0, 1}};
  c.head_dim = 20;
  float* none = nullptr;
  const float* in = nullptr;
  CHECK(error_of([&] {
          attention_forward(Cuda{}, none, none, in, in, in, shape_of(c), {});
        }).find("multiple of 8 up to 256, not 20") != std::string::npos);
}

TEST_CASE("cuda attention: figures") {
  // With a bias lanes look up distances side by side, which begin anywhere in a sector.
  const auto expected = [](const std::string& shape) {
    return Expected{.sector_efficiency = shape.find("bias") == std::string::npos ? 0.95 : 0.9};
  };
  check_figures_by_shape("attention_forward", expected);
  check_figures_by_shape("attention_backward", expected);
}

}  // namespace
}  // namespace lk::test
