#include <numeric>

#include "cuda/emulator/emulator.h"
#include "tests/cuda/device.h"
#include "tests/cuda/emulator/access.h"

namespace lk::test {
namespace {

// The profile of the one kernel that f launches, the same in every order of threads.
template <class F>
emu::Profile profile_of(F f) {
  emu::set_order(3);
  const emu::Profiler profiler;
  f();
  emu::set_order(0);
  const auto all = profiler.profiles();
  REQUIRE(all.size() == 1);
  return all[0];
}

const DeviceArray<float>& source() {
  static const DeviceArray<float> x(std::vector<float>(64 << 10, 1.0f));
  return x;
}

TEST_CASE("profiler: sectors of known patterns") {
  const DeviceArray<float> y(int64_t{4096});
  const auto dense = profile_of([&] { copy_with_stride(y.data(), source().data(), 1); });
  CHECK(dense.kernel == "strided");
  CHECK(dense.read.requests == 32);  // of 8 warps in 4 blocks
  CHECK(dense.read.sectors == 32 * 4);
  CHECK(dense.sector_efficiency() == 1.0);
  CHECK(dense.read.bytes() == 4096);
  CHECK(dense.active_lanes() == 1.0);

  const auto sparse = profile_of([&] { copy_with_stride(y.data(), source().data(), 32); });
  CHECK(sparse.read.sectors == 32 * 32);
  CHECK(sparse.read.ideal_sectors == 32 * 4);
  CHECK(sparse.write.sectors == 32 * 4);

  const auto shifted = profile_of([&] { copy_with_stride(y.data(), source().data() + 1, 1); });
  CHECK(shifted.read.sectors == 32 * 5);
  CHECK(shifted.read.missed == 4 * (8 * 4 + 1));  // what two warps share is read once

  const auto packed = profile_of([&] { copy_packs(y.data(), source().data()); });
  CHECK(packed.read.requests == 32);
  CHECK(packed.read.sectors == 32 * 16);
  CHECK(packed.sector_efficiency() == 1.0);

  const auto few = profile_of([&] { copy_some(y.data(), source().data(), 8); });
  CHECK(few.active_lanes() == 0.25);
  CHECK(few.read.sectors == 1);
}

TEST_CASE("profiler: bank conflicts of a transpose, and none with a padded row") {
  std::vector<float> values(1024);
  std::iota(values.begin(), values.end(), 0.0f);
  const DeviceArray<float> x(values), y(int64_t{1024});
  const auto plain = profile_of([&] { transpose(y.data(), x.data(), 32); });
  CHECK(plain.bank_conflicts() == 32 * 31);
  CHECK(plain.barriers == 1);
  const auto padded = profile_of([&] { transpose(y.data(), x.data(), 33); });
  CHECK(padded.shared_requests == 64);
  CHECK(padded.bank_conflicts() == 0);
  const auto got = y.get();
  for (size_t i = 0; i < 1024; ++i) CHECK(got[i] == values[i % 32 * 32 + i / 32]);
}

TEST_CASE("emulator: mma and ldmatrix lay their elements out as the PTX manual says") {
  std::vector<bf16> a, b;
  for (int i = 0; i < 256; ++i) a.push_back(bf16(static_cast<float>(i * 7 % 31) - 15));
  for (int i = 0; i < 128; ++i) b.push_back(bf16(static_cast<float>(i * 5 % 29) - 14));
  const DeviceArray<bf16> da(a), db(b);
  const DeviceArray<float> d(int64_t{128});
  for (const auto multiply : {multiply_tile, multiply_tile_by_lane}) {
    const emu::Checker checker;
    multiply(d.data(), da.data(), db.data());
    CHECK(checker.text() == "");
    const auto got = d.get();
    for (size_t i = 0; i < 16; ++i)
      for (size_t j = 0; j < 8; ++j) {
        float want = 0;
        for (size_t k = 0; k < 16; ++k) want += float(a[i * 16 + k]) * float(b[k * 8 + j]);
        CHECK(got[i * 8 + j] == want);  // small integers: exact
      }
  }
}

}  // namespace
}  // namespace lk::test
