// Memory of tensors: what is live on each device, and the most that ever was, by category; and the
// host's, cut from a heap that keeps what was freed for the next tensors (engine/heap.h). The
// device's: engine/device.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lk {

enum class Device : uint8_t { cpu, cuda };
std::string_view name_of(Device device);  // "cpu"

enum class Category : uint8_t { weights, gradients, optimizer, activations, workspace };
inline constexpr int kCategories = 5;
std::string_view name_of(Category category);

// While it lives, tensors made by this thread are counted under `category` (the default is
// activations).
class CategoryScope {
 public:
  explicit CategoryScope(Category category);
  ~CategoryScope();
  CategoryScope(const CategoryScope&) = delete;
  CategoryScope& operator=(const CategoryScope&) = delete;

 private:
  Category previous_;
};
Category current_category();

struct MemoryStats {
  std::array<int64_t, kCategories> live{}, peak{};  // bytes
  int64_t total_live = 0, total_peak = 0;           // total_peak: of the sum, not the sum of peaks
  // The largest total_live since release_cached_memory: how much is kept depends on it.
  int64_t most_live = 0;
  int64_t cached = 0;  // freed, kept for reuse (the host's): the total stays within
                       // most_live / 16 + 32 MiB of most_live
  // The most that was had from the system, total_live + cached, and what was live then.
  int64_t held_peak = 0;
  std::array<int64_t, kCategories> at_held_peak{};
};
MemoryStats memory_stats(Device device = Device::cpu);
void reset_memory_peak();  // on every device
// Adds to what is live; negative when memory is given back. For the allocator of the device, and
// for managed memory (engine/paged.h), which is the host's.
void count_memory(Device device, Category category, int64_t bytes);
// Whether the host's memory is enough for so much more than what is live.
bool host_has_room(size_t bytes);
// Throws Error: what was asked for, what is in use, and what needs less.
[[noreturn]] void fail_out_of_memory(Device device, Category category, size_t bytes);

void release_cached_memory();  // gives cached blocks back to the system

// 64-byte aligned; `allocate` throws Error when the system has no more.
void* allocate(size_t bytes, Category category);
void deallocate(void* data, size_t bytes, Category category) noexcept;

// Of the process, as the kernel counts it (VmHWM, VmRSS); 0 where unknown.
int64_t peak_rss_bytes();
int64_t rss_bytes();

}  // namespace lk
