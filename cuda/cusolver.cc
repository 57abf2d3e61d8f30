// The functions of cuSOLVER that svd.cc and eigen.cc call. (The emulator has its own.)
#include <cusolverDn.h>

#include "cuda/library.h"

namespace {

template <class F>
F* function(const char* name) {
  return lk::library_function<F>(fmt::format("libcusolver.so.{}", CUSOLVER_VER_MAJOR), name);
}

}  // namespace

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t* handle) {
  static auto* const f = function<decltype(cusolverDnCreate)>("cusolverDnCreate");
  return f(handle);
}

cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t* params) {
  static auto* const f = function<decltype(cusolverDnCreateParams)>("cusolverDnCreateParams");
  return f(params);
}

cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t stream) {
  static auto* const f = function<decltype(cusolverDnSetStream)>("cusolverDnSetStream");
  return f(handle, stream);
}

cusolverStatus_t cusolverDnXgesvd_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                             signed char jobu, signed char jobvt, int64_t m,
                                             int64_t n, cudaDataType a_type, const void* a,
                                             int64_t lda, cudaDataType s_type, const void* s,
                                             cudaDataType u_type, const void* u, int64_t ldu,
                                             cudaDataType vt_type, const void* vt, int64_t ldvt,
                                             cudaDataType compute_type, size_t* device_bytes,
                                             size_t* host_bytes) {
  static auto* const f =
      function<decltype(cusolverDnXgesvd_bufferSize)>("cusolverDnXgesvd_bufferSize");
  return f(handle, params, jobu, jobvt, m, n, a_type, a, lda, s_type, s, u_type, u, ldu, vt_type,
           vt, ldvt, compute_type, device_bytes, host_bytes);
}

cusolverStatus_t cusolverDnXgesvd(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                  signed char jobu, signed char jobvt, int64_t m, int64_t n,
                                  cudaDataType a_type, void* a, int64_t lda, cudaDataType s_type,
                                  void* s, cudaDataType u_type, void* u, int64_t ldu,
                                  cudaDataType vt_type, void* vt, int64_t ldvt,
                                  cudaDataType compute_type, void* device_buffer,
                                  size_t device_bytes, void* host_buffer, size_t host_bytes,
                                  int* info) {
  static auto* const f = function<decltype(cusolverDnXgesvd)>("cusolverDnXgesvd");
  return f(handle, params, jobu, jobvt, m, n, a_type, a, lda, s_type, s, u_type, u, ldu, vt_type,
           vt, ldvt, compute_type, device_buffer, device_bytes, host_buffer, host_bytes, info);
}

cusolverStatus_t cusolverDnXsyevdx_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                              cusolverEigMode_t mode, cusolverEigRange_t range,
                                              cublasFillMode_t triangle, int64_t n,
                                              cudaDataType a_type, const void* a, int64_t lda,
                                              void* vl, void* vu, int64_t il, int64_t iu,
                                              int64_t* found, cudaDataType w_type, const void* w,
                                              cudaDataType compute_type, size_t* device_bytes,
                                              size_t* host_bytes) {
  static auto* const f =
      function<decltype(cusolverDnXsyevdx_bufferSize)>("cusolverDnXsyevdx_bufferSize");
  return f(handle, params, mode, range, triangle, n, a_type, a, lda, vl, vu, il, iu, found, w_type,
           w, compute_type, device_bytes, host_bytes);
}

cusolverStatus_t cusolverDnXsyevdx(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                   cusolverEigMode_t mode, cusolverEigRange_t range,
                                   cublasFillMode_t triangle, int64_t n, cudaDataType a_type,
                                   void* a, int64_t lda, void* vl, void* vu, int64_t il, int64_t iu,
                                   int64_t* found, cudaDataType w_type, void* w,
                                   cudaDataType compute_type, void* device_buffer,
                                   size_t device_bytes, void* host_buffer, size_t host_bytes,
                                   int* info) {
  static auto* const f = function<decltype(cusolverDnXsyevdx)>("cusolverDnXsyevdx");
  return f(handle, params, mode, range, triangle, n, a_type, a, lda, vl, vu, il, iu, found, w_type,
           w, compute_type, device_buffer, device_bytes, host_buffer, host_bytes, info);
}
