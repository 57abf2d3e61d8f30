#include "engine/memory.h"

#include <thread>

#include "engine/tensor.h"
#include "tests/support.h"

namespace lk {
namespace {

constexpr int64_t kMega = 1 << 20;

int64_t live(Category c) { return memory_stats().live[static_cast<size_t>(c)]; }
int64_t peak(Category c) { return memory_stats().peak[static_cast<size_t>(c)]; }
Tensor megabytes(int64_t n) { return Tensor::empty({n * kMega}, DType::u8); }

TEST_CASE("memory: each category has its own count and its own peak") {
  for (const Category c : {Category::weights, Category::gradients, Category::optimizer,
                           Category::activations, Category::workspace}) {
    CAPTURE(name_of(c));
    const CategoryScope scope(c);
    reset_memory_peak();
    const MemoryStats before = memory_stats();
    {
      const Tensor a = megabytes(3);
      CHECK(live(c) == before.live[static_cast<size_t>(c)] + 3 * kMega);
      { const Tensor b = megabytes(2); }
      const Tensor d = megabytes(1);
      CHECK(live(c) == before.live[static_cast<size_t>(c)] + 4 * kMega);
      for (int other = 0; other < kCategories; ++other)
        if (other != static_cast<int>(c))
          CHECK(memory_stats().live[static_cast<size_t>(other)] ==
                before.live[static_cast<size_t>(other)]);
    }
    CHECK(live(c) == before.live[static_cast<size_t>(c)]);
    CHECK(peak(c) == before.live[static_cast<size_t>(c)] + 5 * kMega);
    CHECK(memory_stats().total_live == before.total_live);
    CHECK(memory_stats().total_peak == before.total_live + 5 * kMega);
  }
}

TEST_CASE("memory: the peak of the sum is not the sum of the peaks") {
  reset_memory_peak();
  const int64_t before = memory_stats().total_live;
  for (const Category c : {Category::gradients, Category::workspace}) {
    const CategoryScope scope(c);
    const Tensor t = megabytes(2);
  }
  CHECK(memory_stats().total_peak == before + 2 * kMega);
}

TEST_CASE("memory: a tensor is counted under the category it was made in, wherever it dies") {
  const int64_t before = live(Category::optimizer);
  Tensor t;
  {
    const CategoryScope scope(Category::optimizer);
    CHECK(current_category() == Category::optimizer);
    t = megabytes(1);
    std::thread([] { CHECK(current_category() == Category::activations); }).join();
  }
  CHECK(current_category() == Category::activations);
  CHECK(live(Category::optimizer) == before + kMega);
  t = Tensor();
  CHECK(live(Category::optimizer) == before);
}

TEST_CASE("memory: what was freed is used again, and given back when asked") {
  release_cached_memory();
  CHECK(memory_stats().cached == 0);
  const void* first = megabytes(4).raw();
  CHECK(memory_stats().cached == 4 * kMega);
  const Tensor again = Tensor::empty({4 * kMega - 100}, DType::u8);  // rounded up to 64 bytes
  CHECK(again.raw() == first);
  CHECK(memory_stats().cached == 64);
  CHECK(reinterpret_cast<uintptr_t>(again.raw()) % 64 == 0);
  CHECK(reinterpret_cast<uintptr_t>(Tensor::empty({3}, DType::u8).raw()) % 64 == 0);
  const int64_t resident = rss_bytes();
  { const Tensor touched = Tensor::zeros({64 * kMega}, DType::u8); }
  CHECK(rss_bytes() >= resident + 63 * kMega);
  release_cached_memory();
  CHECK(memory_stats().cached == 0);
  CHECK(rss_bytes() <= resident + 4 * kMega);  // the huge pages at its ends are touched as wholes
}

TEST_CASE("memory: the most that is held, with what lies idle") {
  release_cached_memory();
  reset_memory_peak();
  const MemoryStats before = memory_stats();
  const Tensor kept = megabytes(1);
  Tensor gone = megabytes(4);
  const Tensor behind = megabytes(1);
  gone = Tensor();
  const Tensor larger = megabytes(5);  // does not fit where four were
  const MemoryStats s = memory_stats();
  CHECK(s.total_peak - before.total_live == 7 * kMega);
  CHECK(s.cached == 4 * kMega);
  CHECK(s.held_peak - before.total_live == 11 * kMega);
  const auto activations = static_cast<size_t>(Category::activations);
  CHECK(s.at_held_peak[activations] - before.live[activations] == 7 * kMega);
}

TEST_CASE("memory: tensors of many sizes do not pile up in the cache") {
  release_cached_memory();
  const int64_t before = memory_stats().total_live;
  for (int64_t i = 0; i < 200; ++i) Tensor::empty({3 * kMega + i * kMega / 4}, DType::u8);
  CHECK(memory_stats().total_live == before);
  const int64_t most = memory_stats().most_live;
  CHECK(before + memory_stats().cached <= most + most / 16 + 32 * kMega);
  release_cached_memory();
}

TEST_CASE("memory: more than there is becomes an error that says what to do") {
  const int64_t before = memory_stats().total_live;
  const std::string message = test::error_of([] { Tensor::empty({int64_t{1} << 55}, DType::u8); });
  CHECK(message.find("out of memory") != std::string::npos);
  CHECK(message.find("--gradient-checkpointing") != std::string::npos);
  CHECK(memory_stats().total_live == before);
}

TEST_CASE("memory: the process's peak grows with what it touches") {
  release_cached_memory();
  const int64_t before = peak_rss_bytes();
  CHECK(before > kMega);
  const Tensor t = Tensor::zeros({before + 16 * kMega}, DType::u8);
  CHECK(peak_rss_bytes() >= before + 16 * kMega);
}

}  // namespace
}  // namespace lk
