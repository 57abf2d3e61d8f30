#include "tests/cuda/emulator/atomics.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

#include "cuda/emulator/emulator.h"
#include "tests/cuda/device.h"

namespace lk::test {
namespace {

using Unsigned64 = unsigned long long;

// Runs f in several orders of threads, each without a fault.
template <class F>
void in_orders(F f) {
  for (const uint64_t seed : {0, 1, 2}) {
    CAPTURE(seed);
    emu::set_order(seed);
    const emu::Checker checker;
    f();
    CHECK(checker.text() == "");
  }
  emu::set_order(0);
}

// Over the whole range of T, and no fewer bits.
template <class T>
std::vector<T> random_values() {
  std::mt19937_64 random(3);
  std::vector<T> values(kAtomicThreads);
  for (T& v : values) v = static_cast<T>(random());
  return values;
}
// Whole numbers, whose sums are exact.
template <class T>
std::vector<T> small_values() {
  std::vector<T> values(kAtomicThreads);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i * 37 % 256) - T(100);
  return values;
}

TEST_CASE_TEMPLATE("atomics: add, min, max, and, or, xor", T, int, unsigned, Unsigned64) {
  const std::vector<T> x = random_values<T>();
  T want[kAtomicResults] = {0, x[0], x[0], static_cast<T>(~T(0)), 0, 0};
  const std::vector<T> start(want, want + kAtomicResults);
  uint64_t sum = 0;  // wraps
  for (const T v : x) {
    sum += static_cast<uint64_t>(v);
    want[kLeast] = std::min(want[kLeast], v);
    want[kMost] = std::max(want[kMost], v);
    want[kAnd] &= v;
    want[kOr] |= v;
    want[kXor] ^= v;
  }
  want[kSum] = static_cast<T>(sum);
  in_orders([&] {
    const DeviceArray<T> result(start), dx(x);
    combine_atomically(result.data(), dx.data());
    CHECK((result.get() == std::vector<T>(want, want + kAtomicResults)));
  });
}

TEST_CASE("atomics: and keeps the bits that all have") {
  const std::vector<unsigned> x(kAtomicThreads, 0xf0f0u);
  const DeviceArray<unsigned> result(std::vector<unsigned>(kAtomicResults, ~0u)), dx(x);
  combine_atomically(result.data(), dx.data());
  CHECK(result.get()[kAnd] == 0xf0f0u);
  CHECK(result.get()[kOr] == ~0u);
}

TEST_CASE_TEMPLATE("atomics: add of floating point", T, float, double) {
  const std::vector<T> x = small_values<T>();
  const T sum = std::accumulate(x.begin(), x.end(), T(0.5));
  in_orders([&] {
    const DeviceArray<T> result(std::vector<T>{T(0.5)}), dx(x);
    add_atomically(result.data(), dx.data());
    CHECK(result.get()[0] == sum);
  });
}

TEST_CASE_TEMPLATE("atomics: sub", T, int, unsigned) {
  const std::vector<T> x = random_values<T>();
  unsigned want = 7;
  for (const T v : x) want -= static_cast<unsigned>(v);
  in_orders([&] {
    const DeviceArray<T> result(std::vector<T>{7}), dx(x);
    subtract_atomically(result.data(), dx.data());
    CHECK(static_cast<unsigned>(result.get()[0]) == want);
  });
}

TEST_CASE("atomics: min and max of long long") {
  const std::vector<long long> x = random_values<long long>();
  in_orders([&] {
    const DeviceArray<long long> least(std::vector<long long>{0}), most(std::vector<long long>{0}),
        dx(x);
    order_atomically(least.data(), most.data(), dx.data());
    CHECK(least.get()[0] == *std::min_element(x.begin(), x.end()));
    CHECK(most.get()[0] == *std::max_element(x.begin(), x.end()));
  });
}

TEST_CASE_TEMPLATE("atomics: what is exchanged is neither lost nor doubled", T, int, unsigned,
                   Unsigned64, float) {
  const std::vector<T> x = small_values<T>();
  std::vector<T> want = x;
  want.push_back(T(77));
  std::sort(want.begin(), want.end());
  in_orders([&] {
    const DeviceArray<T> place(std::vector<T>{T(77)}), old(int64_t{kAtomicThreads}), dx(x);
    exchange_atomically(place.data(), old.data(), dx.data());
    std::vector<T> all = old.get();
    all.push_back(place.get()[0]);
    std::sort(all.begin(), all.end());
    CHECK((all == want));
  });
}

TEST_CASE("atomics: inc and dec count in a circle") {
  in_orders([&] {
    const DeviceArray<unsigned> up(std::vector<unsigned>{0}), down(std::vector<unsigned>{0}),
        old_up(int64_t{kAtomicThreads}), old_down(int64_t{kAtomicThreads});
    count_atomically(up.data(), old_up.data(), down.data(), old_down.data(), 9);
    CHECK(up.get()[0] == kAtomicThreads % 10);
    CHECK(down.get()[0] == 10 - kAtomicThreads % 10);
    for (const auto& old : {old_up.get(), old_down.get()})
      for (unsigned value = 0; value < 10; ++value) {
        const auto times = std::count(old.begin(), old.end(), value);
        CHECK((times == 25 || times == 26));
      }
    const DeviceArray<unsigned> beyond(std::vector<unsigned>{100}),
        beyond_too(std::vector<unsigned>{100});
    count_atomically(beyond.data(), old_up.data(), beyond_too.data(), old_down.data(), 1000);
    CHECK(beyond.get()[0] == 100 + kAtomicThreads);
    CHECK(beyond_too.get()[0] == 1001 - (kAtomicThreads - 100));
    count_atomically(beyond.data(), old_up.data(), beyond_too.data(), old_down.data(), 255);
    CHECK(beyond.get()[0] == 255);  // from 356, the first time to 0
    CHECK(beyond_too.get()[0] == 0);
  });
}

TEST_CASE_TEMPLATE("atomics: of those that saw the same, one swaps", T, int, unsigned, Unsigned64,
                   unsigned short) {
  in_orders([&] {
    const DeviceArray<T> counter(std::vector<T>{T(41)});
    const DeviceArray<int> won(int64_t{kAtomicThreads});
    compare_and_swap(counter.data(), won.data());
    const std::vector<int> all = won.get();
    CHECK(counter.get()[0] == 41 + kAtomicThreads / 32);
    for (auto warp = all.begin(); warp != all.end(); warp += 32)
      CHECK(std::accumulate(warp, warp + 32, 0) == 1);
  });
}

}  // namespace
}  // namespace lk::test
