// y = W x with W of few non-zero values v_i at (o_i, c_i): y_o += v x_c,
//   dx_c += v dy_o        dv_i = sum over rows of dy_o x_c.
#include "autograd/ops.h"
#include "autograd/ops/helpers.h"
#include "engine/parallel.h"

namespace lk {
namespace {

// y[t, to[i]] += values[i] * x[t, from[i]]
Tensor spread(const Tensor& x, const Tensor& values, const int32_t* to, const int32_t* from,
              int64_t width) {
  const int64_t count = values.numel(), in = x.dim(-1), rows = row_count(x);
  Tensor y = Tensor::zeros({rows, width}, acc_dtype(x.dtype()));
  visit_float(x.dtype(), [&](auto type) {
    using T = decltype(type);
    using A = acc_t<T>;
    const A* v = values.data<A>();
    parallel_for(rows, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const T* given = x.data<T>() + t * in;
        A* out = y.data<A>() + t * width;
        for (int64_t i = 0; i < count; ++i) out[to[i]] += v[i] * static_cast<A>(given[from[i]]);
      }
    });
  });
  return y.to(x.dtype());
}

}  // namespace

Var sparse_linear(const Var& x, const Var& values, const Tensor& places, int64_t out) {
  require_cpu("sparse_linear", x.value());
  const int64_t count = values.value().numel(), in = x.dim(-1);
  require(places.dtype() == DType::i32 && places.numel() == 2 * count,
          "sparse_linear: {} places {} for {} values", name_of(places.dtype()), places.shape(),
          count);
  const int32_t *rows = places.data<int32_t>(), *cols = rows + count;
  for (int64_t i = 0; i < count; ++i)
    require(rows[i] >= 0 && rows[i] < out && cols[i] >= 0 && cols[i] < in,
            "sparse_linear: place ({}, {}) is outside [{}, {}]", rows[i], cols[i], out, in);
  const Tensor v = values.value().to(acc_dtype(x.dtype()));
  return record(
      "sparse_linear", spread(x.value(), v, rows, cols, out), {x, values},
      [v, places, rows, cols, count, in, x_saved = values.needs_grad() ? x.value() : Tensor(),
       shape = values.shape(), dtype = values.dtype()](const Tensor& dy, const Need& need) {
        std::vector<Tensor> grads(2);
        if (need[0]) grads[0] = spread(dy, v, cols, rows, in);
        if (need[1]) {
          Tensor dv = Tensor::empty({count}, v.dtype());
          const int64_t out_width = dy.dim(-1), tokens = row_count(dy);
          visit_float(dy.dtype(), [&](auto type) {
            using T = decltype(type);
            using A = acc_t<T>;
            parallel_for(count, 256, [&](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) {
                A total = 0;
                for (int64_t t = 0; t < tokens; ++t)
                  total += static_cast<A>(dy.data<T>()[t * out_width + rows[i]]) *
                           static_cast<A>(x_saved.data<T>()[t * in + cols[i]]);
                dv.data<A>()[i] = total;
              }
            });
          });
          grads[1] = dv.to(dtype).view(shape);
        }
        return grads;
      });
}

}  // namespace lk
