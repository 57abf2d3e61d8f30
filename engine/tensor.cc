#include "engine/tensor.h"

#include "engine/device.h"
#include "engine/dry_run.h"
#include "engine/kernels/convert.h"
#include "engine/parallel.h"

namespace lk {
namespace {

template <class F>
decltype(auto) visit_any(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f64:
      return f(double{});
    case DType::f32:
      return f(float{});
    case DType::bf16:
      return f(bf16{});
    case DType::f16:
      return f(f16{});
    case DType::i64:
      return f(int64_t{});
    case DType::i32:
      return f(int32_t{});
    case DType::i8:
      return f(int8_t{});
    case DType::u8:
      return f(uint8_t{});
  }
  abort_with("unknown dtype", "");
}

template <class Out, class In>
Out cast(In v) {
  if constexpr (std::is_same_v<In, bf16> || std::is_same_v<In, f16>)
    return cast<Out>(static_cast<float>(v));
  else if constexpr (std::is_same_v<Out, bf16> || std::is_same_v<Out, f16>)
    return Out(static_cast<float>(v));
  else
    return static_cast<Out>(v);
}

}  // namespace

Storage::Storage(size_t bytes, Device device, Category category)
    : data_(nullptr), bytes_(bytes), device_(device), category_(category) {
  if (device == Device::cpu) {
    data_ = allocate(bytes, category);
    return;
  }
  require_device(device);
  data_ = allocate(Cuda{}, bytes);
  if (!data_) fail_out_of_memory(device, category, bytes);
  count_memory(device, category, static_cast<int64_t>(bytes));
}

Storage::Storage(const void* data, size_t bytes, std::shared_ptr<const void> owner, Device device)
    : data_(const_cast<void*>(data)), bytes_(bytes), device_(device), owner_(std::move(owner)) {
  invariant(owner_ != nullptr, "mapped storage of {} bytes has no owner", bytes);
}

Storage::~Storage() {
  if (owner_) return;
  if (device_ == Device::cpu) {
    deallocate(data_, bytes_, category_);
  } else {
    deallocate(Cuda{}, data_);
    count_memory(device_, category_, -static_cast<int64_t>(bytes_));
  }
}

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  Tensor t;
  t.shape_ = shape;
  t.numel_ = shape.numel();
  t.dtype_ = dtype;
  t.storage_ =
      std::make_shared<Storage>(static_cast<size_t>(t.bytes()), device, current_category());
  // Code that looks at a few values (a loss, scores to be sorted) finds numbers.
  if (dry_run() && t.bytes() <= 1 << 16) std::memset(t.raw(), 0, static_cast<size_t>(t.bytes()));
  return t;
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  Tensor t = empty(shape, dtype, device);
  t.zero();
  return t;
}

Tensor Tensor::full(const Shape& shape, DType dtype, double value) {
  Tensor t = empty(shape, dtype);
  if (dry_run() && is_float(dtype)) return t;
  visit_any(dtype, [&](auto type) {
    using T = decltype(type);
    std::fill_n(t.data<T>(), t.numel(), cast<T>(value));
  });
  return t;
}

Tensor Tensor::mapped(const Shape& shape, DType dtype, const void* data,
                      std::shared_ptr<const void> owner, Device device) {
  Tensor t;
  t.shape_ = shape;
  t.numel_ = shape.numel();
  t.dtype_ = dtype;
  t.storage_ =
      std::make_shared<Storage>(data, static_cast<size_t>(t.bytes()), std::move(owner), device);
  return t;
}

Tensor Tensor::view(const Shape& shape) const {
  invariant(shape.numel() == numel_, "a view of {} as {} changes the element count", shape_, shape);
  Tensor t = *this;
  t.shape_ = shape;
  return t;
}

Tensor Tensor::rows(int64_t begin, int64_t end) const {
  invariant(shape_.rank() >= 1 && 0 <= begin && begin <= end && end <= shape_[0],
            "rows {}..{} of {}", begin, end, shape_);
  Tensor t = *this;
  Shape shape{end - begin};
  for (int i = 1; i < shape_.rank(); ++i) shape.push_back(shape_[i]);
  const int64_t row = shape_[0] ? numel_ / shape_[0] : 0;
  t.shape_ = shape;
  t.numel_ = shape.numel();
  t.offset_ += static_cast<size_t>(begin * row * size_of(dtype_));
  return t;
}

Tensor Tensor::clone() const {
  Tensor t = empty(shape_, dtype_, device());
  t.copy_from(*this);
  return t;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  Tensor t = empty(shape_, dtype, device());
  if (device() == Device::cpu) {
    convert(t.raw(), dtype, raw(), dtype_, numel_);
    return t;
  }
  on_float("convert", *this, [&](auto isa, auto type) {
    using In = decltype(type);
    using Out = std::conditional_t<std::is_same_v<In, float>, bf16, float>;
    if constexpr (std::is_same_v<decltype(isa), Cuda>) {
      require(dtype == dtype_of<Out>, "CUDA has no conversion from {} to {}; convert on the CPU",
              name_of(dtype_), name_of(dtype));
      convert(isa, t.data<Out>(), data<In>(), numel_);
    }
  });
  return t;
}

Tensor Tensor::to(Device device) const {
  if (device == this->device()) return *this;
  Tensor t = empty(shape_, dtype_, device);
  t.copy_from(*this);
  return t;
}

void Tensor::copy_from(const Tensor& other) const {
  invariant(other.shape_ == shape_ && other.dtype_ == dtype_, "copy of {} {} into {} {}",
            name_of(other.dtype_), other.shape_, name_of(dtype_), shape_);
  const auto count = static_cast<size_t>(bytes());
  if (count == 0 || (dry_run() && is_float(dtype_))) return;
  if (device() == Device::cpu && other.device() == Device::cpu)
    std::memcpy(address(), other.address(), count);
  else
    copy(Cuda{}, address(), other.address(), count);
}

void Tensor::zero() const {
  const auto count = static_cast<size_t>(bytes());
  if (count == 0 || (dry_run() && is_float(dtype_))) return;
  if (device() == Device::cpu)
    std::memset(address(), 0, count);
  else
    clear(Cuda{}, address(), count);
}

void Tensor::refuse_address() const {
  const char* op = KernelScope::op();
  if (op)
    fail("{}: {} {} lies on the {}, another operand on the {}; Tensor::to(Device) moves it", op,
         name_of(dtype_), shape_, name_of(device()), name_of(KernelScope::device()));
  fail("{} {} lies on the {}, and this operation has no kernel there; use --device cpu",
       name_of(dtype_), shape_, name_of(device()));
}

double Tensor::item(int64_t i) const {
  invariant(i >= 0 && i < numel_, "element {} of a tensor of {}", i, shape_);
  if (device() != Device::cpu) {
    Tensor one = *this;
    one.shape_ = {1};
    one.numel_ = 1;
    one.offset_ += static_cast<size_t>(i * size_of(dtype_));
    return one.to(Device::cpu).item();
  }
  return visit_any(dtype_, [&](auto type) { return cast<double>(data<decltype(type)>()[i]); });
}

void convert(void* out, DType out_type, const void* in, DType in_type, int64_t count) {
  if (out_type == in_type) {
    if (count) std::memcpy(out, in, static_cast<size_t>(count * size_of(in_type)));
    return;
  }
  visit_any(out_type, [&](auto o) {
    visit_any(in_type, [&](auto i) {
      using Out = decltype(o);
      using In = decltype(i);
      if constexpr (std::is_integral_v<Out>) {
        fail("cannot convert {} to {}", name_of(in_type), name_of(out_type));
      } else if constexpr ((std::is_same_v<Out, float> && std::is_same_v<In, bf16>) ||
                           (std::is_same_v<Out, bf16> && std::is_same_v<In, float>)) {
        on_float(in_type, [&](auto isa, auto) {
          convert(isa, static_cast<Out*>(out), static_cast<const In*>(in), count);
        });
      } else {
        parallel_for(count, 1 << 16, [&](int64_t begin, int64_t end) {
          Out* to = static_cast<Out*>(out);
          const In* from = static_cast<const In*>(in);
          for (int64_t k = begin; k < end; ++k) to[k] = cast<Out>(from[k]);
        });
      }
    });
  });
}

}  // namespace lk
