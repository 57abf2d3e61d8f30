#include "engine/memory.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

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

struct Pool {
  std::mutex mutex;
  std::unordered_map<size_t, std::vector<void*>> free_blocks;
  MemoryStats stats;
};

// Never destroyed: tensors in static storage may outlive any static pool.
Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

thread_local Category g_category = Category::activations;

void note_held(MemoryStats& s) {
  s.held_peak = s.total_live + s.cached;
  s.slack_at_held_peak = s.slack;
  s.at_held_peak = s.live;
}

int64_t process_status(std::string_view field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(field, 0) == 0)
      return std::strtoll(line.c_str() + field.size(), nullptr, 10) * 1024;
  return 0;
}

void release_locked(Pool& p) {
  for (auto& [size, blocks] : p.free_blocks) {
    for (void* block : blocks) std::free(block);
    blocks.clear();
  }
  p.stats.cached = 0;
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
  note_held(pool().stats);
}

void release_cached_memory() {
  const std::lock_guard lock(pool().mutex);
  release_locked(pool());
}

void* allocate(size_t bytes, Category category) {
  const size_t size = size_class(std::max<size_t>(bytes, 1));
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  void* data = nullptr;
  auto& blocks = p.free_blocks[size];
  if (!blocks.empty()) {
    data = blocks.back();
    blocks.pop_back();
    p.stats.cached -= static_cast<int64_t>(size);
  } else {
    // Batches of many lengths would leave blocks of every size behind: what lies idle stays below
    // what is in use.
    constexpr int64_t kIdle = 64 << 20;
    if (p.stats.cached > p.stats.total_live / 2 + kIdle) release_locked(p);
    data = std::aligned_alloc(kAlignment, size);
    if (!data) {
      release_locked(p);
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
  const auto n = static_cast<int64_t>(size);
  p.stats.live[c] += n;
  p.stats.peak[c] = std::max(p.stats.peak[c], p.stats.live[c]);
  p.stats.total_live += n;
  p.stats.total_peak = std::max(p.stats.total_peak, p.stats.total_live);
  p.stats.slack += n - static_cast<int64_t>(bytes);
  if (p.stats.total_live + p.stats.cached > p.stats.held_peak) note_held(p.stats);
  return data;
}

void deallocate(void* data, size_t bytes, Category category) noexcept {
  const size_t size = size_class(std::max<size_t>(bytes, 1));
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  p.free_blocks[size].push_back(data);
  const auto n = static_cast<int64_t>(size);
  p.stats.cached += n;
  p.stats.live[static_cast<size_t>(category)] -= n;
  p.stats.total_live -= n;
  p.stats.slack -= n - static_cast<int64_t>(bytes);
}

int64_t peak_rss_bytes() { return process_status("VmHWM:"); }
int64_t rss_bytes() { return process_status("VmRSS:"); }

}  // namespace lk
