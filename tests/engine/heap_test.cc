#include "engine/heap.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

#include "engine/memory.h"

namespace lk {
namespace {

constexpr size_t kMega = 1 << 20;

TEST_CASE("heap: gaps that meet are one, whatever the order") {
  for (int order = 0; order < 6; ++order) {
    CAPTURE(order);
    Heap heap;
    int sequence[] = {0, 1, 2};
    for (int n = 0; n < order; ++n) std::next_permutation(sequence, sequence + 3);
    void* pieces[3];
    for (void*& p : pieces) p = heap.take(kMega);
    void* const wall = heap.take(64);
    for (const int i : sequence) heap.give(pieces[i], kMega);
    const size_t three = 3 * Heap::rounded(kMega);
    CHECK(heap.idle() == three);
    CHECK(heap.take(three - 64) == pieces[0]);
    heap.give(wall, 64);
  }
}

TEST_CASE("heap: a piece takes the smallest gap that holds it") {
  Heap heap;
  void* const large = heap.take(3 * kMega);
  void* const wall = heap.take(64);
  void* const small = heap.take(kMega);
  void* const other = heap.take(64);
  heap.give(large, 3 * kMega);
  heap.give(small, kMega);
  CHECK(heap.take(kMega / 2) == small);
  CHECK(heap.take(2 * kMega) == large);
  CHECK(wall != other);
}

TEST_CASE("heap: what is given back to the system costs nothing, and can be used again") {
  Heap heap;
  char* const piece = static_cast<char*>(heap.take(64 * kMega));
  const int64_t before = rss_bytes();
  std::memset(piece, 1, 64 * kMega);
  CHECK(rss_bytes() >= before + 63 * static_cast<int64_t>(kMega));
  heap.give(piece, 64 * kMega);
  CHECK(heap.idle() >= 64 * kMega);
  heap.release(0);
  CHECK(heap.idle() == 0);
  CHECK(rss_bytes() <= before + static_cast<int64_t>(kMega));
  void* const again = heap.take(64 * kMega);
  CHECK(again == piece);
  std::memset(again, 2, 64 * kMega);
}

TEST_CASE("heap: pieces of random sizes never overlap") {
  Heap heap;
  std::mt19937 random(1);
  std::map<char*, size_t> live;
  char* lowest = nullptr;
  size_t bytes = 0, most = 0;
  for (int n = 0; n < 20000; ++n) {
    if (live.empty() || random() % 5 < (bytes < 64 * kMega ? 3 : 1)) {
      const size_t size = 1 + random() % (size_t{1} << (4 + random() % 17));
      char* const p = static_cast<char*>(heap.take(size));
      REQUIRE(p != nullptr);
      CHECK(reinterpret_cast<uintptr_t>(p) % Heap::kAlignment == 0);
      const auto next = live.lower_bound(p);
      CHECK((next == live.end() || p + size <= next->first));
      CHECK((next == live.begin() || std::prev(next)->first + std::prev(next)->second <= p));
      p[0] = p[size - 1] = 1;
      live.emplace(p, size);
      if (!lowest || p < lowest) lowest = p;
      bytes += Heap::rounded(size);
      most = std::max(most, bytes + heap.idle());
    } else {
      const auto it = std::next(live.begin(), static_cast<int64_t>(random() % live.size()));
      heap.give(it->first, it->second);
      bytes -= Heap::rounded(it->second);
      live.erase(it);
    }
  }
  // Gaps between the pieces stay few.
  CHECK(most < 128 * kMega);
  for (const auto& [p, size] : live) heap.give(p, size);
  CHECK(heap.take(heap.idle() - 64) == lowest);
}

}  // namespace
}  // namespace lk
