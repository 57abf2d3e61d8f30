// Memory of what a graph does: a graph's own, since what is taken in the order of a stream would
// become part of the graph, and a graph with such parts cannot be updated (CUDA Programming Guide,
// "Graph Memory Nodes").
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace lk {

// Device memory, cut from large blocks; pieces that are given back are taken again. May be used
// while a stream is captured in relaxed mode.
class GraphMemory {
 public:
  GraphMemory() = default;
  ~GraphMemory();
  GraphMemory(const GraphMemory&) = delete;
  GraphMemory& operator=(const GraphMemory&) = delete;

  void* take(size_t bytes);  // 256-byte aligned; null when the device has no more
  bool give(void* piece);    // false when it is none of its pieces
  bool empty() const { return taken_.empty(); }

 private:
  void add_gap(uintptr_t at, size_t size);
  void remove_gap(std::map<uintptr_t, size_t>::iterator gap);

  std::set<uintptr_t> blocks_;
  std::map<uintptr_t, size_t> gaps_, taken_;
  std::set<std::pair<size_t, uintptr_t>> by_size_;
};

// Pinned host memory for what one launch copies to the device; all of it is given back at once.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;

  void* take(size_t bytes);  // 64-byte aligned; Error when there is no more
  void reset() { block_ = used_ = 0; }

 private:
  std::vector<std::pair<char*, size_t>> blocks_;
  size_t block_ = 0, used_ = 0;  // the block in use, and how much of it was taken
};

}  // namespace lk
