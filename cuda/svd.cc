// cuSOLVER's gesvd (NVIDIA, "cuSOLVER Library", section cusolverDnXgesvd): the QR iteration, which
// is as accurate as LAPACK's. gesvdp moves singular values that are near 0, and gesvdj iterates to
// a tolerance. The library reads columns first and takes no more columns than rows: a wide matrix
// is handed over as its transpose, which is how it lies in memory, and u and vt change places; a
// tall one is transposed before and after. One matrix at a time: those of layers fill a device by
// themselves, and the library's batches are for other ones (gesvdjBatched: up to 32 x 32;
// gesvdaStridedBatched: tall ones, whose small singular values it does not resolve).
#include "engine/svd.h"

#include <cmath>
#include <vector>

#include "cuda/cusolver_handle.h"
#include "cuda/workspace.h"
#include "engine/device.h"
#include "engine/kernels/square_sum.h"
#include "engine/kernels/transpose.h"

namespace lk {
namespace {

// a [m, n], m >= n, columns first and overwritten: u [m, n], s [n], vt [n, n], columns first too.
// 0, or LAPACK's info.
template <class T>
int columns_first(Cuda cuda, T* u, T* s, T* vt, T* a, int64_t m, int64_t n) {
  constexpr cudaDataType kType = sizeof(T) == 8 ? CUDA_R_64F : CUDA_R_32F;
  const Cusolver& lib = cusolver(cuda);
  size_t device_bytes = 0, host_bytes = 0;
  check_cusolver(
      cusolverDnXgesvd_bufferSize(lib.handle, lib.params, 'S', 'S', m, n, kType, a, m, kType, s,
                                  kType, u, m, kType, vt, n, kType, &device_bytes, &host_bytes),
      "the workspace of a singular value decomposition");
  const Workspace<char> on_device(cuda, static_cast<int64_t>(device_bytes) + 1);
  std::vector<char> on_host(host_bytes + 1);
  const Workspace<int> info(cuda, 1);
  check_cusolver(cusolverDnXgesvd(lib.handle, lib.params, 'S', 'S', m, n, kType, a, m, kType, s,
                                  kType, u, m, kType, vt, n, kType, on_device.data(), device_bytes,
                                  on_host.data(), host_bytes, info.data()),
                 "a singular value decomposition");
  int result = 0;
  copy(cuda, &result, info.data(), sizeof(result));
  synchronize(cuda);
  return result;
}

// The library looks at no values: what is not finite comes out as numbers of no meaning.
template <class T>
bool is_finite(Cuda cuda, const T* a, int64_t count) {
  const Workspace<double> squares(cuda, 1);
  square_sum(cuda, squares.data(), a, count);
  double sum = 0;
  copy(cuda, &sum, squares.data(), sizeof(sum));
  synchronize(cuda);
  return std::isfinite(sum);
}

}  // namespace

template <class T>
int svd(Cuda cuda, T* u, T* s, T* vt, T* a, int64_t m, int64_t n) {
  if (!is_finite(cuda, static_cast<const T*>(a), m * n)) return -1;
  if (n >= m) return columns_first(cuda, vt, s, u, a, n, m);
  const Workspace<T> columns(cuda, m * n), u_columns(cuda, m * n), vt_columns(cuda, n * n);
  transpose(cuda, columns.data(), static_cast<const T*>(a), 1, m, n);
  const int info =
      columns_first(cuda, u_columns.data(), s, vt_columns.data(), columns.data(), m, n);
  transpose(cuda, u, static_cast<const T*>(u_columns.data()), 1, n, m);
  transpose(cuda, vt, static_cast<const T*>(vt_columns.data()), 1, n, n);
  return info;
}

template int svd(Cuda, float*, float*, float*, float*, int64_t, int64_t);
template int svd(Cuda, double*, double*, double*, double*, int64_t, int64_t);

}  // namespace lk
