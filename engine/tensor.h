// Tensor: a value handle over ref-counted storage. Always contiguous (row-major): every kernel is
// then a plain loop, and the few places that want a transposed operand hand that wish to the matrix
// product.
#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "engine/dtype.h"
#include "engine/memory.h"
#include "engine/shape.h"

namespace lk {

// While it lives, this thread may take addresses of tensors on `device` and of no other (outside of
// any: of those on the CPU). A kernel that is handed memory of the other device, and host code that
// would read the device's, end in an Error that names the op and the tensor.
class KernelScope {
 public:
  KernelScope(const char* op, Device device) : op_before_(op_), device_before_(device_) {
    if (!op_) op_ = op;  // the outermost one gives the name
    device_ = device;
  }
  ~KernelScope() {
    op_ = op_before_;
    device_ = device_before_;
  }
  KernelScope(const KernelScope&) = delete;
  KernelScope& operator=(const KernelScope&) = delete;
  static Device device() { return device_; }
  static const char* op() { return op_; }  // null outside of any

 private:
  static inline constinit thread_local const char* op_ = nullptr;
  static inline constinit thread_local Device device_ = Device::cpu;
  const char* op_before_;
  Device device_before_;
};

// Owns bytes, or keeps alive whatever does (a mapped file).
class Storage {
 public:
  Storage(size_t bytes, Device device, Category category);
  // Memory that `owner` keeps alive, e.g. a mapped file; not counted by the allocator. Read only,
  // unless the owner says otherwise.
  Storage(const void* data, size_t bytes, std::shared_ptr<const void> owner,
          Device device = Device::cpu);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  bool mapped() const { return owner_ != nullptr; }
  Device device() const { return device_; }

 private:
  void* data_;
  size_t bytes_;
  Device device_ = Device::cpu;
  Category category_ = Category::weights;
  std::shared_ptr<const void> owner_;
};

class Tensor {
 public:
  Tensor() = default;  // undefined: no storage
  // Uninitialised memory, counted under current_category().
  static Tensor empty(const Shape& shape, DType dtype, Device device = Device::cpu);
  static Tensor zeros(const Shape& shape, DType dtype, Device device = Device::cpu);
  static Tensor full(const Shape& shape, DType dtype, double value);  // on the CPU
  // Uninitialised, with the shape, dtype and device of x.
  static Tensor like(const Tensor& x) { return empty(x.shape(), x.dtype(), x.device()); }
  // A view of memory that `owner` keeps alive.
  static Tensor mapped(const Shape& shape, DType dtype, const void* data,
                       std::shared_ptr<const void> owner, Device device = Device::cpu);
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape) {
    require(static_cast<int64_t>(values.size()) == shape.numel(), "{} values do not fill shape {}",
            values.size(), shape);
    Tensor t = empty(shape, dtype_of<T>);
    if (!values.empty()) std::memcpy(t.raw(), values.data(), values.size_bytes());
    return t;
  }
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  template <class T>
  static Tensor from(const std::vector<T>& values) {
    return from(std::span<const T>(values), Shape{static_cast<int64_t>(values.size())});
  }

  bool defined() const { return storage_ != nullptr; }
  explicit operator bool() const { return defined(); }
  const Shape& shape() const { return shape_; }
  int64_t dim(int i) const { return shape_[i]; }
  int64_t numel() const { return numel_; }
  DType dtype() const { return dtype_; }
  Device device() const { return storage_ ? storage_->device() : Device::cpu; }
  int64_t bytes() const { return numel_ * size_of(dtype_); }
  // True when no other tensor shares the storage and it may be written: in-place sums are safe
  // then.
  bool unique() const { return storage_.use_count() == 1 && !storage_->mapped(); }
  bool is_mapped() const { return storage_ && storage_->mapped(); }

  template <class T>
  T* data() const {
    invariant(dtype_of<T> == dtype_, "a tensor of {} was read as {}", name_of(dtype_),
              name_of(dtype_of<T>));
    return static_cast<T*>(raw());
  }
  template <class T>
  std::span<T> span() const {
    return {data<T>(), static_cast<size_t>(numel_)};
  }
  void* raw() const {
    if (storage_ && storage_->device() != KernelScope::device()) [[unlikely]]
      refuse_address();
    return address();
  }

  Tensor view(const Shape& shape) const;          // same elements, same count
  Tensor rows(int64_t begin, int64_t end) const;  // [begin, end) of the first dimension, shared
  Tensor clone() const;                           // a copy in storage of its own
  Tensor to(DType dtype) const;                   // itself when the dtype is the same
  Tensor to(Device device) const;                 // itself when it lies there
  void copy_from(const Tensor& other) const;      // same shape and dtype; from any device
  void zero() const;
  double item(int64_t i = 0) const;  // one element, any dtype; from the device it is copied
  template <class T>
  std::vector<T> to_vector() const {  // values converted to T
    const Tensor host = to(Device::cpu);
    std::vector<T> out(static_cast<size_t>(numel_));
    for (int64_t i = 0; i < numel_; ++i) out[static_cast<size_t>(i)] = static_cast<T>(host.item(i));
    return out;
  }

 private:
  void* address() const {
    return storage_ ? static_cast<char*>(storage_->data()) + offset_ : nullptr;
  }
  [[noreturn]] void refuse_address() const;
  std::shared_ptr<Storage> storage_;
  Shape shape_;
  int64_t numel_ = 0;
  size_t offset_ = 0;  // bytes
  DType dtype_ = DType::f32;
};

// Copies count elements, converting the dtype (any to any float; integers only to themselves or
// floats).
void convert(void* out, DType out_type, const void* in, DType in_type, int64_t count);

}  // namespace lk
