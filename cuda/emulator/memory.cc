#include "cuda/emulator/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <new>

#include "cuda/emulator/emulator.h"

// The linker's names for the ends of the data segment.
extern char __data_start, _end;  // NOLINT(bugprone-reserved-identifier)

namespace emu {
namespace {

constexpr size_t kGuard = 256, kAlign = 256, kPage = 4096;
// Freed blocks that are known as such; an access to an older one is out of bounds.
constexpr size_t kMostFreed = size_t{1} << 20;

// Memory that takes up room only where it is written.
void* reserve(size_t bytes) {
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) throw std::bad_alloc();
  return data;
}

Space make_space(uintptr_t base, size_t bytes) {
  const size_t words = bytes / 4 + 1;
  return {base, bytes, static_cast<Cell*>(reserve(words * sizeof(Cell))),
          static_cast<Stamp*>(reserve(words * sizeof(Stamp)))};
}

Space reserved_space(size_t bytes) {
  return make_space(reinterpret_cast<uintptr_t>(reserve(bytes)), bytes);
}

struct Blocks {
  std::map<uintptr_t, Block> all;  // by begin; freed ones too, until others take their place
  std::deque<uintptr_t> freed;     // in the order of their ends
  uintptr_t next = 0;
  size_t in_use = 0, host_in_use = 0;
};
Blocks& blocks() {
  static Blocks& b = *new Blocks;
  return b;
}

unsigned bytes_of_word(size_t word, size_t begin, size_t end) {
  unsigned mask = 0;
  for (unsigned i = 0; i < 4; ++i)
    if (word * 4 + i >= begin && word * 4 + i < end) mask |= 1u << i;
  return mask;
}

template <class F>
void each_word(const void* data, size_t bytes, F f) {
  const size_t begin = reinterpret_cast<uintptr_t>(data) - global_space().base, end = begin + bytes;
  for (size_t word = begin / 4; word * 4 < end; ++word)
    f(global_space().stamps[word],
      word * 4 >= begin && word * 4 + 4 <= end ? 0xfu : bytes_of_word(word, begin, end));
}

template <class T>
void forget(T* first, size_t count) {
  // Whole pages go back to the system; what is left is cleared.
  const auto begin = reinterpret_cast<uintptr_t>(first), end = begin + count * sizeof(T);
  const uintptr_t from = (begin + kPage - 1) / kPage * kPage, to = end / kPage * kPage;
  if (from >= to) {
    std::memset(static_cast<void*>(first), 0, end - begin);
    return;
  }
  std::memset(static_cast<void*>(first), 0, from - begin);
  madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
  std::memset(reinterpret_cast<void*>(to), 0, end - to);
}

uintptr_t round_up(uintptr_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Some live block that has addresses of [begin, end); null when there is none.
const Block* live_block_in(uintptr_t begin, uintptr_t end) {
  auto& all = blocks().all;
  auto at = all.upper_bound(begin);
  if (at != all.begin()) --at;
  for (; at != all.end() && at->first < end; ++at)
    if (!at->second.freed && at->first + at->second.bytes > begin) return &at->second;
  return nullptr;
}

// Where a block may begin: after the last one, or, at the end of all addresses, from their
// beginning on. 0 when there is no room.
uintptr_t find_room(size_t bytes, size_t align) {
  const uintptr_t base = global_space().base,
                  end = base + std::min(machine().addresses, global_space().bytes);
  if (bytes > end - base) return 0;
  for (const uintptr_t from : {std::max(blocks().next, base), base}) {
    uintptr_t begin = round_up(from + kGuard, align);
    while (begin + bytes + kGuard <= end) {
      const Block* taken = live_block_in(begin - kGuard, begin + bytes + kGuard);
      if (!taken) return begin;
      begin = round_up(taken->begin + taken->bytes + kGuard, align);
    }
  }
  return 0;
}

// What was freed where a new block begins is known no more.
void forget_freed_blocks(uintptr_t begin, uintptr_t end) {
  auto& all = blocks().all;
  auto at = all.lower_bound(begin);
  if (at != all.begin() && std::prev(at)->first + std::prev(at)->second.bytes > begin) --at;
  while (at != all.end() && at->first < end) at = all.erase(at);
}

// The words of freed memory hold nothing and nothing is known of them. Small blocks share pages:
// these go back to the system with the last of them.
void forget_memory(uintptr_t begin, uintptr_t end) {
  const uintptr_t first = begin / kPage * kPage, last = round_up(end, kPage);
  if (!live_block_in(first, begin)) begin = first;
  if (!live_block_in(end, last)) end = last;
  const Space& space = global_space();
  const size_t word = space.word(begin), words = (end - begin + 3) / 4;
  forget(reinterpret_cast<char*>(begin), end - begin);
  forget(space.cells + word, words);
  forget(space.stamps + word, words);
}

std::map<const void*, size_t>& limits() {
  static auto& table = *new std::map<const void*, size_t>;
  return table;
}

}  // namespace

Space& global_space() {
  static Space space = reserved_space(kAddresses);
  return space;
}
Space& dynamic_space() {
  static Space space = reserved_space(kSharedMost + 4096);
  return space;
}
Space& static_space() {
  static Space space = make_space(reinterpret_cast<uintptr_t>(&__data_start) & ~uintptr_t{15},
                                  static_cast<size_t>(&_end - &__data_start) + 16);
  return space;
}

void forget_accesses() {
  for (const Space* space : {&global_space(), &dynamic_space(), &static_space()})
    forget(space->cells, space->bytes / 4 + 1);
}
void forget_shared_marks() {
  for (const Space* space : {&dynamic_space(), &static_space()})
    forget(space->stamps, space->bytes / 4 + 1);
}

bool take_host_bytes(size_t bytes) {
  size_t& in_use = blocks().host_in_use;
  if (bytes > machine().host_bytes || in_use > machine().host_bytes - bytes) return false;
  in_use += bytes;
  return true;
}
void give_host_bytes(size_t bytes) { blocks().host_in_use -= bytes; }

void* device_allocate(size_t bytes, Kind kind) {
  Blocks& b = blocks();
  const uintptr_t begin = find_room(bytes, kind == Kind::managed ? kPage : kAlign);
  if (begin == 0) return nullptr;
  if (kind == Kind::managed) {
    if (!take_host_bytes(bytes)) return nullptr;
  } else {
    if (b.in_use + bytes > machine().bytes) return nullptr;
    b.in_use += bytes;
  }
  forget_freed_blocks(begin, begin + bytes);
  b.next = begin + bytes;
  b.all[begin] = {begin, bytes, false, kind};
  void* data = reinterpret_cast<void*>(begin);
  std::memset(data, 0xff, bytes);  // NaN, should somebody read it with no checker there
  each_word(data, bytes, [](Stamp& stamp, unsigned mask) { stamp = mask << 4; });
  return data;
}

bool device_free(void* data) {
  const auto found = blocks().all.find(reinterpret_cast<uintptr_t>(data));
  if (found == blocks().all.end() || found->second.freed) return false;
  Block& block = found->second;
  block.freed = true;
  if (block.kind == Kind::managed) {
    give_host_bytes(block.bytes);
    forget_managed(data);
  } else {
    blocks().in_use -= block.bytes;
  }
  forget_memory(block.begin, block.begin + block.bytes);
  std::deque<uintptr_t>& freed = blocks().freed;
  freed.push_back(block.begin);
  if (freed.size() > kMostFreed) {
    const auto oldest = blocks().all.find(freed.front());
    if (oldest != blocks().all.end() && oldest->second.freed) blocks().all.erase(oldest);
    freed.pop_front();
  }
  return true;
}

Block nearest_block(uintptr_t address) {
  const auto after = blocks().all.upper_bound(address);
  const bool has_next = after != blocks().all.end();
  if (after == blocks().all.begin()) return has_next ? after->second : Block{};
  const Block before = std::prev(after)->second;
  if (!has_next || address < before.begin + before.bytes) return before;
  const uintptr_t past = address - (before.begin + before.bytes);
  return past < after->second.begin - address ? before : after->second;
}

bool is_device_memory(const void* data, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(data);
  if (!global_space().contains(begin)) return false;
  const Block block = nearest_block(begin);
  return !block.freed && begin >= block.begin && begin + bytes <= block.begin + block.bytes;
}

void mark_written(const void* data, size_t bytes) {
  each_word(data, bytes, [](Stamp& stamp, unsigned mask) { stamp |= mask; });
}

bool all_written(const void* data, size_t bytes) {
  bool all = true;
  each_word(data, bytes, [&](Stamp& stamp, unsigned mask) { all &= (stamp & mask) == mask; });
  return all;
}

void copy_marks(const void* to, const void* from, size_t bytes) {
  const Space& space = global_space();
  const size_t target = reinterpret_cast<uintptr_t>(to) - space.base,
               source = reinterpret_cast<uintptr_t>(from) - space.base;
  for (size_t i = 0; i < bytes; ++i) {
    const Stamp bit = space.stamps[(source + i) / 4] >> ((source + i) % 4) & 1u;
    Stamp& stamp = space.stamps[(target + i) / 4];
    stamp = (stamp & ~(1u << (target + i) % 4)) | bit << (target + i) % 4;
  }
}

size_t device_bytes_in_use() { return blocks().in_use; }

size_t shared_limit(const void* kernel) {
  const auto found = limits().find(kernel);
  return found == limits().end() ? kSharedDefault : found->second;
}
void set_shared_limit(const void* kernel, size_t bytes) { limits()[kernel] = bytes; }

}  // namespace emu
