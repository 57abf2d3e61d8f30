// What comes to an end when a program runs for long: the numbers of blocks, the addresses.
#include <unistd.h>

#include <algorithm>
#include <fstream>

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

// With fewer addresses than there are, which takes no time to use up.
class FewAddresses {
 public:
  FewAddresses() { emu::machine().addresses = size_t{256} << 20; }
  ~FewAddresses() { emu::machine() = was_; }
  FewAddresses(const FewAddresses&) = delete;
  FewAddresses& operator=(const FewAddresses&) = delete;

 private:
  emu::Machine was_ = emu::machine();
};

TEST_CASE("long runs: addresses are given again when all have been, live blocks stay") {
  const FewAddresses few;
  constexpr size_t kBytes = size_t{16} << 20;
  const DeviceArray<float> kept(kOnes);
  std::vector<void*> given;
  bool again = false;
  for (int i = 0; i < 24; ++i) {
    void* data = nullptr;
    REQUIRE(cudaMalloc(&data, kBytes) == cudaSuccess);
    const auto* begin = static_cast<char*>(data);
    const auto* mine = reinterpret_cast<const char*>(kept.data());
    CHECK((begin + kBytes <= mine || begin >= mine + kept.bytes()));
    again |= std::find(given.begin(), given.end(), data) != given.end();
    if (i < 4) CHECK(!again);
    given.push_back(data);
    REQUIRE(cudaMemset(data, 1, kBytes) == cudaSuccess);
    REQUIRE(cudaFree(data) == cudaSuccess);
  }
  CHECK(again);
  CHECK((kept.get() == kOnes));
}

TEST_CASE("long runs: of an address that is given again, nothing old is known") {
  const FewAddresses few;
  const emu::Checker checker;
  const DeviceArray<float> x(kOnes);
  for (int i = 0; i < 24; ++i) {
    const DeviceArray<char> much(int64_t{16} << 20);
    const DeviceArray<float> y(kZeros);
    kClean.run(y.data(), x.data());
  }
  CHECK(checker.text() == "");
  const auto reports = checker.reports().size();
  kUninitialised.run(x.data(), x.data());
  CHECK(checker.reports().size() == reports + 1);
  const DeviceArray<float> y(kZeros);
  kUseAfterFree.run(y.data(), x.data());
  kOutOfBounds.run(y.data(), x.data());
  CHECK(finds(checker, emu::Fault::use_after_free));
  CHECK(finds(checker, emu::Fault::out_of_bounds));
}

TEST_CASE("long runs: more than the addresses hold at once is refused") {
  const FewAddresses few;
  std::vector<void*> all;
  void* data = nullptr;
  while (cudaMalloc(&data, size_t{32} << 20) == cudaSuccess) all.push_back(data);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
  CHECK(all.size() <= 8);
  CHECK(all.size() >= 4);
  for (void* block : all) CHECK(cudaFree(block) == cudaSuccess);
}

size_t resident_bytes() {
  size_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST_CASE("long runs: small blocks that were freed take no room") {
  const size_t before = resident_bytes();
  bool good = true;
  for (int i = 0; i < 100000; ++i) {
    void* data = nullptr;
    good &= cudaMalloc(&data, 256) == cudaSuccess && cudaFree(data) == cudaSuccess;
  }
  CHECK(good);
  // Their addresses are 51 MB, and what is known of them is as much again.
  CHECK(resident_bytes() < before + (size_t{40} << 20));
}

}  // namespace
}  // namespace lk::test
