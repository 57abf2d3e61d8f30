// Sums and products, element by element or with one row for all.
#include "engine/kernels/elementwise.h"

#include "autograd/ops.h"
#include "autograd/ops/column_sum.h"
#include "autograd/ops/helpers.h"
#include "autograd/saved.h"

namespace lk {
namespace {

Tensor product(const Tensor& a, const Tensor& b) {
  Tensor y = Tensor::like(a);
  on_float("mul", a, [&](auto isa, auto type) {
    using T = decltype(type);
    mul_forward(isa, y.data<T>(), a.data<T>(), b.data<T>(), a.numel());
  });
  return y;
}

// x [T, d] with row [d] in the accumulator dtype.
Tensor row_product(const Tensor& x, const Tensor& row) {
  Tensor y = Tensor::like(x);
  on_float("mul_row", x, [&](auto isa, auto type) {
    using T = decltype(type);
    mul_row_forward(isa, y.data<T>(), x.data<T>(), row.data<acc_t<T>>(), row_count(x), x.dim(-1));
  });
  return y;
}

Tensor scaled(const Tensor& x, float factor) {
  Tensor y = Tensor::like(x);
  on_float("scale", x, [&](auto isa, auto type) {
    using T = decltype(type);
    scale_forward(isa, y.data<T>(), x.data<T>(), static_cast<acc_t<T>>(factor), x.numel());
  });
  return y;
}

void check_same(const char* op, const Var& a, const Var& b) {
  require(a.shape() == b.shape() && a.dtype() == b.dtype(), "{}: {} {} and {} {} differ", op,
          name_of(a.dtype()), a.shape(), name_of(b.dtype()), b.shape());
}

void check_row(const char* op, const Var& x, const Var& row) {
  require(row.value().numel() == x.dim(-1), "{}: a row of {} for {}", op, row.shape(), x.shape());
}

}  // namespace

Var add(const Var& a, const Var& b) {
  check_same("add", a, b);
  Tensor y = Tensor::like(a.value());
  on_float("add", y, [&](auto isa, auto type) {
    using T = decltype(type);
    add_forward(isa, y.data<T>(), a.value().data<T>(), b.value().data<T>(), y.numel());
  });
  return record("add", y, {a, b}, [](const Tensor& dy, const Need&) {
    return std::vector<Tensor>{dy, dy};
  });
}

Var mul(const Var& a, const Var& b) {
  check_same("mul", a, b);
  return record(
      "mul", product(a.value(), b.value()), {a, b},
      [a_saved = b.needs_grad() ? Saved(a) : Saved(),
       b_saved = a.needs_grad() ? Saved(b) : Saved()](const Tensor& dy, const Need& need) {
        std::vector<Tensor> grads(2);
        if (need[0]) grads[0] = product(dy, b_saved.get());
        if (need[1]) grads[1] = product(dy, a_saved.get());
        return grads;
      });
}

Var scale(const Var& x, float factor) {
  return record("scale", scaled(x.value(), factor), {x}, [factor](const Tensor& dy, const Need&) {
    return std::vector<Tensor>{scaled(dy, factor)};
  });
}

Var add_row(const Var& x, const Var& row) {
  check_row("add_row", x, row);
  const Tensor r = row.value().to(acc_dtype(x.dtype()));
  Tensor y = Tensor::like(x.value());
  on_float("add_row", y, [&](auto isa, auto type) {
    using T = decltype(type);
    add_row_forward(isa, y.data<T>(), x.value().data<T>(), r.data<acc_t<T>>(), row_count(y),
                    y.dim(-1));
  });
  return record("add_row", y, {x, row},
                [dtype = row.dtype(), shape = row.shape()](const Tensor& dy, const Need& need) {
                  std::vector<Tensor> grads(2);
                  if (need[0]) grads[0] = dy;
                  if (need[1]) grads[1] = column_sum_of(dy, dtype).view(shape);
                  return grads;
                });
}

Var mul_row(const Var& x, const Var& row) {
  check_row("mul_row", x, row);
  const Tensor r = row.value().to(acc_dtype(x.dtype()));
  return record("mul_row", row_product(x.value(), r), {x, row},
                [x_saved = row.needs_grad() ? Saved(x) : Saved(), r, dtype = row.dtype(),
                 shape = row.shape()](const Tensor& dy, const Need& need) {
                  std::vector<Tensor> grads(2);
                  if (need[0]) grads[0] = row_product(dy, r);
                  if (need[1])
                    grads[1] = column_sum_of(product(dy, x_saved.get()), dtype).view(shape);
                  return grads;
                });
}

Var swiglu(const Var& gate, const Var& up) {
  check_same("swiglu", gate, up);
  Tensor y = Tensor::like(gate.value());
  on_float("swiglu", y, [&](auto isa, auto type) {
    using T = decltype(type);
    swiglu_forward(isa, y.data<T>(), gate.value().data<T>(), up.value().data<T>(), y.numel());
  });
  if (!will_record({gate, up})) return y;
  return record("swiglu", y, {gate, up},
                [g_saved = Saved(gate), u_saved = Saved(up)](const Tensor& dy, const Need& need) {
                  const Tensor g = g_saved.get(), u = u_saved.get();
                  std::vector<Tensor> grads(2);
                  for (size_t i = 0; i < 2; ++i)
                    if (need[i]) grads[i] = Tensor::like(dy);
                  on_float("swiglu", dy, [&](auto isa, auto type) {
                    using T = decltype(type);
                    swiglu_backward(isa, need[0] ? grads[0].data<T>() : nullptr,
                                    need[1] ? grads[1].data<T>() : nullptr, dy.data<T>(),
                                    g.data<T>(), u.data<T>(), dy.numel());
                  });
                  return grads;
                });
}

}  // namespace lk
