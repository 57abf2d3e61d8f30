#include "tests/cuda/emulator/vectors.h"

#include "cuda/emulator/emulator.h"
#include "tests/cuda/device.h"

namespace lk::test {
namespace {

TEST_CASE("vectors: a float4 is read and written whole, and must be aligned") {
  std::vector<float> values(260), want(256);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  for (size_t i = 0; i < want.size(); ++i) want[i] = 2 * values[i];
  const DeviceArray<float> y(int64_t{256}), x(values);
  const emu::Checker checker;
  {
    const emu::Profiler profiler;
    double_by_float4(y.data(), x.data(), 256);
    CHECK((y.get() == want));
    REQUIRE(profiler.profiles().size() == 1);
    CHECK(profiler.profiles()[0].read.requests == 2);
    CHECK(profiler.profiles()[0].read.lanes == 64);
    CHECK(profiler.profiles()[0].write.requests == 2);
  }
  CHECK(checker.text() == "");
  double_by_float4(y.data(), x.data() + 2, 128);
  REQUIRE(checker.reports().size() == 1);
  CHECK(checker.reports()[0].fault == emu::Fault::misaligned);
  CHECK(checker.reports()[0].text.find("read of 16 bytes at an address that is 8 past") !=
        std::string::npos);
}

}  // namespace
}  // namespace lk::test
