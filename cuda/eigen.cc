// cuSOLVER's syevdx (NVIDIA, "cuSOLVER Library", section cusolverDnXsyevdx): the largest
// eigenvalues and their vectors, by divide and conquer. The library reads columns first: the rows'
// lower triangle is its upper one, and the columns that it writes are our rows.
#include "engine/eigen.h"

#include <vector>

#include "cuda/cusolver_handle.h"
#include "cuda/workspace.h"
#include "engine/device.h"

namespace lk {

template <class T>
int eigh(Cuda cuda, T* values, T* a, int64_t n, int64_t count) {
  constexpr cudaDataType kType = sizeof(T) == 8 ? CUDA_R_64F : CUDA_R_32F;
  const Cusolver& lib = cusolver(cuda);
  size_t device_bytes = 0, host_bytes = 0;
  int64_t found = 0;
  T none = 0;  // bounds of values, which are chosen by number
  check_cusolver(cusolverDnXsyevdx_bufferSize(lib.handle, lib.params, CUSOLVER_EIG_MODE_VECTOR,
                                              CUSOLVER_EIG_RANGE_I, CUBLAS_FILL_MODE_UPPER, n,
                                              kType, a, n, &none, &none, n - count + 1, n, &found,
                                              kType, values, kType, &device_bytes, &host_bytes),
                 "the workspace of an eigenvalue decomposition");
  const Workspace<char> on_device(cuda, static_cast<int64_t>(device_bytes) + 1);
  std::vector<char> on_host(host_bytes + 1);
  const Workspace<int> info(cuda, 1);
  check_cusolver(
      cusolverDnXsyevdx(lib.handle, lib.params, CUSOLVER_EIG_MODE_VECTOR, CUSOLVER_EIG_RANGE_I,
                        CUBLAS_FILL_MODE_UPPER, n, kType, a, n, &none, &none, n - count + 1, n,
                        &found, kType, values, kType, on_device.data(), device_bytes,
                        on_host.data(), host_bytes, info.data()),
      "an eigenvalue decomposition");
  int result = 0;
  copy(cuda, &result, info.data(), sizeof(result));
  synchronize(cuda);
  require(result != 0 || found == count, "cuSOLVER: {} eigenvalues where {} were asked for", found,
          count);
  return result;
}

template int eigh(Cuda, float*, float*, int64_t, int64_t);
template int eigh(Cuda, double*, double*, int64_t, int64_t);

}  // namespace lk
