// What NVIDIA's cuSOLVER refuses, the emulated one refuses too: the tests of svd can fail.
#include <cusolverDn.h>

#include <vector>

#include "cuda/launch.h"
#include "tests/cuda/device.h"

namespace lk::test {
namespace {

TEST_CASE("emulator: cuSOLVER's gesvd refuses what does not fit") {
  const DeviceArray<float> a(12), s(3), u(12), vt(9);
  const DeviceArray<char> buffer(1 << 12);
  const DeviceArray<int> info(1);
  cusolverDnHandle_t handle = nullptr;
  cusolverDnParams_t params = nullptr;
  REQUIRE(cusolverDnCreate(&handle) == CUSOLVER_STATUS_SUCCESS);
  REQUIRE(cusolverDnCreateParams(&params) == CUSOLVER_STATUS_SUCCESS);
  std::vector<float> host(64);
  const auto status = [&](int64_t m, int64_t n, int64_t lda, int64_t ldu, int64_t ldvt,
                          size_t less = 0, float* at = nullptr) {
    size_t device_bytes = 0, host_bytes = 0;
    const auto type = CUDA_R_32F;
    cusolverDnXgesvd_bufferSize(handle, params, 'S', 'S', m, n, type, a.data(), lda, type, s.data(),
                                type, u.data(), ldu, type, vt.data(), ldvt, type, &device_bytes,
                                &host_bytes);
    const std::vector<float> zeros(12, 1.0f);
    check_cuda(cudaMemcpy(a.data(), zeros.data(), a.bytes(), cudaMemcpyHostToDevice), "copy");
    return cusolverDnXgesvd(handle, params, 'S', 'S', m, n, type, at ? at : a.data(), lda, type,
                            s.data(), type, u.data(), ldu, type, vt.data(), ldvt, type,
                            buffer.data(), device_bytes - less, host.data(), host_bytes,
                            info.data());
  };
  CHECK(status(4, 3, 4, 4, 3) == CUSOLVER_STATUS_SUCCESS);
  CHECK(status(3, 4, 3, 3, 3) == CUSOLVER_STATUS_INVALID_VALUE);     // fewer rows
  CHECK(status(4, 3, 3, 4, 3) == CUSOLVER_STATUS_INVALID_VALUE);     // lda
  CHECK(status(4, 3, 4, 3, 3) == CUSOLVER_STATUS_INVALID_VALUE);     // ldu
  CHECK(status(4, 3, 4, 4, 2) == CUSOLVER_STATUS_INVALID_VALUE);     // ldvt
  CHECK(status(4, 3, 5, 4, 3) == CUSOLVER_STATUS_INVALID_VALUE);     // beyond the block
  CHECK(status(4, 3, 4, 4, 3, 1) == CUSOLVER_STATUS_INVALID_VALUE);  // workspace
  CHECK(status(4, 3, 4, 4, 3, 0, host.data()) == CUSOLVER_STATUS_INVALID_VALUE);  // host memory
}

}  // namespace
}  // namespace lk::test
