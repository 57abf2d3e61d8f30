#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/rng.h"
#include "tests/ops/op_case.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

using test::Numbers;

struct Layout {
  std::vector<int32_t> q_offsets, k_offsets;
  int64_t head_dim;
  AttentionOptions options;
  std::vector<int32_t> q_start = {};  // with a bias: the position of each document's first query
};

constexpr int64_t kBuckets = 7;
int32_t bucket(int64_t distance) {
  return static_cast<int32_t>(std::clamp<int64_t>(distance, -4, 2) + 4);
}

// By the definition, one query at a time.
Numbers reference(const std::vector<Numbers>& x, const Layout& l) {
  const auto& [q_off, k_off, d, o, q_start] = l;
  Numbers out(x[0].size(), 0.0);
  const auto at = [&](const Numbers& v, int64_t row, int64_t heads, int64_t h, int64_t j) {
    return v[static_cast<size_t>((row * heads + h) * l.head_dim + j)];
  };
  for (size_t b = 0; b + 1 < q_off.size(); ++b)
    for (int64_t i = q_off[b]; i < q_off[b + 1]; ++i)
      for (int64_t h = 0; h < o.heads; ++h) {
        const int64_t hk = h / (o.heads / o.kv_heads), keys = k_off[b + 1] - k_off[b];
        const int64_t place = i - q_off[b] + keys - (q_off[b + 1] - q_off[b]);
        const int64_t last = o.causal ? std::min(keys - 1, place) : keys - 1;
        const int64_t first =
            o.causal && o.window > 0 ? std::max<int64_t>(0, place - o.window + 1) : 0;
        Numbers p;
        double total = 0;
        for (int64_t j = first; j <= last; ++j) {
          double s = 0;
          for (int64_t k = 0; k < d; ++k)
            s += at(x[0], i, o.heads, h, k) * at(x[1], k_off[b] + j, o.kv_heads, hk, k);
          s *= static_cast<double>(o.scale);
          if (x.size() > 3)
            s += x[3][static_cast<size_t>(bucket(j - (q_start[b] + i - q_off[b])) * o.heads + h)];
          p.push_back(std::exp(s));
          total += p.back();
        }
        for (int64_t j = first; j <= last; ++j)
          for (int64_t k = 0; k < d; ++k)
            out[static_cast<size_t>((i * o.heads + h) * d + k)] +=
                p[static_cast<size_t>(j - first)] / total *
                at(x[2], k_off[b] + j, o.kv_heads, hk, k);
      }
  return out;
}

void check(const char* name, const Layout& l) {
  const Shape q{l.q_offsets.back(), l.options.heads * l.head_dim},
      k{l.k_offsets.back(), l.options.kv_heads * l.head_dim};
  std::vector<Shape> shapes{q, k, k};
  if (!l.q_start.empty()) shapes.push_back({kBuckets, l.options.heads});
  test::check_op({.name = name,
                  .shapes = shapes,
                  .op =
                      [&](const auto& x) {
                        const RelativeBias bias{x.size() > 3 ? x[3] : Var(), bucket, l.q_start};
                        return attention(x[0], x[1], x[2], l.q_offsets, l.k_offsets, l.options,
                                         x.size() > 3 ? &bias : nullptr);
                      },
                  .reference = [&](const auto& x) { return reference(x, l); },
                  .f32 = 5e-6,
                  .f32_gradient = 2e-5,
                  .bf16_gradient = 5e-2,
                  .parameters_stay_f32 = false,
                  .cuda_f32 = 1e-4,  // operands are two bf16: 16 bits
                  .cuda = l.head_dim % 8 == 0});
}

TEST_CASE("attention: causal, packed documents of odd lengths") {
  check("causal", {{0, 1, 8, 41}, {0, 1, 8, 41}, 4, {.heads = 2, .kv_heads = 2, .scale = 0.5f}});
}
TEST_CASE("attention: grouped queries, odd head size") {
  check("gqa", {{0, 5, 12}, {0, 5, 12}, 3, {.heads = 4, .kv_heads = 2, .scale = 0.7f}});
}
TEST_CASE("attention: every token sees every token") {
  check("full",
        {{0, 3, 20}, {0, 3, 20}, 5, {.heads = 1, .kv_heads = 1, .scale = 1.0f, .causal = false}});
}
TEST_CASE("attention: a window") {
  check("window", {{0, 20}, {0, 20}, 2, {.heads = 1, .kv_heads = 1, .scale = 1.0f, .window = 4}});
}
TEST_CASE("attention: more keys than queries, as behind a cache or a prefix") {
  check("cache", {{0, 2, 3}, {0, 9, 15}, 4, {.heads = 2, .kv_heads = 1, .scale = 0.5f}});
}
TEST_CASE("attention: more than one block of keys and queries") {
  check("blocks", {{0, 70}, {0, 70}, 1, {.heads = 1, .kv_heads = 1, .scale = 1.0f}});
}

TEST_CASE("attention: generation's one or two queries behind many keys") {
  check("decoding", {{0, 1, 3}, {0, 40, 57}, 20, {.heads = 4, .kv_heads = 2, .scale = 0.3f}});
  check("decoding in a window",
        {{0, 1, 3}, {0, 70, 90}, 32, {.heads = 2, .kv_heads = 1, .scale = 0.2f, .window = 9}});
}
TEST_CASE("attention: a bias by distance") {
  check("both ways", {{0, 1, 7, 20},
                      {0, 1, 7, 20},
                      3,
                      {.heads = 2, .kv_heads = 2, .scale = 1.0f, .causal = false},
                      {0, 0, 0}});
  check("causal, grouped, another scale",
        {{0, 5, 12}, {0, 5, 12}, 4, {.heads = 4, .kv_heads = 2, .scale = 0.5f}, {0, 0}});
  check("more than one block", {{0, 67}, {0, 67}, 1, {.heads = 1, .kv_heads = 1}, {0}});
  check("behind a cache or a prefix",
        {{0, 1, 4}, {0, 9, 15}, 4, {.heads = 2, .kv_heads = 2, .scale = 0.5f}, {8, 0}});
  check("32, which matrix tiles take without one",
        {{0, 6}, {0, 6}, 32, {.heads = 2, .kv_heads = 2, .scale = 0.2f}, {0}});
}
TEST_CASE("attention: keys of another text, longer and shorter than the queries") {
  check("cross",
        {{0, 4, 9}, {0, 11, 13}, 4, {.heads = 2, .kv_heads = 2, .scale = 0.5f, .causal = false}});
}
TEST_CASE("attention: head sizes that matrix tiles take") {
  check("32", {{0, 3, 39}, {0, 3, 39}, 32, {.heads = 2, .kv_heads = 1, .scale = 0.2f}});
  check("64, more keys", {{0, 5}, {0, 70}, 64, {.heads = 1, .kv_heads = 1, .scale = 0.125f}});
  check("32, window",
        {{0, 40}, {0, 40}, 32, {.heads = 1, .kv_heads = 1, .scale = 0.2f, .window = 12}});
  check("96, both ways",
        {{0, 7}, {0, 7}, 96, {.heads = 1, .kv_heads = 1, .scale = 0.1f, .causal = false}});
}
TEST_CASE("attention: a document's result does not depend on its neighbours, to the bit") {
  Random random(3);
  const auto make = [&](int64_t rows) {
    std::vector<float> v;
    for (int64_t i = 0; i < rows * 8; ++i) v.push_back(random.uniform() - 0.5f);
    return Tensor::from(v, {rows, 8});
  };
  const Tensor q = make(9), k = make(9), v = make(9);
  const AttentionOptions o{.heads = 2, .kv_heads = 2, .scale = 0.5f};
  const std::vector<int32_t> both{0, 4, 9}, alone{0, 5};
  const Tensor packed = attention(q, k, v, both, both, o).value();
  const Tensor single =
      attention(q.rows(4, 9), k.rows(4, 9), v.rows(4, 9), alone, alone, o).value();
  CHECK(packed.rows(4, 9).to_vector<float>() == single.to_vector<float>());
}

TEST_CASE("attention: dropout drops the right share, and backward uses the same mask") {
  const int64_t n = 40, d = 4;
  const std::vector<int32_t> offsets{0, static_cast<int32_t>(n)};
  const AttentionOptions o{
      .heads = 1, .kv_heads = 1, .scale = 0.5f, .causal = false, .dropout = 0.3f};
  Random random(5);
  std::vector<double> base;
  for (int64_t i = 0; i < n * d; ++i) base.push_back(random.uniform53() - 0.5);
  const auto run = [&](const std::vector<double>& v, bool grad, Tensor* dv) {
    dropout_state() = {11, 1};
    const Var q(Tensor::from(base, {n, d})), k(Tensor::from(base, {n, d}));
    const Var value = grad ? Var::leaf(Tensor::from(v, {n, d})) : Var(Tensor::from(v, {n, d}));
    const Var y = sum(attention(q, k, value, offsets, offsets, o));
    if (grad) {
      backward(y);
      *dv = value.grad();
    }
    return y.value().item();
  };
  Tensor dv;
  run(base, true, &dv);
  for (const int64_t i : {0, 17, 159}) {
    auto up = base, down = base;
    up[static_cast<size_t>(i)] += 1e-4;
    down[static_cast<size_t>(i)] -= 1e-4;
    CHECK(std::abs((run(up, false, nullptr) - run(down, false, nullptr)) / 2e-4 - dv.item(i)) <=
          1e-6);
  }
  // With v = 1 the output of a row is the kept probability: 1 on average.
  const double mean = run(std::vector<double>(static_cast<size_t>(n * d), 1.0), false, nullptr) /
                      static_cast<double>(n * d);
  CHECK(std::abs(mean - 1.0) <= 0.1);
}

// On CPUs with matrix tiles bf16 has kernels of its own; f32 was checked above.
TEST_CASE("attention: dropout in bf16 has the masks of f32, forward and backward") {
  const std::vector<int32_t> offsets{0, 70, 75, 140};
  for (const bool causal : {false, true}) {
    const AttentionOptions o{
        .heads = 4, .kv_heads = 2, .scale = 0.2f, .causal = causal, .dropout = 0.4f};
    const auto run = [&](DType dtype) {
      dropout_state() = {7, 3};
      // Values that bf16 holds: only the products differ.
      const auto input = [&](int64_t width, uint64_t seed) {
        return test::random_tensor({140, width}, DType::f32, seed).to(DType::bf16).to(dtype);
      };
      const Var q = Var::leaf(input(128, 1)), k = Var::leaf(input(64, 2)),
                v = Var::leaf(input(64, 3));
      const Var y = attention(q, k, v, offsets, offsets, o);
      backward(y, input(128, 4));
      std::vector<std::vector<float>> out;
      for (const Tensor& t : {y.value(), q.grad(), k.grad(), v.grad()})
        out.push_back(t.to(DType::f32).to_vector<float>());
      return out;
    };
    const auto wide = run(DType::f32), narrow = run(DType::bf16);
    for (size_t which = 0; which < wide.size(); ++which) {
      double difference = 0, size = 0;
      for (size_t i = 0; i < wide[which].size(); ++i) {
        difference += std::pow(wide[which][i] - narrow[which][i], 2);
        size += std::pow(wide[which][i], 2);
      }
      CAPTURE(which);
      CHECK(std::sqrt(difference / size) <= 0.01);  // some units of bf16's last place, 2^-9
    }
  }
}

TEST_CASE("attention: memory grows with the length, not with its square") {
  const auto peak = [](int64_t n) {
    const Tensor x = Tensor::full({n, 16}, DType::f32, 0.1);
    const std::vector<int32_t> offsets{0, static_cast<int32_t>(n)};
    reset_memory_peak();
    const int64_t before = memory_stats().total_live;
    attention(x, x, x, offsets, offsets, {.heads = 1, .kv_heads = 1, .scale = 0.25f});
    return memory_stats().total_peak - before;
  };
  CHECK(peak(4096) <= 5 * peak(1024));
}

}  // namespace
}  // namespace lk
