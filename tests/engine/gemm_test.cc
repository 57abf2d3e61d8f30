// Matrix products against sums in double, for every transposition, dtype and way of adding up.
#include "engine/gemm.h"

#include <cmath>

#include "engine/kernels/matvec.h"
#include "engine/rng.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

struct Sizes {
  int64_t m, n, k;
};
struct Types {
  DType ab, c;
};
const Types kTypes[] = {{DType::f64, DType::f64},
                        {DType::f32, DType::f32},
                        {DType::bf16, DType::bf16},
                        {DType::bf16, DType::f32}};

// The largest error of C over what rounding allows: `sums` times the sum of magnitudes for adding
// up in f32, and half a unit of C's own last place (a whole one where C was read rounded).
double gemm_error(const Sizes& s, const Types& types, const GemmOptions& wish, bool with_bias,
                  uint64_t seed) {
  const Tensor a =
      test::random_tensor(wish.transpose_a ? Shape{s.k, s.m} : Shape{s.m, s.k}, types.ab, seed);
  const Tensor b =
      test::random_tensor(wish.transpose_b ? Shape{s.n, s.k} : Shape{s.k, s.n}, types.ab, seed + 1);
  const Tensor bias = test::random_tensor({s.n}, types.c, seed + 2);
  // What is not added to starts as NaN: every element must be written.
  const Tensor before = wish.accumulate ? test::random_tensor({s.m, s.n}, types.c, seed + 3)
                                        : Tensor::full({s.m, s.n}, types.c, NAN);
  const Tensor c = before.clone();
  GemmOptions o = wish;
  if (with_bias) o.bias = &bias;
  gemm(c, a, b, o);
  const std::vector<double> x = a.to(DType::f64).to_vector<double>(),
                            y = b.to(DType::f64).to_vector<double>();
  const double sums = types.ab == DType::f64 ? 1e-15 : 1e-6;
  const double last = types.c == DType::bf16 ? 0x1p-8 : types.c == DType::f32 ? 0x1p-23 : 0x1p-52;
  double worst = 0;
  for (int64_t i = 0; i < s.m; ++i)
    for (int64_t j = 0; j < s.n; ++j) {
      double sum = 0, magnitude = 0;
      for (int64_t l = 0; l < s.k; ++l) {
        const double product = x[static_cast<size_t>(o.transpose_a ? l * s.m + i : i * s.k + l)] *
                               y[static_cast<size_t>(o.transpose_b ? j * s.k + l : l * s.n + j)];
        sum += product;
        magnitude += std::abs(product);
      }
      const double alpha = static_cast<double>(o.alpha);
      const double added = with_bias ? bias.item(j) : o.accumulate ? before.item(i * s.n + j) : 0.0;
      const double expected = alpha * sum + added;
      const double allowed =
          sums * (std::abs(alpha) * magnitude + std::abs(added)) + last * std::abs(expected);
      const double error = std::abs(c.item(i * s.n + j) - expected) / allowed;
      if (!(error <= worst)) worst = std::isnan(error) ? INFINITY : error;
    }
  return worst;
}

void check_all_ways(const Sizes& s) {
  CAPTURE(s.m);
  CAPTURE(s.n);
  CAPTURE(s.k);
  uint64_t seed = static_cast<uint64_t>(s.m * 1000000 + s.n * 1000 + s.k);
  for (const Types& types : kTypes)
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) {
        CAPTURE(name_of(types.ab));
        CAPTURE(name_of(types.c));
        CAPTURE(ta);
        CAPTURE(tb);
        GemmOptions o;
        o.transpose_a = ta;
        o.transpose_b = tb;
        CHECK(gemm_error(s, types, o, false, ++seed) <= 1);
        CHECK(gemm_error(s, types, o, true, ++seed) <= 1);
        o.accumulate = true;
        CHECK(gemm_error(s, types, o, false, ++seed) <= 1);
        o.alpha = -0.375f;
        CHECK(gemm_error(s, types, o, false, ++seed) <= 1);
        o.accumulate = false;
        CHECK(gemm_error(s, types, o, false, ++seed) <= 1);
      }
}

TEST_CASE("gemm: odd sizes, every transposition, alpha, bias and accumulation") {
  for (const Sizes& s : {Sizes{1, 1, 1}, Sizes{7, 1, 1}, Sizes{31, 32, 33}, Sizes{33, 31, 1},
                         Sizes{32, 33, 31}, Sizes{37, 5, 67}, Sizes{5, 131, 13}})
    check_all_ways(s);
}

TEST_CASE("gemm: a few rows, as in generation") {
  for (int64_t m = 1; m <= kMatvecRows + 1; ++m)
    for (const auto& [n, k] : {std::pair<int64_t, int64_t>{1, 31}, {33, 1}, {67, 129}})
      check_all_ways({m, n, k});
}

TEST_CASE("gemm: wide matrices that are packed first") {
  CHECK(gemm_error({257, 263, 131}, {DType::f32, DType::f32}, {}, false, 1) <= 1);
  CHECK(gemm_error({257, 263, 131}, {DType::f32, DType::f32}, {}, true, 2) <= 1);
}

TEST_CASE("gemm: more dimensions are rows; empty sizes; the same bits each time") {
  const Tensor a = test::random_tensor({2, 3, 5}, DType::f32, 1),
               b = test::random_tensor({5, 4}, DType::f32, 2);
  const Tensor c = Tensor::empty({2, 3, 4}, DType::f32), d = Tensor::empty({6, 4}, DType::f32);
  gemm(c, a, b);
  gemm(d, a.view({6, 5}), b);
  CHECK(c.to_vector<float>() == d.to_vector<float>());
  // k = 0: a sum of nothing. It writes zeros, or leaves what is added to.
  const Tensor none = Tensor::empty({6, 0}, DType::f32), none_b = Tensor::empty({0, 4}, DType::f32);
  gemm(d, none, none_b, {.accumulate = true});
  CHECK(c.to_vector<float>() == d.to_vector<float>());
  gemm(d, none, none_b);
  CHECK(d.to_vector<float>() == std::vector<float>(24, 0.0f));
  gemm(Tensor::empty({0, 4}, DType::f32), Tensor::empty({0, 5}, DType::f32), b);
}

TEST_CASE("gemm: calls and flops are counted") {
  const GemmCounters before = gemm_counters();
  const Tensor c = Tensor::empty({3, 4}, DType::f32);
  gemm(c, Tensor::zeros({3, 5}, DType::f32), Tensor::zeros({5, 4}, DType::f32));
  CHECK(gemm_counters().calls == before.calls + 1);
  CHECK(gemm_counters().flops == before.flops + 120);
}

TEST_CASE("gemm: many shapes in turn each keep their plan") {
  // More shapes than plans are kept: the first must be made anew and still be right.
  for (int64_t m = 5; m < 5 + 4200; ++m) {
    const Tensor c = Tensor::empty({m % 60 + 5, 1 + m / 60}, DType::f32);
    gemm(c, Tensor::full({m % 60 + 5, 2}, DType::f32, 1.5),
         Tensor::full({2, 1 + m / 60}, DType::f32, 2.0));
    if (c.item(c.numel() - 1) != 6.0) CHECK(c.item(c.numel() - 1) == 6.0);
  }
  CHECK(gemm_error({5, 1, 2}, {DType::f32, DType::f32}, {}, false, 1) <= 1);
}

}  // namespace
}  // namespace lk
