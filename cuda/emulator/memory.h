// Device memory: an arena of addresses, with a zone around each block that nobody may touch, and
// for each word what is known of it. An address is given again only when all have been given, those
// freed longest ago first.
#pragma once

#include <cstddef>
#include <cstdint>

namespace emu {

// One access: who, when, where in the code, which bytes of the word. 0 is none.
struct Access {
  uint32_t block;  // running number, over all launches
  uint32_t time;   // block_time()
  uint32_t thread : 11, atomic : 1, mask : 4;
  uint32_t site;  // distance from code_base()
};
struct Cell {
  Access write[2], read[2];
};
// Of global words: bits 0-3 say which bytes were written, bits 4-7 which are part of a block.
// Of shared words: bits 0-3 which were written, above them the block's shared_stamp().
using Stamp = uint32_t;

// A range of addresses with a Cell and a Stamp for each 4 bytes.
struct Space {
  uintptr_t base = 0;
  size_t bytes = 0;
  Cell* cells = nullptr;
  Stamp* stamps = nullptr;
  bool contains(uintptr_t a) const { return a - base < bytes; }
  size_t word(uintptr_t a) const { return (a - base) / 4; }
};
Space& global_space();
Space& dynamic_space();  // dynamic shared memory
Space& static_space();   // the program's data segment: __shared__ variables are there

void forget_accesses();      // all Cells
void forget_shared_marks();  // Stamps of shared words

enum class Kind : uint8_t { device, managed };
void* device_allocate(size_t bytes, Kind kind = Kind::device);  // null when there is no room
bool device_free(void* data);                                   // false when it is no block
bool is_device_memory(const void* data, size_t bytes);          // lies within one live block
void mark_written(const void* data, size_t bytes);
bool all_written(const void* data, size_t bytes);
// What a copy within the device leaves written is what it read.
void copy_marks(const void* to, const void* from, size_t bytes);
size_t device_bytes_in_use();
// Of what pinned and managed memory have of the host (machine().host_bytes).
bool take_host_bytes(size_t bytes);  // false when there is no room
void give_host_bytes(size_t bytes);

inline bool on_device(const void* data) {
  return global_space().contains(reinterpret_cast<uintptr_t>(data));
}
// The device that cudaSetDevice chose, and which there are. All have one memory.
int& current_device();
bool is_device(int device);
// Managed memory (managed.cc): lies within one live block of it; is not where kernels look first,
// that is, was not fetched to the device last.
bool is_managed(const void* data, size_t bytes);
bool is_away(uintptr_t address);
void forget_managed(const void* data);  // a block that was freed
bool is_pinned(const void* data);       // (streams.cc)
// Addresses that there are: more than memory, so that freed ones stay unused for long.
inline constexpr size_t kAddresses = size_t{64} << 30;

// The block an address lies in or beside: for messages.
struct Block {
  uintptr_t begin = 0;
  size_t bytes = 0;
  bool freed = false;
  Kind kind = Kind::device;
};
Block nearest_block(uintptr_t address);

size_t shared_limit(const void* kernel);  // most dynamic shared memory that a launch may ask for
void set_shared_limit(const void* kernel, size_t bytes);
inline constexpr size_t kSharedDefault = 48 << 10, kSharedMost = 227 << 10;

}  // namespace emu
