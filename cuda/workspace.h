// Device memory of one launch: taken and given back in the order of the stream.
#pragma once

#include "cuda/launch.h"
#include "engine/device.h"
#include "engine/memory.h"

namespace lk {

template <class T>
class Workspace {
 public:
  Workspace(Cuda cuda, int64_t count)
      : cuda_(cuda), bytes_(count * static_cast<int64_t>(sizeof(T))) {
    data_ = static_cast<T*>(allocate(cuda, static_cast<size_t>(bytes_)));
    if (!data_) fail_out_of_memory(Device::cuda, Category::workspace, static_cast<size_t>(bytes_));
    count_memory(Device::cuda, Category::workspace, bytes_);
  }
  ~Workspace() {
    count_memory(Device::cuda, Category::workspace, -bytes_);
    deallocate(cuda_, data_);
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  T* data() const { return data_; }

 private:
  Cuda cuda_;
  int64_t bytes_;
  T* data_ = nullptr;
};

}  // namespace lk
