// cuSOLVER's gesvd on LAPACK's, refusing what the library refuses: fewer rows than columns, leading
// dimensions below the rows, jobs other than 'S' (it has more, nobody asks for them), a workspace
// smaller than it said, addresses outside of device memory. Values that are not finite are not
// looked for: NaNs come out, and info is 0.
#include <lapacke.h>

#include <cmath>
#include <limits>
#include <vector>

#include "cuda/emulator/include/cusolverDn.h"
#include "cuda/emulator/memory.h"

struct cusolverDnContext {};
struct cusolverDnParams {};

namespace {

struct Problem {
  int64_t m, n, lda, ldu, ldvt;
  size_t size;  // of an element
  size_t device_bytes() const { return static_cast<size_t>(m * n + 4 * n) * size; }
  size_t host_bytes() const { return static_cast<size_t>(n) * size; }
};

// The checks that both calls make.
cusolverStatus_t check(const Problem& p, cusolverDnHandle_t handle, cusolverDnParams_t params,
                       signed char jobu, signed char jobvt, std::initializer_list<cudaDataType> all,
                       const void* a, const void* s, const void* u, const void* vt) {
  if (!handle || !params || p.n < 1 || p.m < p.n || p.lda < p.m || p.ldu < p.m || p.ldvt < p.n)
    return CUSOLVER_STATUS_INVALID_VALUE;
  for (const cudaDataType type : all)
    if (type != *all.begin()) return CUSOLVER_STATUS_INVALID_VALUE;
  if (jobu != 'S' || jobvt != 'S' || *all.begin() == CUDA_R_16BF)
    return CUSOLVER_STATUS_NOT_SUPPORTED;
  const auto there = [&](const void* data, int64_t leading, int64_t rows, int64_t cols) {
    return emu::is_device_memory(data, static_cast<size_t>((cols - 1) * leading + rows) * p.size);
  };
  const bool known = there(a, p.lda, p.m, p.n) && there(s, p.n, p.n, 1) &&
                     there(u, p.ldu, p.m, p.n) && there(vt, p.ldvt, p.n, p.n);
  return known ? CUSOLVER_STATUS_SUCCESS : CUSOLVER_STATUS_INVALID_VALUE;
}

template <class T, class F>
int decompose(const Problem& p, F gesvd, T* a, T* s, T* u, T* vt) {
  bool finite = true;
  for (int64_t j = 0; j < p.n; ++j)
    for (int64_t i = 0; i < p.m; ++i) finite = finite && std::isfinite(a[j * p.lda + i]);
  int info = 0;
  if (finite) {
    std::vector<T> off_diagonal(static_cast<size_t>(p.n));
    const auto whole = [](int64_t i) { return static_cast<lapack_int>(i); };
    info = gesvd(LAPACK_COL_MAJOR, 'S', 'S', whole(p.m), whole(p.n), a, whole(p.lda), s, u,
                 whole(p.ldu), vt, whole(p.ldvt), off_diagonal.data());
  } else {
    for (int64_t j = 0; j < p.n; ++j) {
      s[j] = std::numeric_limits<T>::quiet_NaN();
      for (int64_t i = 0; i < p.m; ++i) u[j * p.ldu + i] = s[j];
      for (int64_t i = 0; i < p.n; ++i) vt[j * p.ldvt + i] = s[j];
    }
  }
  emu::mark_written(s, static_cast<size_t>(p.n) * p.size);
  for (int64_t j = 0; j < p.n; ++j) {
    emu::mark_written(u + j * p.ldu, static_cast<size_t>(p.m) * p.size);
    emu::mark_written(vt + j * p.ldvt, static_cast<size_t>(p.n) * p.size);
  }
  return info;
}

size_t size_of(cudaDataType type) { return type == CUDA_R_64F ? 8 : 4; }

}  // namespace

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t* handle) {
  *handle = new cusolverDnContext;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t* params) {
  *params = new cusolverDnParams;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t) {
  return handle ? CUSOLVER_STATUS_SUCCESS : CUSOLVER_STATUS_INVALID_VALUE;
}

cusolverStatus_t cusolverDnXgesvd_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                             signed char jobu, signed char jobvt, int64_t m,
                                             int64_t n, cudaDataType a_type, const void* a,
                                             int64_t lda, cudaDataType s_type, const void* s,
                                             cudaDataType u_type, const void* u, int64_t ldu,
                                             cudaDataType vt_type, const void* vt, int64_t ldvt,
                                             cudaDataType compute_type, size_t* device_bytes,
                                             size_t* host_bytes) {
  const Problem p{m, n, lda, ldu, ldvt, size_of(a_type)};
  *device_bytes = p.device_bytes();
  *host_bytes = p.host_bytes();
  return check(p, handle, params, jobu, jobvt, {a_type, s_type, u_type, vt_type, compute_type}, a,
               s, u, vt);
}

cusolverStatus_t cusolverDnXgesvd(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                  signed char jobu, signed char jobvt, int64_t m, int64_t n,
                                  cudaDataType a_type, void* a, int64_t lda, cudaDataType s_type,
                                  void* s, cudaDataType u_type, void* u, int64_t ldu,
                                  cudaDataType vt_type, void* vt, int64_t ldvt,
                                  cudaDataType compute_type, void* device_buffer,
                                  size_t device_bytes, void* host_buffer, size_t host_bytes,
                                  int* info) {
  const Problem p{m, n, lda, ldu, ldvt, size_of(a_type)};
  const cusolverStatus_t status = check(
      p, handle, params, jobu, jobvt, {a_type, s_type, u_type, vt_type, compute_type}, a, s, u, vt);
  if (status != CUSOLVER_STATUS_SUCCESS) return status;
  if (device_bytes < p.device_bytes() || !emu::is_device_memory(device_buffer, device_bytes) ||
      host_bytes < p.host_bytes() || !host_buffer || !emu::is_device_memory(info, sizeof(*info)))
    return CUSOLVER_STATUS_INVALID_VALUE;
  if (a_type == CUDA_R_64F)
    *info = decompose(p, LAPACKE_dgesvd, static_cast<double*>(a), static_cast<double*>(s),
                      static_cast<double*>(u), static_cast<double*>(vt));
  else
    *info = decompose(p, LAPACKE_sgesvd, static_cast<float*>(a), static_cast<float*>(s),
                      static_cast<float*>(u), static_cast<float*>(vt));
  emu::mark_written(info, sizeof(*info));
  return CUSOLVER_STATUS_SUCCESS;
}
