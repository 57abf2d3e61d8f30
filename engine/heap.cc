#include "engine/heap.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace lk {
namespace {

#if defined(__SANITIZE_ADDRESS__)
// Gaps are not to be touched; what is too large for its shadow to be written is let be.
constexpr size_t kReserve = size_t{256} << 20;
void forbid(uintptr_t at, size_t size) {
  if (size <= size_t{1} << 30) ASAN_POISON_MEMORY_REGION(reinterpret_cast<void*>(at), size);
}
void permit(uintptr_t at, size_t size) {
  ASAN_UNPOISON_MEMORY_REGION(reinterpret_cast<void*>(at), size);
}
#else
constexpr size_t kReserve = size_t{64} << 30;
void forbid(uintptr_t, size_t) {}
void permit(uintptr_t, size_t) {}
#endif

constexpr size_t kLimitedReserve = size_t{64} << 20;

bool limited() {
  const auto limit = [](auto resource) {
    rlimit r{};
    return getrlimit(resource, &r) == 0 && r.rlim_cur != RLIM_INFINITY;
  };
  return limit(RLIMIT_AS) || limit(RLIMIT_DATA);
}

}  // namespace

size_t Heap::rounded(size_t bytes) {
  return (std::max<size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
}

bool Heap::reserve(size_t bytes) {
  // Where addresses are limited (ulimit, strict overcommit) little is reserved at a time.
  for (size_t size = std::max(bytes, limited() ? kLimitedReserve : kReserve);;
       size = std::max(bytes, size / 4)) {
    void* range = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range != MAP_FAILED) {
      // Huge pages, where the system gives them: large tensors are filled and read from end to end.
      madvise(range, size, MADV_HUGEPAGE);
      forbid(reinterpret_cast<uintptr_t>(range), size);
      insert(reinterpret_cast<uintptr_t>(range), {size, 0});
      return true;
    }
    if (size == bytes) return false;
  }
}

void Heap::insert(uintptr_t at, Gap gap) {
  gaps_.emplace(at, gap);
  by_size_.emplace(gap.size, at);
  by_resident_.emplace(gap.resident, at);
  idle_ += gap.resident;
}

void Heap::erase(std::map<uintptr_t, Gap>::iterator gap) {
  by_size_.erase({gap->second.size, gap->first});
  by_resident_.erase({gap->second.resident, gap->first});
  idle_ -= gap->second.resident;
  gaps_.erase(gap);
}

void* Heap::take(size_t bytes) {
  const size_t size = rounded(bytes);
  auto best = by_size_.lower_bound({size, 0});
  if (best == by_size_.end()) {
    if (!reserve(size)) return nullptr;
    best = by_size_.lower_bound({size, 0});
  }
  const auto found = gaps_.find(best->second);
  const uintptr_t at = found->first;
  const Gap gap = found->second;
  erase(found);
  if (gap.size > size)
    insert(at + size, {gap.size - size, gap.resident - std::min(gap.resident, size)});
  permit(at, bytes);
  return reinterpret_cast<void*>(at);
}

void Heap::give(void* piece, size_t bytes) {
  auto at = reinterpret_cast<uintptr_t>(piece);
  const size_t size = rounded(bytes);
  forbid(at, size);
  Gap gap{size, size};
  const auto join = [&](std::map<uintptr_t, Gap>::iterator other) {
    at = std::min(at, other->first);
    gap.size += other->second.size;
    gap.resident += other->second.resident;
    erase(other);
  };
  if (const auto next = gaps_.find(at + size); next != gaps_.end()) join(next);
  if (auto next = gaps_.lower_bound(at); next != gaps_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second.size == at) join(before);
  }
  insert(at, gap);
}

void Heap::release(size_t keep) {
  static const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  while (idle_ > keep && !by_resident_.empty()) {
    const auto found = gaps_.find(std::prev(by_resident_.end())->second);
    const uintptr_t at = found->first, first = (at + page - 1) / page * page,
                    end = (at + found->second.size) / page * page;
    if (found->second.resident < page || end <= first) return;
    madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
    const Gap gap{found->second.size, 0};
    erase(found);
    insert(at, gap);
  }
}

}  // namespace lk
