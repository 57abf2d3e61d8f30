// Memory cut from one range of addresses: a piece takes the smallest gap that holds it, and gaps
// that meet become one, so that pieces of many sizes take each other's places. The range is
// reserved at once and costs nothing until it is touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace lk {

class Heap {
 public:
  static constexpr size_t kAlignment = 64;

  // What a piece of so many bytes takes.
  static size_t rounded(size_t bytes);
  // 64-byte aligned; null when the system has no addresses left.
  void* take(size_t bytes);
  void give(void* piece, size_t bytes);

  // Bytes that were given and still are the process's.
  size_t idle() const { return idle_; }
  // Gives pages of the largest gaps back to the system until at most `keep` bytes are idle, or none
  // is left that is a page or more.
  void release(size_t keep);

 private:
  // Its first `resident` bytes are taken to be the process's.
  struct Gap {
    size_t size, resident;
  };
  bool reserve(size_t bytes);
  void insert(uintptr_t at, Gap gap);
  void erase(std::map<uintptr_t, Gap>::iterator gap);

  std::map<uintptr_t, Gap> gaps_;
  std::set<std::pair<size_t, uintptr_t>> by_size_, by_resident_;
  size_t idle_ = 0;
};

}  // namespace lk
