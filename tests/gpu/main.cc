// The kernels' tests on a GPU, in one process. Its last line is `N passed, N failed`; without a
// device that can be used, one line says so.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cuda_runtime.h>
#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "cuda/device.h"
#include "engine/device.h"
#include "tests/quiet_reporter.h"
#include "tests/runner.h"

namespace {

// After some errors (an address that no memory has) every later call fails, in whatever test case:
// the run ends at the first.
struct LostDevice : lk::test::QuietReporter {
  explicit LostDevice(const doctest::ContextOptions&) {}
  static inline const char* name = "";
  void test_case_start(const doctest::TestCaseData& test) override { name = test.m_name; }
  void test_case_end(const doctest::CurrentTestCaseStats&) override {
    const cudaError_t error = cudaDeviceSynchronize();
    if (error == cudaSuccess) return;
    std::fflush(stdout);
    fmt::print(stderr, "tests-gpu: the device was lost in '{}': {}; no test can follow\n", name,
               cudaGetErrorString(error));
    std::_Exit(1);
  }
};
DOCTEST_REGISTER_LISTENER("lost device", 2, LostDevice);

}  // namespace

int main(int argc, char** argv) try {
  const std::string problem = lk::cuda_problem();
  lk::require(problem.empty(), "{}", problem);
  fmt::print("tests-gpu: on {}\n", lk::device_name(lk::Cuda{}));
  doctest::Context context(argc, argv);
  const lk::test::Tally tally = lk::test::run_cases(context);
  if (context.shouldExit()) return 0;
  fmt::print("{} passed, {} failed\n", tally.passed, tally.failed);
  return tally.failed ? 1 : 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "tests-gpu: {}\n", e.what());
  return 1;
}
