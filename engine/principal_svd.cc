// With a = u diag(s) vt: a^T a = v diag(s^2) vt, so the eigenvectors of the largest eigenvalues are
// the first rows of vt, and a v = u diag(s). The same from a a^T where that is smaller.
#include <cblas.h>

#include <cmath>
#include <vector>

#include "engine/device.h"
#include "engine/dry_run.h"
#include "engine/eigen.h"
#include "engine/gemm.h"
#include "engine/svd.h"

namespace lk {
namespace {

// a^T a, or a a^T. Of a matrix on the CPU in double: the square has twice the digits.
Tensor square(const Tensor& a, bool columns) {
  const int64_t m = a.dim(0), n = a.dim(1), size = columns ? n : m, length = columns ? m : n;
  if (a.device() == Device::cuda) {
    const Tensor out = Tensor::empty({size, size}, a.dtype(), a.device());
    gemm(out, a, a, {.transpose_a = columns, .transpose_b = !columns});
    return out;
  }
  const Tensor out = Tensor::zeros({size, size}, DType::f64);
  if (dry_run()) return out;
  // Some rows (or columns) at a time, so that there is no second copy of a.
  constexpr int64_t kPanel = 256;
  std::vector<double> panel;
  for (int64_t begin = 0; begin < length; begin += kPanel) {
    const int64_t end = std::min(begin + kPanel, length);
    panel.clear();
    visit_float(a.dtype(), [&](auto type) {
      using T = decltype(type);
      const T* const data = a.data<T>();
      if (columns)
        panel.assign(data + begin * n, data + end * n);
      else
        for (int64_t i = 0; i < m; ++i)
          panel.insert(panel.end(), data + i * n + begin, data + i * n + end);
    });
    const auto k = static_cast<int>(end - begin), s = static_cast<int>(size);
    cblas_dsyrk(CblasRowMajor, CblasLower, columns ? CblasTrans : CblasNoTrans, s, k, 1,
                panel.data(), columns ? s : k, 1, out.data<double>(), s);
  }
  return out;
}

// Rows times factors, as columns: [r, n] -> [n, r].
Tensor as_columns(const Tensor& rows, const std::vector<double>& factors) {
  const int64_t r = rows.dim(0), n = rows.dim(1);
  const Tensor out = Tensor::empty({n, r}, rows.dtype());
  visit_float(rows.dtype(), [&](auto type) {
    using T = decltype(type);
    for (int64_t i = 0; i < r; ++i)
      for (int64_t j = 0; j < n; ++j)
        out.data<T>()[j * r + i] =
            static_cast<T>(rows.data<T>()[i * n + j] * factors[static_cast<size_t>(i)]);
  });
  return out;
}

void scale_rows(const Tensor& rows, const std::vector<double>& factors) {
  const int64_t n = rows.dim(1);
  visit_float(rows.dtype(), [&](auto type) {
    using T = decltype(type);
    for (int64_t i = 0; i < rows.numel(); ++i)
      rows.data<T>()[i] = static_cast<T>(rows.data<T>()[i] * factors[static_cast<size_t>(i / n)]);
  });
}

// 1 or -1 for each row, so that its largest value becomes positive: no library decides the sign.
std::vector<double> signs(const Tensor& rows) {
  std::vector<double> out;
  const int64_t n = rows.dim(1);
  for (int64_t i = 0; i < rows.dim(0); ++i) {
    double largest = 0;
    for (int64_t j = 0; j < n; ++j)
      if (const double v = rows.item(i * n + j); std::abs(v) > std::abs(largest)) largest = v;
    out.push_back(largest < 0 ? -1 : 1);
  }
  return out;
}

}  // namespace

Svd principal_svd(const Tensor& a, int64_t rank) {
  require(a.shape().rank() == 2 && (a.dtype() == DType::f32 || a.dtype() == DType::f64),
          "expected a matrix in f32 or f64, found {} {}", name_of(a.dtype()), a.shape());
  const int64_t m = a.dim(0), n = a.dim(1);
  require(rank > 0 && rank <= std::min(m, n), "{} singular values of a {} matrix", rank, a.shape());
  if (a.device() == Device::cuda && a.dtype() == DType::f64)  // there are no products in double
    return principal_svd(a.to(Device::cpu), rank);
  const bool columns = n <= m;
  const Eigen e = eigh(square(a, columns), rank);
  // [rank, n] of vt or [rank, m] of u^T, and what a makes of it: the other, times s.
  const Tensor known = e.vectors.to(a.dtype());
  Tensor image = Tensor::empty({rank, columns ? m : n}, a.dtype(), a.device());
  gemm(image, known, a, {.transpose_b = columns});

  const Tensor first = known.to(Device::cpu).clone(), second = image.to(Device::cpu);
  const Tensor s = Tensor::empty({rank}, a.dtype());
  if (dry_run())
    return {Tensor::empty({m, rank}, a.dtype()), s, Tensor::empty({rank, n}, a.dtype())};
  std::vector<double> sign = signs(first), rest;
  for (int64_t i = 0; i < rank; ++i) {
    double sum = 0;
    for (int64_t j = 0; j < second.dim(1); ++j) {
      const double v = second.item(i * second.dim(1) + j);
      sum += v * v;
    }
    const double norm = std::sqrt(sum);
    visit_float(s.dtype(), [&](auto type) {
      using T = decltype(type);
      s.data<T>()[i] = static_cast<T>(norm);
    });
    rest.push_back(norm > 0 ? sign[static_cast<size_t>(i)] / norm : 0);
  }
  if (columns) {
    scale_rows(first, sign);
    return {as_columns(second, rest), s, first};
  }
  scale_rows(second, rest);
  return {as_columns(first, sign), s, second};
}

}  // namespace lk
