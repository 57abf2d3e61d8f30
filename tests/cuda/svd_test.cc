// Singular values on the device by cuSOLVER: that tall and wide matrices, whose rows are columns
// there, are handed over and brought back rightly.
#include "engine/svd.h"

#include <cmath>
#include <limits>

#include "tests/cuda/device.h"
#include "tests/cuda/watch.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

// [rows, cols] in double.
struct Matrix {
  explicit Matrix(const Tensor& t)
      : rows(t.dim(0)), cols(t.shape().rank() == 2 ? t.dim(1) : 1), at(t.to_vector<double>()) {}
  double operator()(int64_t i, int64_t j) const { return at[static_cast<size_t>(i * cols + j)]; }
  int64_t rows, cols;
  std::vector<double> at;
};

// The largest distance of q's columns (or rows) from orthonormal ones.
double from_orthonormal(const Matrix& q, bool rows) {
  const int64_t count = rows ? q.rows : q.cols, length = rows ? q.cols : q.rows;
  double most = 0;
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = 0; j <= i; ++j) {
      double sum = i == j ? -1 : 0;
      for (int64_t k = 0; k < length; ++k) sum += rows ? q(i, k) * q(j, k) : q(k, i) * q(k, j);
      if (!(std::abs(sum) <= most)) most = std::abs(sum);
    }
  return most;
}

// The largest difference between a and u diag(s) vt.
double from_product(const Matrix& u, const Matrix& s, const Matrix& vt, const Matrix& a) {
  double most = 0;
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < a.cols; ++j) {
      double sum = -a(i, j);
      for (int64_t k = 0; k < s.rows; ++k) sum += u(i, k) * s(k, 0) * vt(k, j);
      if (!(std::abs(sum) <= most)) most = std::abs(sum);
    }
  return most;
}

// a = x y of rank `rank`; of full rank where that is 0.
Tensor matrix(int64_t m, int64_t n, int64_t rank, DType dtype) {
  if (rank == 0) return random_tensor({m, n}, dtype, 3);
  const Tensor a = Tensor::zeros({m, n}, dtype), x = random_tensor({m, rank}, DType::f64, 4),
               y = random_tensor({rank, n}, DType::f64, 5);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < rank; ++k) sum += x.item(i * rank + k) * y.item(k * n + j);
      if (dtype == DType::f64)
        a.data<double>()[i * n + j] = sum;
      else
        a.data<float>()[i * n + j] = static_cast<float>(sum);
    }
  return a;
}

void compare(int64_t m, int64_t n, int64_t rank, DType dtype) {
  CAPTURE(m);
  CAPTURE(n);
  CAPTURE(rank);
  CAPTURE(name_of(dtype));
  const Watch watch;
  const Tensor a = matrix(m, n, rank, dtype), there = a.to(Device::cuda);
  const Svd got = svd(there), want = svd(a.to(DType::f64));
  CHECK(got.u.device() == Device::cuda);
  CHECK(got.u.shape() == Shape{m, std::min(m, n)});
  CHECK(got.vt.shape() == Shape{std::min(m, n), n});
  CHECK(got.s.dtype() == dtype);
  const Matrix u(got.u), s(got.s), vt(got.vt);
  const double eps = dtype == DType::f64 ? 1e-13 : 1e-5, largest = want.s.item(0);
  for (int64_t i = 0; i < s.rows; ++i) CHECK(std::abs(s(i, 0) - want.s.item(i)) <= eps * largest);
  CHECK(from_product(u, s, vt, Matrix(a)) <= eps * largest);
  CHECK(from_orthonormal(u, false) <= 10 * eps);
  CHECK(from_orthonormal(vt, true) <= 10 * eps);
  CHECK(there.to_vector<double>() == a.to_vector<double>());  // it is left as it was
  CHECK(watch.faults() == "");
}

TEST_CASE("cuda svd: tall, wide, square, of odd sizes and of low rank") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    compare(1, 1, 0, dtype);
    compare(1, 5, 0, dtype);
    compare(7, 1, 0, dtype);
    compare(33, 33, 0, dtype);
    compare(67, 31, 0, dtype);
    compare(31, 67, 0, dtype);
    compare(40, 25, 4, dtype);
    compare(25, 40, 4, dtype);
    compare(24, 24, 1, dtype);
  }
}

TEST_CASE("cuda svd: the same bits every time") {
  const Tensor a = random_tensor({37, 20}, DType::f32, 3).to(Device::cuda);
  const Svd one = svd(a), other = svd(a);
  CHECK(one.u.to_vector<float>() == other.u.to_vector<float>());
  CHECK(one.vt.to_vector<float>() == other.vt.to_vector<float>());
}

TEST_CASE("cuda svd: what is not finite, or no matrix of floats, is an error") {
  for (const DType dtype : {DType::f32, DType::f64})
    for (const double bad :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
      for (const Shape& shape : {Shape{5, 3}, Shape{3, 5}}) {
        const Tensor a = random_tensor(shape, dtype, 3);
        if (dtype == DType::f64)
          a.data<double>()[14] = bad;
        else
          a.data<float>()[14] = static_cast<float>(bad);
        CHECK(error_of([&] { svd(a.to(Device::cuda)); }).find("are its values finite?") !=
              std::string::npos);
      }
  CHECK_THROWS_AS(svd(random_tensor({3, 3}, DType::bf16, 3).to(Device::cuda)), Error);
  CHECK_THROWS_AS(svd(random_tensor({3}, DType::f32, 3).to(Device::cuda)), Error);
}

}  // namespace
}  // namespace lk::test
