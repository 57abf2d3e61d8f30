#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "cuda/emulator/emulator.h"
#include "engine/gemm.h"
#include "engine/tensor.h"
#include "tests/cuda/device.h"
#include "tests/cuda/emulator/planted.h"
#include "tests/tools/tool_run.h"

namespace lk::test {
namespace {

using emu::Fault;

// What a planted kernel reads and writes.
const std::vector<float> kZeros(kPlantedFloats, 0.0f), kOnes(kPlantedFloats, 1.0f);

std::vector<emu::Report> reports_of(const Planted& planted, uint64_t seed) {
  emu::set_order(seed);
  const DeviceArray<float> y(kZeros), x(kOnes);
  const emu::Checker checker;
  planted.run(y.data(), x.data());
  cudaGetLastError();
  emu::set_order(0);
  return checker.reports();
}

// The first report of a fault, as every order of threads must give it.
emu::Report find(const Planted& planted, Fault fault, uint64_t seed) {
  const auto reports = reports_of(planted, seed);
  const auto found = std::find_if(reports.begin(), reports.end(), [&](const emu::Report& r) {
    return r.kernel == planted.name && r.fault == fault;
  });
  REQUIRE(found != reports.end());
  return *found;
}

bool is_at(const emu::Place& place, int line) {
  return place.line == line &&
         (line == 0 || place.file.find("tests/cuda/emulator/planted") != std::string::npos);
}
bool is_block(const uint3& block, unsigned x, unsigned y) {
  return block.x == x && block.y == y && block.z == 0;
}

TEST_CASE("checker: finds each planted bug, at its line, in every order of threads") {
  const std::pair<const Planted*, Fault> table[] = {
      {&kOutOfBounds, Fault::out_of_bounds},
      {&kUseAfterFree, Fault::use_after_free},
      {&kUninitialised, Fault::uninitialised},
      {&kUninitialisedShared, Fault::uninitialised},
      {&kMisaligned, Fault::misaligned},
      {&kBarrier, Fault::barrier},
      {&kBarrierAfterExit, Fault::barrier},
      {&kInactiveLane, Fault::inactive_lane},
      {&kShuffleFromExited, Fault::inactive_lane},
      {&kShuffleMask, Fault::inactive_lane},
      {&kVoteMask, Fault::inactive_lane},
      {&kMmaWithoutLane, Fault::inactive_lane},
      {&kMmaAfterExit, Fault::inactive_lane},
      {&kLdmatrixAfterExit, Fault::inactive_lane},
      {&kSharedOverrun, Fault::out_of_bounds},
      {&kStaticOverrun, Fault::out_of_bounds},
      {&kStaticUnderrun, Fault::out_of_bounds},
      {&kHostVariable, Fault::out_of_bounds},
      {&kNoWait, Fault::uninitialised},
  };
  for (const auto& row : table)
    for (const uint64_t seed : {0, 1, 2}) {
      const Planted& planted = *row.first;
      CAPTURE(std::string(planted.name));
      CAPTURE(seed);
      const emu::Report r = find(planted, row.second, seed);
      CAPTURE(r.text);
      CHECK(is_at(r.place, planted.line));
      CHECK(is_at(r.other, planted.other_line));
      CHECK(is_block(r.block, kBugX, kBugY));
      if (planted.thread >= 0) CHECK(r.thread.x == static_cast<unsigned>(planted.thread));
      if (planted.apart < 0) continue;
      CHECK(is_block(r.other_block, kBugX, kBugY));
      CHECK((r.thread.x ^ r.other_thread.x) == static_cast<unsigned>(planted.apart));
    }
}

TEST_CASE("checker: a race is found whichever thread comes first, and names both") {
  for (const Planted* planted : {&kRace, &kRaceInGlobal, &kRaceOfLanes})
    for (const uint64_t seed : {0, 1, 2, 3}) {
      const emu::Report r = find(*planted, Fault::race, seed);
      CAPTURE(r.text);
      // The read after the write, or the write after the read, depending on the order.
      CHECK((is_at(r.place, planted->line) || is_at(r.place, planted->other_line)));
      CHECK((is_at(r.other, planted->line) || is_at(r.other, planted->other_line)));
      CHECK(r.place.line != r.other.line);
      CHECK(is_block(r.block, kBugX, kBugY));
      CHECK(is_block(r.other_block, kBugX, kBugY));
      CHECK((r.thread.x ^ r.other_thread.x) == static_cast<unsigned>(planted->apart));
      CHECK(r.text.find("memory that thread (" + std::to_string(r.other_thread.x) + ",0,0) ") !=
            std::string::npos);
    }
}

TEST_CASE("checker: a race between blocks names both blocks") {
  bool bug_first = false, bug_last = false;  // both orders are seen
  for (const uint64_t seed : {0, 1, 2, 3, 4, 5, 6}) {
    const emu::Report r = find(kRaceOfBlocks, Fault::race, seed);
    CAPTURE(r.text);
    CHECK(is_at(r.place, kRaceOfBlocks.line));
    CHECK(is_at(r.other, kRaceOfBlocks.line));
    CHECK(r.thread.x == r.other_thread.x);
    const bool last =
        is_block(r.block, kBugX, kBugY) && is_block(r.other_block, kBugTooX, kBugTooY);
    const bool first =
        is_block(r.block, kBugTooX, kBugTooY) && is_block(r.other_block, kBugX, kBugY);
    CHECK((first || last));
    bug_first |= first;
    bug_last |= last;
    CHECK(r.text.find(" of block (" + std::to_string(r.other_block.x) + "," +
                      std::to_string(r.other_block.y) + ",0) wrote") != std::string::npos);
  }
  CHECK(bug_first);
  CHECK(bug_last);
}

TEST_CASE("checker: a report names the thread and the block's size") {
  const auto reports = reports_of(kOutOfBounds, 0);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].thread.x == 63);
  CHECK(reports[0].count == 1);
  CHECK(reports[0].text.find("read of 4 bytes, at byte 1536 of a block of 1536 bytes") !=
        std::string::npos);
}

TEST_CASE("checker: a report names the shared variable that an index leaves") {
  const auto reports = reports_of(kStaticOverrun, 0);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].text.find("write of 4 bytes at byte 256 of the shared variable first of 256 "
                             "bytes") != std::string::npos);
}

TEST_CASE("checker: nothing to report of a clean kernel") {
  for (const uint64_t seed : {0, 1, 2, 3, 4}) {
    const auto reports = reports_of(kClean, seed);
    for (const auto& r : reports) FAIL_CHECK(r.text);
  }
}

TEST_CASE("checker: an operand of a product that nothing has written") {
  const Tensor a = Tensor::empty({4, 8}, DType::f32, Device::cuda),
               b = Tensor::zeros({8, 3}, DType::f32, Device::cuda),
               c = Tensor::empty({4, 3}, DType::f32, Device::cuda);
  const emu::Checker checker;
  gemm(Tensor::empty({3, 3}, DType::f32, Device::cuda), b.view({3, 8}), b);
  CHECK(checker.reports().empty());
  gemm(c, a, b);
  REQUIRE(checker.reports().size() == 1);
  CHECK(checker.reports()[0].fault == Fault::uninitialised);
  CHECK(checker.reports()[0].text.find("of a product of cuBLASLt: column 0 has bytes") !=
        std::string::npos);
}

void named_kernel(float*, int, int64_t) {}

TEST_CASE("emulator: launches that a device would refuse") {
  const DeviceArray<float> y(std::vector<float>(64, 0.0f));
  const std::string error = error_of([&] {
    launch(
        +[](float*) {}, 1, 2048, 0, nullptr, y.data());
  });
  CHECK(error.find("invalid configuration") != std::string::npos);
  CHECK(error_of([&] {
          launch(
              +[](float*) {}, 1, 32, 64 << 10, nullptr, y.data());
        }).find("65536 bytes of shared memory") != std::string::npos);
  const KernelScope scope("an_op", Device::cuda);
  const std::string named =
      error_of([&] { launch(named_kernel, 1, 2048, 0, nullptr, y.data(), 64, int64_t{7}); });
  CHECK(named.find("kernel named_kernel (in an_op) cannot run on a grid of (1, 1, 1) blocks of "
                   "(2048, 1, 1) threads with 0 bytes of shared memory, sizes 64, 7: invalid "
                   "configuration") != std::string::npos);
}

TEST_CASE("more shared memory than the device has: what is needed and what there is") {
  const emu::Machine was = emu::machine();
  emu::machine().shared_bytes = size_t{99} << 10;  // compute capability 8.6
  const std::string error = error_of([&] { allow_shared_memory(named_kernel, 104448); });
  emu::machine() = was;
  CHECK(error.find("kernel named_kernel needs 104448 bytes of shared memory for these shapes, this "
                   "device has 101376 for a block") != std::string::npos);
}

// Run by the test below, alone.
TEST_CASE("planted: out of bounds with nobody looking" * doctest::skip()) {
  const DeviceArray<float> y(kZeros), x(kOnes);
  kOutOfBounds.run(y.data(), x.data());
}

TEST_CASE("EMULATOR_CHECK=1 checks a program that does not ask for it") {
  const TempDir dir;
  const std::string planted = std::filesystem::read_symlink("/proc/self/exe").string() +
                              " --no-skip --test-case='planted: out of bounds*'";
  CHECK(run(dir, "EMULATOR_CHECK=0 " + planted).code == 0);
  const Outcome checked = run(dir, "EMULATOR_CHECK=1 " + planted);
  CHECK(checked.code == 1);
  CHECK(checked.says("planted.cu:"));
  CHECK(checked.says("out of bounds in "));
  CHECK(checked.says("EMULATOR_CHECK: 1 faults"));
}

}  // namespace
}  // namespace lk::test
