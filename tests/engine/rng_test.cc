#include "engine/rng.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "tests/support.h"

namespace lk {
namespace {

// (The published vectors of Philox stand in tests/ops/dropout_test.cc.)

TEST_CASE("random: a stream is the counter's blocks in order, and can be taken up anywhere") {
  Random random(77, 5);
  for (uint64_t i = 0; i < 30; ++i)
    CHECK(random.next() == philox(77, 5, i / 4)[static_cast<size_t>(i % 4)]);
  // A copy goes on where the original stands, in the middle of a block too.
  Random copy = random;
  for (int i = 0; i < 9; ++i) CHECK(copy.next() == random.next());
}

TEST_CASE("random: seeds and streams give other numbers") {
  std::set<uint32_t> seen;
  for (uint64_t seed = 0; seed < 40; ++seed)
    for (uint64_t stream = 0; stream < 40; ++stream) seen.insert(Random(seed, stream).next());
  CHECK(seen.size() >= 1599);  // of 1600; one pair in 4 million is equal by chance
  // Of neighbouring streams half of the bits differ.
  int differing = 0;
  for (uint64_t s = 0; s < 1000; ++s)
    differing += __builtin_popcount(Random(1, s).next() ^ Random(1, s + 1).next());
  CHECK(differing > 15500);  // 16000 expected, standard deviation 90
  CHECK(differing < 16500);
}

TEST_CASE("random: uniform and normal numbers have their moments, below() is even") {
  Random random(3);
  const int n = 20000;
  double sum = 0, squares = 0, u = 0, u2 = 0;
  std::vector<int> counts(7);
  for (int i = 0; i < n; ++i) {
    const double z = random.normal(), x = static_cast<double>(random.uniform()),
                 y = random.uniform53();
    CHECK((x >= 0 && x < 1 && y >= 0 && y < 1));
    sum += z;
    squares += z * z;
    u += x;
    u2 += y * y;
    ++counts[random.below(7)];
  }
  // Five standard deviations of each.
  CHECK(std::abs(sum / n) < 5 / std::sqrt(n));
  CHECK(std::abs(squares / n - 1) < 5 * std::sqrt(2.0 / n));
  CHECK(std::abs(u / n - 0.5) < 5 * std::sqrt(1 / 12.0 / n));
  CHECK(std::abs(u2 / n - 1 / 3.0) < 5 * std::sqrt(4 / 45.0 / n));
  for (const int c : counts) CHECK(std::abs(c - n / 7.0) < 5 * std::sqrt(n / 7.0));
}

TEST_CASE("random: a shuffle is a permutation that the seed and stream decide") {
  std::vector<int> a(100);
  std::iota(a.begin(), a.end(), 0);
  auto b = a, c = a;
  const auto sorted = a;
  Random(9, 1).shuffle(a);
  Random(9, 1).shuffle(b);
  Random(9, 2).shuffle(c);
  CHECK(a == b);
  CHECK(a != c);
  CHECK(a != sorted);
  std::sort(a.begin(), a.end());
  CHECK(a == sorted);
}

}  // namespace
}  // namespace lk
