// The part of cusolverDn.h that the emulator has: the singular values, and the eigenvalues of
// symmetric ones, of matrices stored columns first, in f32 or f64.
#pragma once

#include "cuda_runtime.h"
#include "library_types.h"

enum cusolverStatus_t {
  CUSOLVER_STATUS_SUCCESS = 0,
  CUSOLVER_STATUS_INVALID_VALUE = 3,
  CUSOLVER_STATUS_NOT_SUPPORTED = 9,
};

enum cusolverEigMode_t { CUSOLVER_EIG_MODE_NOVECTOR = 0, CUSOLVER_EIG_MODE_VECTOR = 1 };
enum cusolverEigRange_t {
  CUSOLVER_EIG_RANGE_ALL = 1001,
  CUSOLVER_EIG_RANGE_I = 1002,
  CUSOLVER_EIG_RANGE_V = 1003,
};
enum cublasFillMode_t { CUBLAS_FILL_MODE_LOWER = 0, CUBLAS_FILL_MODE_UPPER = 1 };

using cusolverDnHandle_t = struct cusolverDnContext*;
using cusolverDnParams_t = struct cusolverDnParams*;

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t* handle);
cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t* params);
cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t stream);
cusolverStatus_t cusolverDnXgesvd_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                             signed char jobu, signed char jobvt, int64_t m,
                                             int64_t n, cudaDataType a_type, const void* a,
                                             int64_t lda, cudaDataType s_type, const void* s,
                                             cudaDataType u_type, const void* u, int64_t ldu,
                                             cudaDataType vt_type, const void* vt, int64_t ldvt,
                                             cudaDataType compute_type, size_t* device_bytes,
                                             size_t* host_bytes);
cusolverStatus_t cusolverDnXgesvd(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                  signed char jobu, signed char jobvt, int64_t m, int64_t n,
                                  cudaDataType a_type, void* a, int64_t lda, cudaDataType s_type,
                                  void* s, cudaDataType u_type, void* u, int64_t ldu,
                                  cudaDataType vt_type, void* vt, int64_t ldvt,
                                  cudaDataType compute_type, void* device_buffer,
                                  size_t device_bytes, void* host_buffer, size_t host_bytes,
                                  int* info);

cusolverStatus_t cusolverDnXsyevdx_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                              cusolverEigMode_t mode, cusolverEigRange_t range,
                                              cublasFillMode_t triangle, int64_t n,
                                              cudaDataType a_type, const void* a, int64_t lda,
                                              void* vl, void* vu, int64_t il, int64_t iu,
                                              int64_t* found, cudaDataType w_type, const void* w,
                                              cudaDataType compute_type, size_t* device_bytes,
                                              size_t* host_bytes);
cusolverStatus_t cusolverDnXsyevdx(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                   cusolverEigMode_t mode, cusolverEigRange_t range,
                                   cublasFillMode_t triangle, int64_t n, cudaDataType a_type,
                                   void* a, int64_t lda, void* vl, void* vu, int64_t il, int64_t iu,
                                   int64_t* found, cudaDataType w_type, void* w,
                                   cudaDataType compute_type, void* device_buffer,
                                   size_t device_bytes, void* host_buffer, size_t host_bytes,
                                   int* info);
