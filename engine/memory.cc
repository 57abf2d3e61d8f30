#include "engine/memory.h"

#include <fmt/format.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <mutex>
#include <string>

#include "engine/dry_run.h"
#include "engine/error.h"
#include "engine/heap.h"

namespace lk {
namespace {

struct Pool {
  std::mutex mutex;
  Heap heap;
  std::array<MemoryStats, 2> of_device;
  MemoryStats& stats = of_device[0];
};

// Never destroyed: tensors in static storage may outlive any static pool.
Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

thread_local Category g_category = Category::activations;

void note_held(MemoryStats& s) {
  s.held_peak = s.total_live + s.cached;
  s.at_held_peak = s.live;
}

int64_t process_status(std::string_view field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(field, 0) == 0)
      return std::strtoll(line.c_str() + field.size(), nullptr, 10) * 1024;
  return 0;
}

int64_t found_memory() {
  struct sysinfo info {};
  if (sysinfo(&info) != 0) return std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>((info.totalram + info.totalswap) * info.mem_unit);
}
// The machine's; more than that is refused rather than found out by touching it.
int64_t system_memory() {
  static const int64_t bytes = found_memory();
  return bytes;
}

void release_down_to(Pool& p, int64_t keep) {
  p.heap.release(static_cast<size_t>(std::max<int64_t>(keep, 0)));
  p.stats.cached = static_cast<int64_t>(p.heap.idle());
}

void count_locked(Pool& p, Device device, Category category, int64_t bytes) {
  MemoryStats& s = p.of_device[static_cast<size_t>(device)];
  const auto c = static_cast<size_t>(category);
  s.live[c] += bytes;
  s.peak[c] = std::max(s.peak[c], s.live[c]);
  s.total_live += bytes;
  s.total_peak = std::max(s.total_peak, s.total_live);
  s.most_live = std::max(s.most_live, s.total_live);
}

}  // namespace

std::string_view name_of(Device device) { return device == Device::cpu ? "cpu" : "cuda"; }

std::string_view name_of(Category category) {
  constexpr std::array<std::string_view, kCategories> names{"weights", "gradients", "optimizer",
                                                            "activations", "workspace"};
  return names[static_cast<size_t>(category)];
}

CategoryScope::CategoryScope(Category category) : previous_(g_category) { g_category = category; }
CategoryScope::~CategoryScope() { g_category = previous_; }
Category current_category() { return g_category; }

MemoryStats memory_stats(Device device) {
  const std::lock_guard lock(pool().mutex);
  return pool().of_device[static_cast<size_t>(device)];
}

void reset_memory_peak() {
  const std::lock_guard lock(pool().mutex);
  for (MemoryStats& s : pool().of_device) {
    s.peak = s.live;
    s.total_peak = s.total_live;
    note_held(s);
  }
}

void count_memory(Device device, Category category, int64_t bytes) {
  const std::lock_guard lock(pool().mutex);
  count_locked(pool(), device, category, bytes);
}

bool host_has_room(size_t bytes) {
  return static_cast<int64_t>(bytes) <= system_memory() - memory_stats(Device::cpu).total_live;
}

void fail_out_of_memory(Device device, Category category, size_t bytes) {
  const MemoryStats s = memory_stats(device);
  std::string uses;
  for (size_t c = 0; c < kCategories; ++c)
    uses += fmt::format("{}{} {}", c ? ", " : "", name_of(static_cast<Category>(c)), s.live[c]);
  fail(
      "out of memory on the {}: {} bytes for {} could not be had; in use are {} bytes ({}). A "
      "smaller --batch-size, a shorter --max-length, --gradient-checkpointing or --dtype bf16 need "
      "less",
      device == Device::cpu ? "host" : "CUDA device", bytes, name_of(category), s.total_live, uses);
}

void release_cached_memory() {
  const std::lock_guard lock(pool().mutex);
  release_down_to(pool(), 0);
  pool().stats.most_live = pool().stats.total_live;
}

void* allocate(size_t bytes, Category category) {
  const auto n = static_cast<int64_t>(Heap::rounded(bytes));
  Pool& p = pool();
  std::unique_lock lock(p.mutex);
  void* data =
      dry_run() || n <= system_memory() - p.stats.total_live ? p.heap.take(bytes) : nullptr;
  if (!data) {
    lock.unlock();
    fail_out_of_memory(Device::cpu, category, bytes);
  }
  count_locked(p, Device::cpu, category, n);
  // Batches of many lengths leave gaps of every size behind: all memory together stays near the
  // most that was ever in use at once.
  constexpr int64_t kSlack = 32 << 20;
  release_down_to(p, p.stats.most_live + p.stats.most_live / 16 + kSlack - p.stats.total_live);
  if (p.stats.total_live + p.stats.cached > p.stats.held_peak) note_held(p.stats);
  return data;
}

void deallocate(void* data, size_t bytes, Category category) noexcept {
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  p.heap.give(data, bytes);
  p.stats.cached = static_cast<int64_t>(p.heap.idle());
  count_locked(p, Device::cpu, category, -static_cast<int64_t>(Heap::rounded(bytes)));
}

int64_t peak_rss_bytes() { return process_status("VmHWM:"); }
int64_t rss_bytes() { return process_status("VmRSS:"); }

}  // namespace lk
