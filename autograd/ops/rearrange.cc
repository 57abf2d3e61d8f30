// The same numbers in another shape or order. These move values; their sums run in a fixed order.
#include "autograd/ops.h"
#include "autograd/ops/row_groups.h"
#include "engine/kernels/transpose.h"

namespace lk {
namespace {

// The last two dimensions exchanged.
Tensor transposed(const Tensor& x) {
  const int64_t rows = x.dim(-2), cols = x.dim(-1), count = x.shape().rank() == 2 ? 1 : x.dim(0);
  Tensor y = Tensor::empty(x.shape().rank() == 2 ? Shape{cols, rows} : Shape{count, cols, rows},
                           x.dtype(), x.device());
  on_float("transpose", x, [&](auto isa, auto type) {
    using T = decltype(type);
    transpose(isa, y.data<T>(), x.data<T>(), count, rows, cols);
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
  return record("transpose", transposed(x.value()), {x},
                [](const Tensor& dy, const Need&) { return std::vector<Tensor>{transposed(dy)}; });
}

Var take(const Var& x, std::shared_ptr<const Places> index, const Shape& shape) {
  require(static_cast<int64_t>(index->index().size()) == shape.numel(),
          "take: {} places do not fill {}", index->index().size(), shape);
  require(index->largest() < x.value().numel(), "take: place {} of {}", index->largest(),
          x.shape());
  const Device device = x.value().device();
  const Tensor y =
      gathered_rows("take", x.value().view({x.value().numel(), 1}), index->on(device), x.dtype())
          .view(shape);
  return record("take", y, {x}, [index, from = x.shape()](const Tensor& dy, const Need&) {
    const Tensor dx = scatter_add(dy.view({dy.numel(), 1}), index->groups_on(dy.device()),
                                  from.numel(), dy.dtype());
    return std::vector<Tensor>{dx.view(from)};
  });
}

}  // namespace lk
