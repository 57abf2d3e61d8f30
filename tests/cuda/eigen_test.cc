// Eigenvalues on the device by cuSOLVER: that the right triangle is read, and the last columns
// become our first rows.
#include "engine/eigen.h"

#include <cmath>
#include <limits>

#include "engine/svd.h"
#include "tests/cuda/device.h"
#include "tests/cuda/watch.h"
#include "tests/oracle.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

TEST_CASE("cuda eigh: as on the CPU") {
  for (const DType dtype : {DType::f32, DType::f64})
    for (const auto& [n, count] : {std::pair<int64_t, int64_t>{1, 1}, {33, 33}, {64, 5}}) {
      CAPTURE(n);
      const Watch watch;
      // What is above the diagonal differs from what is below, and is not looked at.
      const Tensor a = random_tensor({n, n}, dtype, 3), there = a.to(Device::cuda);
      const Eigen got = eigh(there, count), want = eigh(a.to(DType::f64), count);
      CHECK(got.values.device() == Device::cuda);
      CHECK(got.vectors.shape() == Shape{count, n});
      const auto values = got.values.to_vector<double>(), vectors = got.vectors.to_vector<double>();
      const double eps = dtype == DType::f64 ? 1e-12 : 2e-5;
      for (int64_t k = 0; k < count; ++k) {
        CHECK(std::abs(values[static_cast<size_t>(k)] - want.values.item(k)) <= eps);
        double dot = 0;
        for (int64_t j = 0; j < n; ++j)
          dot += vectors[static_cast<size_t>(k * n + j)] * want.vectors.item(k * n + j);
        // The vectors of eigenvalues that are close to each other turn with rounding.
        CHECK(std::abs(std::abs(dot) - 1) <= 100 * eps);
      }
      CHECK(there.to_vector<double>() == a.to_vector<double>());
      CHECK(watch.faults() == "");
    }
  CHECK(contains(error_of([] {
                   eigh(Tensor::full({3, 3}, DType::f32, std::numeric_limits<double>::infinity())
                            .to(Device::cuda),
                        1);
                 }),
                 "finite?"));
}

TEST_CASE("cuda principal_svd: as on the CPU, from either side") {
  for (const DType dtype : {DType::f32, DType::f64})
    for (const auto& [m, n] : {std::pair<int64_t, int64_t>{40, 25}, {25, 40}}) {
      CAPTURE(m);
      const Watch watch;
      const Tensor a = random_tensor({m, n}, dtype, 3);
      const Svd got = principal_svd(a.to(Device::cuda), 4), want = principal_svd(a, 4);
      const double eps = dtype == DType::f64 ? 1e-12 : 5e-5;
      // Its vectors have a sign of their own.
      CHECK(max_difference(got.s, want.s) <= eps);
      CHECK(max_difference(got.u, want.u) <= eps);
      CHECK(max_difference(got.vt, want.vt) <= eps);
      CHECK(watch.faults() == "");
    }
}

}  // namespace
}  // namespace lk::test
