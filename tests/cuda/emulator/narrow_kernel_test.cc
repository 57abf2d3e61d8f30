// Kernels that use cuda_fp16.h and cuda_bf16.h, under the checker and in several orders of threads.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>

#include "cuda/emulator/emulator.h"
#include "tests/cuda/device.h"
#include "tests/cuda/emulator/narrow.h"

namespace lk::test {
namespace {

template <class Number>
std::vector<uint16_t> bits_of(const std::vector<float>& values) {
  std::vector<uint16_t> bits;
  for (const float v : values) bits.push_back(Number(v).bits);
  return bits;
}
// Whole numbers from -7 to 8, in no order: small sums of them are exact.
std::vector<float> small_numbers(int count) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(static_cast<float>(i * 37 % 16 - 7));
  return values;
}

// Runs f in several orders of threads, each without a fault.
template <class F>
void in_orders(F f) {
  for (const uint64_t seed : {0, 1, 2}) {
    emu::set_order(seed);
    const emu::Checker checker;
    f();
    CHECK(checker.text() == "");
  }
  emu::set_order(0);
}

template <class Number>
void test_axpy(void (*axpy)(uint16_t*, const uint16_t*, float, int)) {
  constexpr int kCount = 300;
  const std::vector<float> x = small_numbers(kCount);
  const std::vector<float> y(x.rbegin(), x.rend());
  in_orders([&] {
    const DeviceArray<uint16_t> dy(bits_of<Number>(y)), dx(bits_of<Number>(x));
    axpy(dy.data(), dx.data(), 0.375f, kCount);
    const auto got = dy.get();
    for (size_t i = 0; i < x.size(); ++i) CHECK(got[i] == Number(0.375f * x[i] + y[i]).bits);
  });
}
template <class Number>
void test_max(void (*block_max)(uint16_t*, const uint16_t*, int)) {
  std::vector<float> x = small_numbers(3 * 64);
  for (float& v : x) v = v * 0.25f - 3.0f;
  in_orders([&] {
    const DeviceArray<uint16_t> y(int64_t{3}), dx(bits_of<Number>(x));
    block_max(y.data(), dx.data(), 3);
    const auto got = y.get();
    for (int b = 0; b < 3; ++b) {
      const auto begin = x.begin() + 64 * b;
      CHECK(got[static_cast<size_t>(b)] == Number(*std::max_element(begin, begin + 64)).bits);
    }
  });
}
template <class Number>
void test_sum(void (*atomic_sum)(uint16_t*, const uint16_t*, int)) {
  const std::vector<float> x = small_numbers(3 * 64);
  float sum = 0;
  for (const float v : x) sum += v;
  in_orders([&] {
    const DeviceArray<uint16_t> total(std::vector<uint16_t>(4, 0)), dx(bits_of<Number>(x));
    atomic_sum(total.data(), dx.data(), 3);
    CHECK((total.get() ==
           std::vector<uint16_t>{Number(sum).bits, 0, Number(sum).bits, Number(-sum).bits}));
  });
}

TEST_CASE("16 bits in kernels: fma of pairs") {
  test_axpy<__half>(half_axpy);
  test_axpy<__nv_bfloat16>(bf16_axpy);
}

TEST_CASE("16 bits in kernels: a pair is read and written whole") {
  const DeviceArray<uint16_t> y(std::vector<uint16_t>(256, 0)), x(std::vector<uint16_t>(256, 0));
  const emu::Profiler profiler;
  half_axpy(y.data(), x.data(), 1.0f, 256);
  REQUIRE(profiler.profiles().size() == 1);
  const emu::Profile p = profiler.profiles()[0];
  CHECK(p.read.requests == 8);  // of x and of y, by 4 warps
  CHECK(p.read.lanes == 256);
  CHECK(p.write.requests == 4);
  CHECK(p.sector_efficiency() == 1.0);
}

TEST_CASE("16 bits in kernels: shuffles, comparisons and shared memory") {
  test_max<__half>(half_block_max);
  test_max<__nv_bfloat16>(bf16_block_max);
}

TEST_CASE("16 bits in kernels: atomic sums of numbers and of pairs") {
  test_sum<__half>(half_atomic_sum);
  test_sum<__nv_bfloat16>(bf16_atomic_sum);
}

TEST_CASE("16 bits in kernels: a fault is at the kernel's line, not within the header") {
  const DeviceArray<uint16_t> y(std::vector<uint16_t>(64, 0)), x(std::vector<uint16_t>(64, 0));
  const emu::Checker checker;
  half_overrun(y.data(), x.data());
  REQUIRE(checker.reports().size() == 1);
  CHECK(checker.reports()[0].place.line == kNarrowOverrunLine);
  CHECK(checker.reports()[0].place.file.ends_with("tests/cuda/emulator/narrow.cu"));
  CHECK(checker.reports()[0].thread.x == 63);
}

}  // namespace
}  // namespace lk::test
