// Device memory of one launch: taken and given back in the order of the stream.
#pragma once

#include "cuda/launch.h"

namespace lk {

template <class T>
class Workspace {
 public:
  Workspace(Cuda cuda, int64_t count) : cuda_(cuda) {
    check_cuda(cudaMallocAsync(reinterpret_cast<void**>(&data_),
                               static_cast<size_t>(count) * sizeof(T), cuda.stream),
               "memory for a kernel's partial results");
  }
  ~Workspace() { cudaFreeAsync(data_, cuda_.stream); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  T* data() const { return data_; }

 private:
  Cuda cuda_;
  T* data_ = nullptr;
};

}  // namespace lk
