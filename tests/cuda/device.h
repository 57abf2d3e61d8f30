// Device memory for tests.
#pragma once

#include <vector>

#include "cuda/launch.h"
#include "tests/cuda/watch.h"
#include "tests/support.h"

namespace lk::test {

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(int64_t count) : count_(static_cast<size_t>(count)) {  // not to be read
    if (count == 0) return;
    check_cuda(cudaMalloc(reinterpret_cast<void**>(&data_), bytes()), "memory of a test");
    spoil(data_, bytes());
  }
  explicit DeviceArray(const std::vector<T>& values)
      : DeviceArray(static_cast<int64_t>(values.size())) {
    if (values.empty()) return;
    check_cuda(cudaMemcpy(data_, values.data(), bytes(), cudaMemcpyHostToDevice), "copy");
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  T* data() const { return data_; }
  size_t bytes() const { return count_ * sizeof(T); }
  std::vector<T> get() const {
    std::vector<T> values(count_);
    if (count_ == 0) return values;
    check_cuda(cudaMemcpy(values.data(), data_, bytes(), cudaMemcpyDeviceToHost), "copy");
    return values;
  }

 private:
  T* data_ = nullptr;
  size_t count_;
};

}  // namespace lk::test
