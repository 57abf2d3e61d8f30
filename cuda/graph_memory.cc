#include "cuda/graph_memory.h"

#include <algorithm>

#include "cuda/launch.h"

namespace lk {
namespace {

constexpr size_t kAlignment = 256, kBlock = size_t{32} << 20;    // of the device
constexpr size_t kPinnedAlignment = 64, kPinnedBlock = 1 << 20;  // of the host

size_t rounded(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

GraphMemory::~GraphMemory() {
  for (const uintptr_t block : blocks_) cudaFree(reinterpret_cast<void*>(block));
}

void GraphMemory::add_gap(uintptr_t at, size_t size) {
  gaps_[at] = size;
  by_size_.insert({size, at});
}

void GraphMemory::remove_gap(std::map<uintptr_t, size_t>::iterator gap) {
  by_size_.erase({gap->second, gap->first});
  gaps_.erase(gap);
}

void* GraphMemory::take(size_t bytes) {
  const size_t size = rounded(std::max<size_t>(bytes, 1), kAlignment);
  auto fit = by_size_.lower_bound({size, 0});
  if (fit == by_size_.end()) {
    const size_t block_size = rounded(size, kBlock);
    void* block = nullptr;
    if (cudaMalloc(&block, block_size) != cudaSuccess) {
      cudaGetLastError();
      return nullptr;
    }
    blocks_.insert(reinterpret_cast<uintptr_t>(block));
    add_gap(reinterpret_cast<uintptr_t>(block), block_size);
    fit = by_size_.find({block_size, reinterpret_cast<uintptr_t>(block)});
  }
  const auto [gap_size, at] = *fit;
  remove_gap(gaps_.find(at));
  if (gap_size > size) add_gap(at + size, gap_size - size);
  taken_[at] = size;
  return reinterpret_cast<void*>(at);
}

bool GraphMemory::give(void* piece) {
  const auto found = taken_.find(reinterpret_cast<uintptr_t>(piece));
  if (found == taken_.end()) return false;
  uintptr_t at = found->first;
  size_t size = found->second;
  taken_.erase(found);
  // Gaps that meet become one, within a block.
  auto after = gaps_.lower_bound(at);
  if (after != gaps_.end() && after->first == at + size && !blocks_.count(at + size)) {
    size += after->second;
    remove_gap(after);
  }
  after = gaps_.lower_bound(at);
  if (after != gaps_.begin() && !blocks_.count(at)) {
    const auto before = std::prev(after);
    if (before->first + before->second == at) {
      at = before->first;
      size += before->second;
      remove_gap(before);
    }
  }
  add_gap(at, size);
  return true;
}

PinnedMemory::~PinnedMemory() {
  for (const auto& block : blocks_) cudaFreeHost(block.first);
}

void* PinnedMemory::take(size_t bytes) {
  while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].second) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const size_t size = rounded(bytes, kPinnedBlock);
    void* data = nullptr;
    check_cuda(cudaMallocHost(&data, size), "pinned memory for what a graph copies to the device");
    blocks_.emplace_back(static_cast<char*>(data), size);
  }
  char* const piece = blocks_[block_].first + used_;
  used_ = rounded(used_ + bytes, kPinnedAlignment);
  return piece;
}

}  // namespace lk
