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

TEST_CASE("memory: freed blocks are used again, and given back when asked") {
  release_cached_memory();
  CHECK(memory_stats().cached == 0);
  const void* first = megabytes(4).raw();
  CHECK(memory_stats().cached == 4 * kMega);
  const Tensor again = Tensor::empty({4 * kMega - 100}, DType::u8);  // of the same size class
  CHECK(again.raw() == first);
  CHECK(memory_stats().cached == 0);
  CHECK(reinterpret_cast<uintptr_t>(again.raw()) % 64 == 0);
  CHECK(reinterpret_cast<uintptr_t>(Tensor::empty({3}, DType::u8).raw()) % 64 == 0);
  release_cached_memory();
  CHECK(memory_stats().cached == 0);
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

#if !defined(__SANITIZE_ADDRESS__)  // whose allocator ends the process instead
TEST_CASE("memory: more than there is becomes an error that says what to do") {
  const int64_t before = memory_stats().total_live;
  const std::string message = test::error_of([] { Tensor::empty({int64_t{1} << 55}, DType::u8); });
  CHECK(message.find("out of memory") != std::string::npos);
  CHECK(message.find("--gradient-checkpointing") != std::string::npos);
  CHECK(memory_stats().total_live == before);
}
#endif

TEST_CASE("memory: the process's peak grows with what it touches") {
  release_cached_memory();
  const int64_t before = peak_rss_bytes();
  CHECK(before > kMega);
  const Tensor t = Tensor::zeros({before + 16 * kMega}, DType::u8);
  CHECK(peak_rss_bytes() >= before + 16 * kMega);
}

}  // namespace
}  // namespace lk
