// Scratch of a kernel.
#pragma once

#include <algorithm>

#include "engine/memory.h"

namespace lk {
namespace {

// `count` numbers, zeros at first.
template <class Isa, class A>
class Panel {
 public:
  explicit Panel(int64_t count)
      : bytes_(static_cast<size_t>(count) * sizeof(A)),
        data_(static_cast<A*>(allocate(bytes_, Category::workspace))) {
    std::fill_n(data_, count, A(0));
  }
  ~Panel() { deallocate(data_, bytes_, Category::workspace); }
  Panel(const Panel&) = delete;
  Panel& operator=(const Panel&) = delete;
  A* get() { return data_; }

 private:
  size_t bytes_;
  A* data_;
};

}  // namespace
}  // namespace lk
