// Device memory of one launch: taken and given back in the order of the stream.
#pragma once

#include "cuda/launch.h"
#include "engine/device.h"

namespace lk {

template <class T>
class Workspace {
 public:
  Workspace(Cuda cuda, int64_t count) : cuda_(cuda) {
    const size_t bytes = static_cast<size_t>(count) * sizeof(T);
    data_ = static_cast<T*>(allocate(cuda, bytes));
    require(data_, "CUDA: {} bytes for a kernel's partial results could not be had", bytes);
  }
  ~Workspace() { deallocate(cuda_, data_); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  T* data() const { return data_; }

 private:
  Cuda cuda_;
  T* data_ = nullptr;
};

}  // namespace lk
