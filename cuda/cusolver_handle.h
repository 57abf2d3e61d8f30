// cuSOLVER as svd.cc and eigen.cc ask for it.
#pragma once

#include <cusolverDn.h>

#include "engine/cuda.h"
#include "engine/error.h"

namespace lk {

inline void check_cusolver(cusolverStatus_t status, const char* what) {
  require(status == CUSOLVER_STATUS_SUCCESS, "cuSOLVER: {}: status {}", what,
          static_cast<int>(status));
}

struct Cusolver {
  cusolverDnHandle_t handle = nullptr;
  cusolverDnParams_t params = nullptr;
};

// On the stream of `cuda`.
inline const Cusolver& cusolver(Cuda cuda) {
  static Cusolver& lib = *new Cusolver;  // never destroyed, as CUDA may have ended before
  if (!lib.handle) check_cusolver(cusolverDnCreate(&lib.handle), "it cannot start");
  if (!lib.params) check_cusolver(cusolverDnCreateParams(&lib.params), "it cannot start");
  check_cusolver(cusolverDnSetStream(lib.handle, cuda.stream), "a stream");
  return lib;
}

}  // namespace lk
