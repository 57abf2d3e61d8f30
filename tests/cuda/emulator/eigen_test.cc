// What NVIDIA's cuSOLVER refuses, the emulated one refuses too: the tests of eigh can fail.
#include <cusolverDn.h>

#include <vector>

#include "tests/cuda/device.h"

namespace lk::test {
namespace {

TEST_CASE("emulator: cuSOLVER's syevdx refuses what does not fit") {
  const DeviceArray<float> a(std::vector<float>{2, 0, 0, 0, 3, 0, 0, 0, 1}), w(3);
  const DeviceArray<char> buffer(1 << 12);
  const DeviceArray<int> info(1);
  cusolverDnHandle_t handle = nullptr;
  cusolverDnParams_t params = nullptr;
  REQUIRE(cusolverDnCreate(&handle) == CUSOLVER_STATUS_SUCCESS);
  REQUIRE(cusolverDnCreateParams(&params) == CUSOLVER_STATUS_SUCCESS);
  std::vector<float> host(64);
  int64_t found = 0;
  const auto status = [&](int64_t n, int64_t lda, int64_t il, int64_t iu, size_t less = 0,
                          float* at = nullptr, cudaDataType w_type = CUDA_R_32F,
                          cusolverEigMode_t mode = CUSOLVER_EIG_MODE_VECTOR) {
    size_t device_bytes = 0, host_bytes = 0;
    float none = 0;
    cusolverDnXsyevdx_bufferSize(handle, params, mode, CUSOLVER_EIG_RANGE_I, CUBLAS_FILL_MODE_UPPER,
                                 n, CUDA_R_32F, a.data(), lda, &none, &none, il, iu, &found, w_type,
                                 w.data(), CUDA_R_32F, &device_bytes, &host_bytes);
    return cusolverDnXsyevdx(handle, params, mode, CUSOLVER_EIG_RANGE_I, CUBLAS_FILL_MODE_UPPER, n,
                             CUDA_R_32F, at ? at : a.data(), lda, &none, &none, il, iu, &found,
                             w_type, w.data(), CUDA_R_32F, buffer.data(), device_bytes - less,
                             host.data(), host_bytes, info.data());
  };
  CHECK(status(3, 2, 1, 3) == CUSOLVER_STATUS_INVALID_VALUE);                  // lda
  CHECK(status(3, 3, 0, 3) == CUSOLVER_STATUS_INVALID_VALUE);                  // numbers from 1
  CHECK(status(3, 3, 2, 4) == CUSOLVER_STATUS_INVALID_VALUE);                  // to n
  CHECK(status(3, 4, 1, 3) == CUSOLVER_STATUS_INVALID_VALUE);                  // beyond the block
  CHECK(status(3, 3, 1, 3, 1) == CUSOLVER_STATUS_INVALID_VALUE);               // workspace
  CHECK(status(3, 3, 1, 3, 0, host.data()) == CUSOLVER_STATUS_INVALID_VALUE);  // host memory
  CHECK(status(3, 3, 1, 3, 0, nullptr, CUDA_R_64F) == CUSOLVER_STATUS_INVALID_VALUE);
  CHECK(status(3, 3, 1, 3, 0, nullptr, CUDA_R_32F, CUSOLVER_EIG_MODE_NOVECTOR) ==
        CUSOLVER_STATUS_NOT_SUPPORTED);
  REQUIRE(status(3, 3, 2, 3) == CUSOLVER_STATUS_SUCCESS);
  CHECK(found == 2);
  CHECK(w.get()[0] == doctest::Approx(2));
  CHECK(w.get()[1] == doctest::Approx(3));
}

}  // namespace
}  // namespace lk::test
