#include "engine/eigen.h"

#include <lapacke.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/device.h"
#include "engine/dry_run.h"

namespace lk {
namespace {

void check(int64_t info, const Tensor& a) {
  require(info == 0,
          "the eigenvalue decomposition of a {} {} matrix failed (LAPACK info {}); are its values "
          "finite?",
          name_of(a.dtype()), a.shape(), info);
}

// LAPACK looks for NaN alone, the device for nothing.
bool is_finite(const Tensor& a) {
  const Tensor host = a.to(Device::cpu);
  double sum = 0;
  for (int64_t i = 0; i < host.numel(); ++i) sum += std::abs(host.item(i));
  return std::isfinite(sum);
}

void on_device(const Eigen& out, const Tensor& a, int64_t n, int64_t count) {
  const Tensor work = a.clone(), rising = Tensor::empty({n}, a.dtype(), Device::cuda);
  {
    const KernelScope scope("eigh", Device::cuda);
    const auto run = [&](auto type) {
      using T = decltype(type);
      return eigh(Cuda{}, rising.data<T>(), work.data<T>(), n, count);
    };
    check(a.dtype() == DType::f32 ? run(float{}) : run(double{}), a);
  }
  for (int64_t i = 0; i < count; ++i) {
    const int64_t from = count - 1 - i;
    out.values.rows(i, i + 1).copy_from(rising.rows(from, from + 1));
    out.vectors.rows(i, i + 1).copy_from(work.rows(from, from + 1));
  }
}

template <class T, class F>
void on_host(const Eigen& out, const Tensor& a, lapack_int n, lapack_int count, F syevr) {
  const Tensor work = a.clone();
  std::vector<T> values(static_cast<size_t>(n)), vectors(static_cast<size_t>(n * int64_t{count}));
  std::vector<lapack_int> support(2 * static_cast<size_t>(n));
  lapack_int found = 0;
  // Our rows are its columns: the lower triangle is its upper one.
  check(syevr(LAPACK_COL_MAJOR, 'V', 'I', 'U', n, work.data<T>(), n, 0, 0, n - count + 1, n, 0,
              &found, values.data(), vectors.data(), n, support.data()),
        a);
  invariant(found == count, "{} eigenvalues of {}", found, count);
  for (lapack_int i = 0; i < count; ++i) {
    const auto from = static_cast<size_t>(count - 1 - i);
    out.values.data<T>()[i] = values[from];
    std::copy_n(vectors.data() + from * static_cast<size_t>(n), n,
                out.vectors.data<T>() + i * int64_t{n});
  }
}

}  // namespace

Eigen eigh(const Tensor& a, int64_t count) {
  require(a.shape().rank() == 2 && a.dim(0) == a.dim(1) && a.dim(0) <= INT32_MAX &&
              (a.dtype() == DType::f32 || a.dtype() == DType::f64),
          "eigenvalues are of a square matrix in f32 or f64, found {} {}", name_of(a.dtype()),
          a.shape());
  const int64_t n = a.dim(0);
  require(count > 0 && count <= n, "{} eigenvalues of a {} matrix", count, a.shape());
  Eigen out{Tensor::empty({count}, a.dtype(), a.device()),
            Tensor::empty({count, n}, a.dtype(), a.device())};
  if (dry_run()) return out;
  if (!is_finite(a)) check(-1, a);
  const auto size = static_cast<lapack_int>(n), wanted = static_cast<lapack_int>(count);
  if (a.device() == Device::cuda)
    on_device(out, a, n, count);
  else if (a.dtype() == DType::f32)
    on_host<float>(out, a, size, wanted, LAPACKE_ssyevr);
  else
    on_host<double>(out, a, size, wanted, LAPACKE_dsyevr);
  return out;
}

}  // namespace lk
