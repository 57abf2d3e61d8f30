#include "engine/svd.h"

#include <lapacke.h>

#include <algorithm>

#include "engine/device.h"
#include "engine/dry_run.h"

namespace lk {
namespace {

lapack_int as_lapack(int64_t n) {
  require(n > 0 && n <= INT32_MAX, "a matrix with a dimension of {} cannot be factored", n);
  return static_cast<lapack_int>(n);
}

void check(int64_t info, const char* what, const Tensor& a) {
  require(info == 0, "{} of a {} {} matrix failed (LAPACK info {}); are its values finite?", what,
          name_of(a.dtype()), a.shape(), info);
}

void check_matrix(const Tensor& a) {
  require(a.shape().rank() == 2 && (a.dtype() == DType::f32 || a.dtype() == DType::f64),
          "expected a matrix in f32 or f64, found {} {}", name_of(a.dtype()), a.shape());
}

void svd_on_device(const Svd& out, const Tensor& work, const Tensor& a) {
  const KernelScope scope("svd", Device::cuda);
  const auto run = [&](auto type) {
    using T = decltype(type);
    return svd(Cuda{}, out.u.data<T>(), out.s.data<T>(), out.vt.data<T>(), work.data<T>(), a.dim(0),
               a.dim(1));
  };
  const int info = a.dtype() == DType::f32 ? run(float{}) : run(double{});
  check(info, "the singular value decomposition", a);
}

}  // namespace

Svd svd(const Tensor& a) {
  check_matrix(a);
  const lapack_int m = as_lapack(a.dim(0)), n = as_lapack(a.dim(1)), k = std::min(m, n);
  Svd out{Tensor::empty({m, k}, a.dtype(), a.device()), Tensor::empty({k}, a.dtype(), a.device()),
          Tensor::empty({k, n}, a.dtype(), a.device())};
  const Tensor work = a.clone();
  if (dry_run()) return out;
  if (a.device() == Device::cuda) {
    svd_on_device(out, work, a);
    return out;
  }
  if (a.dtype() == DType::f32)
    check(LAPACKE_sgesdd(LAPACK_ROW_MAJOR, 'S', m, n, work.data<float>(), n, out.s.data<float>(),
                         out.u.data<float>(), k, out.vt.data<float>(), n),
          "the singular value decomposition", a);
  else
    check(LAPACKE_dgesdd(LAPACK_ROW_MAJOR, 'S', m, n, work.data<double>(), n, out.s.data<double>(),
                         out.u.data<double>(), k, out.vt.data<double>(), n),
          "the singular value decomposition", a);
  return out;
}

Qr qr(const Tensor& a) {
  check_matrix(a);
  const lapack_int m = as_lapack(a.dim(0)), n = as_lapack(a.dim(1)), k = std::min(m, n);
  const Tensor work = a.clone(), tau = Tensor::empty({k}, a.dtype());
  Qr out{Tensor::empty({m, k}, a.dtype()), Tensor::zeros({k, n}, a.dtype())};
  if (dry_run()) return out;
  const auto factor = [&](auto type, auto geqrf, auto orgqr) {
    using T = decltype(type);
    check(geqrf(LAPACK_ROW_MAJOR, m, n, work.data<T>(), n, tau.data<T>()), "the QR factorization",
          a);
    for (lapack_int i = 0; i < k; ++i)
      std::copy_n(work.data<T>() + i * n + i, n - i, out.r.data<T>() + i * n + i);
    for (lapack_int i = 0; i < m; ++i)
      std::copy_n(work.data<T>() + i * n, k, out.q.data<T>() + i * k);
    check(orgqr(LAPACK_ROW_MAJOR, m, k, k, out.q.data<T>(), k, tau.data<T>()),
          "the QR factorization", a);
  };
  if (a.dtype() == DType::f32)
    factor(float{}, LAPACKE_sgeqrf, LAPACKE_sorgqr);
  else
    factor(double{}, LAPACKE_dgeqrf, LAPACKE_dorgqr);
  return out;
}

Tensor inverse(const Tensor& a) {
  check_matrix(a);
  require(a.dim(0) == a.dim(1), "the inverse of a {} matrix", a.shape());
  const lapack_int n = as_lapack(a.dim(0));
  Tensor out = a.clone();
  if (dry_run()) return out;
  std::vector<lapack_int> pivots(static_cast<size_t>(n));
  const auto invert = [&](auto type, auto getrf, auto getri) {
    using T = decltype(type);
    check(getrf(LAPACK_ROW_MAJOR, n, n, out.data<T>(), n, pivots.data()), "the inverse", a);
    check(getri(LAPACK_ROW_MAJOR, n, out.data<T>(), n, pivots.data()), "the inverse", a);
  };
  if (a.dtype() == DType::f32)
    invert(float{}, LAPACKE_sgetrf, LAPACKE_sgetri);
  else
    invert(double{}, LAPACKE_dgetrf, LAPACKE_dgetri);
  return out;
}

}  // namespace lk
