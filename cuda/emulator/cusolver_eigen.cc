// cuSOLVER's syevdx on LAPACK's syevr, refusing what the library refuses: a leading dimension below
// n, numbers of eigenvalues that are not there, a workspace smaller than it said, addresses outside
// of device memory; and modes that nobody asks for.
#include <lapacke.h>

#include <algorithm>
#include <vector>

#include "cuda/emulator/include/cusolverDn.h"
#include "cuda/emulator/memory.h"

namespace {

struct Problem {
  int64_t n, lda, il, iu;
  cudaDataType type;
  size_t size() const { return type == CUDA_R_64F ? 8 : 4; }
  size_t device_bytes() const { return static_cast<size_t>(n * (n + 6)) * size(); }
  size_t host_bytes() const { return static_cast<size_t>(n) * size(); }
};

// The checks that both calls make.
cusolverStatus_t check(const Problem& p, cusolverDnHandle_t handle, cusolverDnParams_t params,
                       cusolverEigMode_t mode, cusolverEigRange_t range, cudaDataType w_type,
                       cudaDataType compute_type, const void* a, const void* w) {
  if (!handle || !params || p.n < 1 || p.lda < p.n || p.il < 1 || p.iu < p.il || p.iu > p.n ||
      w_type != p.type || compute_type != p.type)
    return CUSOLVER_STATUS_INVALID_VALUE;
  if (mode != CUSOLVER_EIG_MODE_VECTOR || range != CUSOLVER_EIG_RANGE_I ||
      (p.type != CUDA_R_32F && p.type != CUDA_R_64F))
    return CUSOLVER_STATUS_NOT_SUPPORTED;
  const bool known =
      emu::is_device_memory(a, static_cast<size_t>((p.n - 1) * p.lda + p.n) * p.size()) &&
      emu::is_device_memory(w, static_cast<size_t>(p.n) * p.size());
  return known ? CUSOLVER_STATUS_SUCCESS : CUSOLVER_STATUS_INVALID_VALUE;
}

template <class T, class F>
int solve(const Problem& p, F syevr, char triangle, T* a, T* w, int64_t* found) {
  const auto n = static_cast<lapack_int>(p.n), count = static_cast<lapack_int>(p.iu - p.il + 1);
  std::vector<T> vectors(static_cast<size_t>(p.n) * static_cast<size_t>(count));
  std::vector<lapack_int> support(2 * static_cast<size_t>(p.n));
  lapack_int m = 0;
  const int info = syevr(LAPACK_COL_MAJOR, 'V', 'I', triangle, n, a, static_cast<lapack_int>(p.lda),
                         0, 0, static_cast<lapack_int>(p.il), static_cast<lapack_int>(p.iu), 0, &m,
                         w, vectors.data(), n, support.data());
  *found = m;
  for (int64_t i = 0; i < m; ++i) {
    std::copy_n(vectors.data() + i * p.n, p.n, a + i * p.lda);
    emu::mark_written(a + i * p.lda, static_cast<size_t>(p.n) * sizeof(T));
  }
  emu::mark_written(w, static_cast<size_t>(p.n) * sizeof(T));
  return info;
}

}  // namespace

cusolverStatus_t cusolverDnXsyevdx_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                              cusolverEigMode_t mode, cusolverEigRange_t range,
                                              cublasFillMode_t, int64_t n, cudaDataType a_type,
                                              const void* a, int64_t lda, void*, void*, int64_t il,
                                              int64_t iu, int64_t*, cudaDataType w_type,
                                              const void* w, cudaDataType compute_type,
                                              size_t* device_bytes, size_t* host_bytes) {
  const Problem p{n, lda, il, iu, a_type};
  *device_bytes = p.device_bytes();
  *host_bytes = p.host_bytes();
  return check(p, handle, params, mode, range, w_type, compute_type, a, w);
}

cusolverStatus_t cusolverDnXsyevdx(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                   cusolverEigMode_t mode, cusolverEigRange_t range,
                                   cublasFillMode_t triangle, int64_t n, cudaDataType a_type,
                                   void* a, int64_t lda, void*, void*, int64_t il, int64_t iu,
                                   int64_t* found, cudaDataType w_type, void* w,
                                   cudaDataType compute_type, void* device_buffer,
                                   size_t device_bytes, void* host_buffer, size_t host_bytes,
                                   int* info) {
  const Problem p{n, lda, il, iu, a_type};
  const cusolverStatus_t status = check(p, handle, params, mode, range, w_type, compute_type, a, w);
  if (status != CUSOLVER_STATUS_SUCCESS) return status;
  if (device_bytes < p.device_bytes() || !emu::is_device_memory(device_buffer, device_bytes) ||
      host_bytes < p.host_bytes() || !host_buffer || !emu::is_device_memory(info, sizeof(*info)))
    return CUSOLVER_STATUS_INVALID_VALUE;
  const char side = triangle == CUBLAS_FILL_MODE_LOWER ? 'L' : 'U';
  if (a_type == CUDA_R_64F)
    *info = solve(p, LAPACKE_dsyevr, side, static_cast<double*>(a), static_cast<double*>(w), found);
  else
    *info = solve(p, LAPACKE_ssyevr, side, static_cast<float*>(a), static_cast<float*>(w), found);
  emu::mark_written(info, sizeof(*info));
  return CUSOLVER_STATUS_SUCCESS;
}
