#include "engine/memory.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

#include "engine/error.h"

namespace lk {
namespace {

constexpr size_t kAlignment = 64;

// Rounds up so that tensors of nearly the same size share blocks: at most 1/8 is wasted.
size_t size_class(size_t bytes) {
  if (bytes <= 4096) return (bytes + 255) / 256 * 256;
  size_t step = 512;
  while (step * 16 <= bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

struct Block {
  void* data;
  size_t size;
};

struct Pool {
  std::mutex mutex;
  std::list<Block> idle;  // freed, kept for reuse; the one that has lain longest comes first
  std::unordered_map<size_t, std::deque<std::list<Block>::iterator>> by_size;  // in idle's order
  MemoryStats stats;
};

// Never destroyed: tensors in static storage may outlive any static pool.
Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

thread_local Category g_category = Category::activations;

// Gives back the blocks that have lain longest until at most `keep` bytes are idle.
void release_down_to(Pool& p, int64_t keep) {
  while (p.stats.cached > keep && !p.idle.empty()) {
    const Block oldest = p.idle.front();
    p.by_size[oldest.size].pop_front();
    p.idle.pop_front();
    p.stats.cached -= static_cast<int64_t>(oldest.size);
    std::free(oldest.data);
  }
}

}  // namespace

std::string_view name_of(Category category) {
  constexpr std::array<std::string_view, kCategories> names{"weights", "gradients", "optimizer",
                                                            "activations", "workspace"};
  return names[static_cast<size_t>(category)];
}

CategoryScope::CategoryScope(Category category) : previous_(g_category) { g_category = category; }
CategoryScope::~CategoryScope() { g_category = previous_; }
Category current_category() { return g_category; }

MemoryStats memory_stats() {
  const std::lock_guard lock(pool().mutex);
  return pool().stats;
}

void reset_memory_peak() {
  const std::lock_guard lock(pool().mutex);
  pool().stats.peak = pool().stats.live;
  pool().stats.total_peak = pool().stats.total_live;
}

void release_cached_memory() {
  const std::lock_guard lock(pool().mutex);
  release_down_to(pool(), 0);
}

void* allocate(size_t bytes, Category category) {
  const size_t size = size_class(std::max<size_t>(bytes, 1));
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  void* data = nullptr;
  const auto n = static_cast<int64_t>(size);
  if (auto& blocks = p.by_size[size]; !blocks.empty()) {
    data = blocks.back()->data;
    p.idle.erase(blocks.back());
    blocks.pop_back();
    p.stats.cached -= n;
  } else {
    // Batches of many lengths leave blocks of every size behind: all memory together stays near the
    // most that was ever in use at once.
    constexpr int64_t kSlack = 32 << 20;
    const int64_t limit = p.stats.most_live + p.stats.most_live / 16 + kSlack;
    release_down_to(p, std::max<int64_t>(limit - p.stats.total_live - n, 0));
    data = std::aligned_alloc(kAlignment, size);
    if (!data) {
      release_down_to(p, 0);
      data = std::aligned_alloc(kAlignment, size);
    }
    if (!data)
      fail(
          "out of memory: {} bytes for {} could not be had ({} bytes in use); use a smaller batch, "
          "a shorter "
          "sequence or --gradient-checkpointing",
          size, name_of(category), p.stats.total_live);
  }
  const auto c = static_cast<size_t>(category);
  p.stats.live[c] += n;
  p.stats.peak[c] = std::max(p.stats.peak[c], p.stats.live[c]);
  p.stats.total_live += n;
  p.stats.total_peak = std::max(p.stats.total_peak, p.stats.total_live);
  p.stats.most_live = std::max(p.stats.most_live, p.stats.total_live);
  return data;
}

void deallocate(void* data, size_t bytes, Category category) noexcept {
  const size_t size = size_class(std::max<size_t>(bytes, 1));
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  p.by_size[size].push_back(p.idle.insert(p.idle.end(), {data, size}));
  const auto n = static_cast<int64_t>(size);
  p.stats.cached += n;
  p.stats.live[static_cast<size_t>(category)] -= n;
  p.stats.total_live -= n;
}

int64_t peak_rss_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::strtoll(line.c_str() + 6, nullptr, 10) * 1024;
  return 0;
}

}  // namespace lk
