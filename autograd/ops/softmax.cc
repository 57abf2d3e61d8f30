// y_i = exp(x_i) / sum_j exp(x_j) over the last dimension; dx_i = y_i (dy_i - sum_j y_j dy_j).
// For the few weights of an adapter; attention and the losses have kernels of their own.
#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"

namespace lk {

Var softmax(const Var& x) {
  require_cpu("softmax", x.value());
  const int64_t width = x.dim(-1);
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  visit_float(x.dtype(), [&](auto type) {
    using T = decltype(type);
    using A = acc_t<T>;
    for (int64_t r = 0; r < row_count(y); ++r) {
      const T* from = x.value().data<T>() + r * width;
      T* to = y.data<T>() + r * width;
      A most = static_cast<A>(from[0]), total = 0;
      for (int64_t i = 1; i < width; ++i) most = std::max(most, static_cast<A>(from[i]));
      for (int64_t i = 0; i < width; ++i) total += std::exp(static_cast<A>(from[i]) - most);
      for (int64_t i = 0; i < width; ++i)
        to[i] = static_cast<T>(std::exp(static_cast<A>(from[i]) - most) / total);
    }
  });
  return record("softmax", y, {x}, [y, width](const Tensor& dy, const Need&) {
    Tensor dx = Tensor::empty(dy.shape(), dy.dtype());
    visit_float(dy.dtype(), [&](auto type) {
      using T = decltype(type);
      using A = acc_t<T>;
      for (int64_t r = 0; r < row_count(y); ++r) {
        const T *p = y.data<T>() + r * width, *g = dy.data<T>() + r * width;
        A dot = 0;
        for (int64_t i = 0; i < width; ++i) dot += static_cast<A>(p[i]) * static_cast<A>(g[i]);
        for (int64_t i = 0; i < width; ++i)
          dx.data<T>()[r * width + i] =
              static_cast<T>(static_cast<A>(p[i]) * (static_cast<A>(g[i]) - dot));
      }
    });
    return std::vector<Tensor>{dx};
  });
}

}  // namespace lk
