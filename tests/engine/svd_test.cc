#include "engine/svd.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "engine/gemm.h"
#include "tests/oracle.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

Tensor product(const Tensor& a, const Tensor& b, bool transpose_a = false) {
  Tensor c = Tensor::empty({transpose_a ? a.dim(1) : a.dim(0), b.dim(1)}, a.dtype());
  gemm(c, a, b, {.transpose_a = transpose_a});
  return c;
}

double distance_from_identity(const Tensor& q) {
  const Tensor c = product(q, q, true);
  double most = 0;
  for (int64_t i = 0; i < c.numel(); ++i) {
    const double d = std::abs(c.item(i) - (i % (c.dim(0) + 1) == 0 ? 1.0 : 0.0));
    if (!(d <= most)) most = d;
  }
  return most;
}

TEST_CASE("svd and qr give the matrix back with orthonormal factors") {
  for (const DType dtype : {DType::f32, DType::f64})
    for (const Shape& shape : {Shape{7, 4}, Shape{4, 7}, Shape{1, 5}, Shape{33, 33}}) {
      CAPTURE(shape.str());
      const double tolerance = dtype == DType::f32 ? 2e-5 : 1e-12;
      const Tensor a = test::random_tensor(shape, dtype, 3);
      const Svd f = svd(a);
      Tensor scaled = f.vt.clone();
      for (int64_t i = 0; i < f.s.numel(); ++i) {
        CHECK(f.s.item(i) >= (i + 1 < f.s.numel() ? f.s.item(i + 1) : 0.0));
        for (int64_t j = 0; j < shape[1]; ++j) {
          const double v = f.s.item(i) * f.vt.item(i * shape[1] + j);
          if (dtype == DType::f32)
            scaled.data<float>()[i * shape[1] + j] = static_cast<float>(v);
          else
            scaled.data<double>()[i * shape[1] + j] = v;
        }
      }
      CHECK(test::max_difference(product(f.u, scaled), a) <= tolerance);
      CHECK(distance_from_identity(f.u) <= tolerance);
      const Qr g = qr(a);
      CHECK(test::max_difference(product(g.q, g.r), a) <= tolerance);
      CHECK(distance_from_identity(g.q) <= tolerance);
      for (int64_t i = 1; i < g.r.dim(0); ++i)
        for (int64_t j = 0; j < std::min(i, shape[1]); ++j) CHECK(g.r.item(i * shape[1] + j) == 0);
    }
  CHECK_THROWS_AS(svd(Tensor::zeros({3}, DType::f32)), Error);
  CHECK_THROWS_AS(svd(Tensor::full({3, 3}, DType::f32, std::numeric_limits<double>::quiet_NaN())),
                  Error);
}

TEST_CASE("inverse") {
  const Tensor a = test::random_tensor({9, 9}, DType::f64, 4);
  const Tensor one = product(a, inverse(a));
  for (int64_t i = 0; i < 81; ++i) CHECK(std::abs(one.item(i) - (i % 10 == 0 ? 1 : 0)) <= 1e-10);
  CHECK_THROWS_AS(inverse(Tensor::zeros({3, 3}, DType::f32)), Error);
  CHECK_THROWS_AS(inverse(Tensor::zeros({2, 3}, DType::f32)), Error);
}

}  // namespace
}  // namespace lk
