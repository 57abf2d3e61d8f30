// y = W x with W of few non-zero values v_i at (o_i, c_i): y_o += v x_c,
//   dx_c += v dy_o        dv_i = sum over rows of dy_o x_c.
#include "engine/kernels/sparse_linear.h"

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"

namespace lk {
namespace {

Tensor product(const Tensor& x, const Tensor& values, const SparsePlaces::Ordered& w, int64_t out) {
  Tensor y = Tensor::empty({row_count(x), out}, x.dtype(), x.device());
  on_float("sparse_linear", x, [&](auto isa, auto type) {
    using T = decltype(type);
    const SparseRows rows{w.starts.data<int32_t>(), w.which.data<int32_t>(),
                          w.columns.data<int32_t>()};
    sparse_linear_forward(isa, y.data<T>(), x.data<T>(), values.data<acc_t<T>>(), rows,
                          row_count(x), out, x.dim(-1));
  });
  return y;
}

}  // namespace

Var sparse_linear(const Var& x, const Var& values, std::shared_ptr<const SparsePlaces> places) {
  require(values.value().numel() == places->count() && x.dim(-1) == places->in(),
          "sparse_linear: x {} and {} values for {} places of [{}, {}]", x.shape(),
          values.value().numel(), places->count(), places->out(), places->in());
  const SparsePlaces::Copies& w = places->on(x.value().device());
  const Tensor v = values.value().to(acc_dtype(x.dtype()));
  return record(
      "sparse_linear", product(x.value(), v, w.by_row, places->out()), {x, values},
      [v, places, x_saved = values.needs_grad() ? x.value() : Tensor(), shape = values.shape(),
       dtype = values.dtype()](const Tensor& dy, const Need& need) {
        const SparsePlaces::Copies& at = places->on(dy.device());
        std::vector<Tensor> grads(2);
        if (need[0]) grads[0] = product(dy, v, at.by_column, places->in());
        if (need[1]) {
          const Tensor dv = Tensor::like(v);
          on_float("sparse_linear", dy, [&](auto isa, auto type) {
            using T = decltype(type);
            sparse_linear_values(isa, dv.data<acc_t<T>>(), dy.data<T>(), x_saved.data<T>(),
                                 at.rows.data<int32_t>(), at.columns.data<int32_t>(),
                                 places->count(), row_count(dy), dy.dim(-1), places->in());
          });
          grads[1] = dv.to(dtype).view(shape);
        }
        return grads;
      });
}

}  // namespace lk
