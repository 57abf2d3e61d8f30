#include "engine/eigen.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "engine/svd.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

// x x^T - y y^T, whose eigenvalues are of both signs; the upper triangle is spoilt.
Tensor symmetric(int64_t n, DType dtype) {
  const Tensor x = test::random_tensor({n, n}, DType::f64, 6), out = Tensor::zeros({n, n}, dtype);
  visit_float(dtype, [&](auto type) {
    using T = decltype(type);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j)
        out.data<T>()[i * n + j] =
            j > i ? T(1000) : static_cast<T>(x.item(i * n + j) + (i == j ? double(i) : 0));
  });
  return out;
}

TEST_CASE("eigh: a v = lambda v for the largest eigenvalues, vectors orthonormal") {
  for (const DType dtype : {DType::f32, DType::f64})
    for (const auto& [n, count] : {std::pair<int64_t, int64_t>{1, 1}, {7, 7}, {33, 5}, {40, 1}}) {
      CAPTURE(n);
      CAPTURE(count);
      const double tolerance = (dtype == DType::f32 ? 1e-5 : 1e-13) * static_cast<double>(n);
      const Tensor a = symmetric(n, dtype), before = a.clone();
      const Eigen e = eigh(a, count);
      CHECK(e.values.shape() == Shape{count});
      CHECK(e.vectors.shape() == Shape{count, n});
      CHECK(e.values.dtype() == dtype);
      CHECK(test::same_bits(a, before));
      const auto at = [&](int64_t i, int64_t j) {
        return a.item(std::max(i, j) * n + std::min(i, j));
      };
      double worst = 0, crooked = 0, trace = 0, sum = 0;
      for (int64_t k = 0; k < count; ++k) {
        if (k > 0) CHECK(e.values.item(k) <= e.values.item(k - 1));
        sum += e.values.item(k);
        for (int64_t i = 0; i < n; ++i) {
          double product = 0;
          for (int64_t j = 0; j < n; ++j) product += at(i, j) * e.vectors.item(k * n + j);
          worst = std::max(worst, std::abs(product - e.values.item(k) * e.vectors.item(k * n + i)));
        }
        for (int64_t l = 0; l <= k; ++l) {
          double dot = l == k ? -1 : 0;
          for (int64_t j = 0; j < n; ++j)
            dot += e.vectors.item(k * n + j) * e.vectors.item(l * n + j);
          crooked = std::max(crooked, std::abs(dot));
        }
      }
      CHECK(worst <= tolerance);
      CHECK(crooked <= tolerance);
      for (int64_t i = 0; i < n; ++i) trace += at(i, i);
      // All of them: none was left out for a smaller one.
      if (count == n) CHECK(std::abs(trace - sum) <= tolerance * static_cast<double>(n));
    }
  // The largest is the first of all.
  const Tensor a = symmetric(33, DType::f64);
  const Eigen all = eigh(a, 33), some = eigh(a, 4);
  for (int64_t k = 0; k < 4; ++k)
    CHECK(std::abs(all.values.item(k) - some.values.item(k)) <= 1e-11);
}

TEST_CASE("eigh and principal_svd: what cannot be is an error") {
  const Tensor a = symmetric(4, DType::f32);
  const auto says = [](const std::string& text, const char* words) {
    CAPTURE(text);
    CHECK(test::contains(text, words));
  };
  says(test::error_of([&] { eigh(a, 5); }), "5 eigenvalues of a [4, 4] matrix");
  says(test::error_of([&] { eigh(Tensor::zeros({4, 3}, DType::f32), 2); }), "a square matrix");
  says(test::error_of([&] { eigh(a.to(DType::bf16), 2); }), "in f32 or f64, found bf16");
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    says(test::error_of([&] { eigh(Tensor::full({3, 3}, DType::f32, bad), 1); }), "finite?");
    says(test::error_of([&] {
           principal_svd(Tensor::full({3, 4}, DType::f32, bad), 1);
         }),
         "finite?");
  }
  says(test::error_of([&] {
         principal_svd(Tensor::zeros({4, 3}, DType::f32), 4);
       }),
       "4 singular values of a [4, 3] matrix");
}

TEST_CASE("principal_svd: the first singular values and vectors of svd") {
  for (const DType dtype : {DType::f32, DType::f64})
    for (const auto& [m, n, rank] : {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1},
                                     {40, 25, 4},
                                     {25, 40, 4},
                                     {300, 20, 20},
                                     {20, 300, 20}}) {
      CAPTURE(m);
      CAPTURE(rank);
      const Tensor a = test::random_tensor({m, n}, dtype, 3);
      const Svd found = principal_svd(a, rank), all = svd(a.to(DType::f64));
      const double largest = all.s.item(0), tolerance = dtype == DType::f32 ? 2e-6 : 1e-13;
      CHECK(found.u.shape() == Shape{m, rank});
      CHECK(found.vt.shape() == Shape{rank, n});
      for (int64_t k = 0; k < rank; ++k)
        CHECK(std::abs(found.s.item(k) - all.s.item(k)) <= tolerance * largest);
      // What they make of a is the same, whatever the vectors' signs.
      double worst = 0;
      const int64_t k_all = std::min(m, n);
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
          double difference = 0;
          for (int64_t k = 0; k < rank; ++k)
            difference += found.u.item(i * rank + k) * found.s.item(k) * found.vt.item(k * n + j) -
                          all.u.item(i * k_all + k) * all.s.item(k) * all.vt.item(k * n + j);
          worst = std::max(worst, std::abs(difference));
        }
      CHECK(worst <= 20 * tolerance * largest);
      CHECK(test::same_bits(principal_svd(a, rank).u, found.u));
    }
  // Of rank 1: the second value is 0, and nothing is divided by it.
  const Svd one = principal_svd(Tensor::full({5, 4}, DType::f32, 2.0), 2);
  CHECK(std::abs(one.s.item(0) - 2 * std::sqrt(20.0)) <= 1e-5);
  CHECK(std::abs(one.s.item(1)) <= 1e-5);
  for (const Tensor& t : {one.u, one.vt})
    for (int64_t i = 0; i < t.numel(); ++i) CHECK(std::isfinite(t.item(i)));
}

}  // namespace
}  // namespace lk
