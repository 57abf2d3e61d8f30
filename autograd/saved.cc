#include "autograd/saved.h"

#include <algorithm>
#include <array>

#include "engine/codebook.h"
#include "engine/device.h"
#include "engine/kernels/blockwise.h"
#include "engine/parallel.h"

namespace lk {

struct SavedBits {
  Tensor values;  // as they are, in bf16, or codes of 8 bits
  Tensor absmax;  // f32, of each block of codes
  Shape shape;
  DType dtype = DType::f32;
};

namespace {

constexpr int64_t kBlock = 64;

thread_local ActivationStorage g_storage = ActivationStorage::compute;

std::shared_ptr<const SavedBits> stored(const Tensor& x, ActivationStorage storage) {
  auto out = std::make_shared<SavedBits>();
  out->shape = x.shape();
  out->dtype = x.dtype();
  if (storage == ActivationStorage::int8 && x.dtype() != DType::f64) {
    require_cpu("storing activations in int8", x);
    const int64_t n = x.numel();
    out->values = Tensor::empty({n}, DType::u8);
    out->absmax = Tensor::empty({(n + kBlock - 1) / kBlock}, DType::f32);
    on_float(x.dtype(), [&](auto isa, auto type) {
      using T = decltype(type);
      if constexpr (sizeof(T) <= 4)
        quantize_8bit(isa, out->values.data<uint8_t>(), out->absmax.data<float>(), x.data<T>(), n,
                      kBlock, int8_steps());
    });
  } else {
    out->values = storage == ActivationStorage::bf16 ? x.to(DType::bf16) : x;
  }
  return out;
}

}  // namespace

std::string_view name_of(ActivationStorage storage) {
  constexpr std::array<std::string_view, 3> names{"compute", "bf16", "int8"};
  return names[static_cast<size_t>(storage)];
}

ActivationStorage activation_storage_from_name(const std::string& name) {
  for (const auto storage :
       {ActivationStorage::compute, ActivationStorage::bf16, ActivationStorage::int8})
    if (name == name_of(storage)) return storage;
  fail("activations can be stored as compute, bf16 or int8, not as {}", name);
}

StoreActivations::StoreActivations(ActivationStorage storage) : previous_(g_storage) {
  g_storage = storage;
}
StoreActivations::~StoreActivations() { g_storage = previous_; }

Saved::Saved(const Var& x) {
  if (!x.defined() || !grad_enabled()) return;
  if (g_storage == ActivationStorage::compute || !x.node() || !x.node()->backward) {
    stored_ = stored(x.value(), ActivationStorage::compute);
    return;
  }
  stored_ = x.node()->saved.lock();
  if (!stored_) x.node()->saved = stored_ = stored(x.value(), g_storage);
}

Saved Saved::result(const Tensor& y) {
  Saved out;
  if (grad_enabled()) out.stored_ = stored(y, g_storage);
  return out;
}

Tensor Saved::get() const {
  if (!stored_) return {};
  const SavedBits& s = *stored_;
  const CategoryScope activations(Category::activations);
  if (!s.absmax.defined()) return s.values.to(s.dtype);
  Tensor x = Tensor::empty(s.shape, s.dtype);
  on_float(s.dtype, [&](auto isa, auto type) {
    using T = decltype(type);
    if constexpr (sizeof(T) <= 4)
      parallel_for(s.absmax.numel(), 1 << 8, [&](int64_t first, int64_t last) {
        const int64_t begin = first * kBlock, end = std::min(last * kBlock, x.numel());
        dequantize_8bit(isa, x.data<T>() + begin, s.values.data<uint8_t>(),
                        s.absmax.data<float>() + first, begin, end - begin, kBlock,
                        int8_steps().values.data());
      });
  });
  return x;
}

}  // namespace lk
