// The same numbers in another shape or order. These move values; their sums run in a fixed order.
#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"
#include "engine/parallel.h"

namespace lk {
namespace {

// The last two dimensions exchanged.
Tensor transposed(const Tensor& x) {
  const int64_t rows = x.dim(-2), cols = x.dim(-1), matrix = rows * cols;
  Tensor y = Tensor::empty(x.shape().rank() == 2 ? Shape{cols, rows} : Shape{x.dim(0), cols, rows},
                           x.dtype());
  visit_float(x.dtype(), [&](auto type) {
    using T = decltype(type);
    parallel_for(x.numel() / std::max<int64_t>(matrix, 1), 1 + (1 << 14) / (matrix + 1),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t n = begin; n < end; ++n) {
                     const T* from = x.data<T>() + n * matrix;
                     T* to = y.data<T>() + n * matrix;
                     for (int64_t i = 0; i < rows; ++i)
                       for (int64_t j = 0; j < cols; ++j) to[j * rows + i] = from[i * cols + j];
                   }
                 });
  });
  return y;
}

}  // namespace

Var view(const Var& x, const Shape& shape) {
  return record("view", x.value().view(shape), {x},
                [from = x.shape()](const Tensor& dy, const Need&) {
                  return std::vector<Tensor>{dy.view(from)};
                });
}

Var transpose(const Var& x) {
  require(x.shape().rank() == 2 || x.shape().rank() == 3,
          "transpose: expected [m, n] or [b, m, n], found {}", x.shape());
  require_cpu("transpose", x.value());
  return record("transpose", transposed(x.value()), {x},
                [](const Tensor& dy, const Need&) { return std::vector<Tensor>{transposed(dy)}; });
}

Var take(const Var& x, std::shared_ptr<const std::vector<int32_t>> index, const Shape& shape) {
  require_cpu("take", x.value());
  require(static_cast<int64_t>(index->size()) == shape.numel(), "take: {} places do not fill {}",
          index->size(), shape);
  for (const int32_t i : *index)
    require(i >= -1 && i < x.value().numel(), "take: place {} of {}", i, x.shape());
  Tensor y = Tensor::empty(shape, x.dtype());
  visit_float(x.dtype(), [&](auto type) {
    using T = decltype(type);
    T* to = y.data<T>();
    const T* from = x.value().data<T>();
    for (const int32_t i : *index) *to++ = i < 0 ? T{} : from[i];
  });
  return record("take", y, {x}, [index, from = x.shape()](const Tensor& dy, const Need&) {
    Tensor dx = Tensor::zeros(from, acc_dtype(dy.dtype()));
    visit_float(dy.dtype(), [&](auto type) {
      using T = decltype(type);
      using A = acc_t<T>;
      const T* g = dy.data<T>();
      for (const int32_t i : *index) {
        if (i >= 0) dx.data<A>()[i] += static_cast<A>(*g);
        ++g;
      }
    });
    return std::vector<Tensor>{dx.to(dy.dtype())};
  });
}

}  // namespace lk
