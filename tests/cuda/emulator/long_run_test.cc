// What comes to an end when a program runs for long: the numbers of blocks, the addresses.
#include <algorithm>

#include "cuda/emulator/emulator.h"
#include "cuda/emulator/scheduler.h"
#include "tests/cuda/device.h"
#include "tests/cuda/emulator/access.h"
#include "tests/cuda/emulator/planted.h"

namespace lk::test {
namespace {

const std::vector<float> kZeros(kPlantedFloats, 0.0f), kOnes(kPlantedFloats, 1.0f);

bool finds(const emu::Checker& checker, emu::Fault fault) {
  return std::any_of(checker.reports().begin(), checker.reports().end(),
                     [&](const emu::Report& r) { return r.fault == fault; });
}

TEST_CASE("long runs: what an earlier block wrote is not this one's, even with its stamp") {
  const DeviceArray<float> y(kZeros), x(kOnes);
  constexpr uint64_t kStamps = (uint64_t{1} << 28) - 1;
  for (const uint64_t skipped : {kStamps - 1, kStamps, uint64_t{1}}) {
    CAPTURE(skipped);
    const emu::Checker checker;
    pass_through_shared(y.data(), x.data(), true);
    CHECK(checker.text() == "");
    emu::skip_blocks(skipped);
    pass_through_shared(y.data(), x.data(), false);
    CHECK(finds(checker, emu::Fault::uninitialised));
  }
}

TEST_CASE(
    "long runs: clean kernels stay clean, and races are found, whatever the blocks' numbers") {
  const DeviceArray<float> y(kZeros), x(kOnes);
  for (const uint64_t skipped : {(1ull << 28) - 20, 20ull, 1ull << 31, (1ull << 31) - (1ull << 28),
                                 1ull << 28, 20ull, (1ull << 32) - 18, 1ull, (1ull << 32) - 24}) {
    CAPTURE(skipped);
    {
      const emu::Checker checker;
      kClean.run(y.data(), x.data());
      emu::skip_blocks(skipped);
      kClean.run(y.data(), x.data());
      CHECK(checker.text() == "");
    }
    const emu::Checker checker;
    kRaceOfBlocks.run(y.data(), x.data());
    REQUIRE(finds(checker, emu::Fault::race));
    CHECK(checker.reports()[0].block.x == kBugX);  // the later one, in the natural order
    CHECK(checker.reports()[0].other_block.x == kBugTooX);
  }
}

TEST_CASE("long runs: a grid of more blocks than there are numbers is refused") {
  const cudaLaunchConfig_t config{dim3(65536, 65535, 2), 32, 0, nullptr, nullptr, 0};
  CHECK(cudaLaunchKernelEx(
            &config, +[](float*) {}, static_cast<float*>(nullptr)) ==
        cudaErrorInvalidConfiguration);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
}

}  // namespace
}  // namespace lk::test
