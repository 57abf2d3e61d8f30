#include "engine/kernels/optimizer.h"

#include <cmath>

#include "engine/cpu.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class A>
void adamw_update(Isa, const AdamwTensor<A>* tensors, int64_t count, const AdamwStep& s) {
  const A b1 = static_cast<A>(s.beta1), b2 = static_cast<A>(s.beta2), eps = static_cast<A>(s.eps);
  const A decay = static_cast<A>(1 - s.lr * s.weight_decay);
  const A step_size = static_cast<A>(s.lr / (1 - std::pow(s.beta1, static_cast<double>(s.step))));
  const A root = static_cast<A>(std::sqrt(1 - std::pow(s.beta2, static_cast<double>(s.step))));
  for (const AdamwTensor<A>* t = tensors; t != tensors + count; ++t) {
    A *const p = t->p, *const m = t->m, *const v = t->v;
    const A* const g = t->g;
    parallel_for(t->n, 1 << 14, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        m[i] = b1 * m[i] + (A(1) - b1) * g[i];
        v[i] = b2 * v[i] + (A(1) - b2) * g[i] * g[i];
        p[i] = p[i] * decay - step_size * m[i] / (std::sqrt(v[i]) / root + eps);
      }
    });
  }
}

template <class Isa, class A>
void sgd_update(Isa, A* p, const A* g, A* m, int64_t n, double lr, double momentum,
                double weight_decay, bool first) {
  const A rate = static_cast<A>(lr), mu = first ? A(0) : static_cast<A>(momentum),
          wd = static_cast<A>(weight_decay);
  parallel_for(n, 1 << 14, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      A step = g[i] + wd * p[i];
      if (m) m[i] = step = mu * m[i] + step;
      p[i] -= rate * step;
    }
  });
}

template <class Isa, class A>
void lion_update(Isa, A* p, const A* g, A* m, int64_t n, double lr, double beta1, double beta2,
                 double weight_decay) {
  const A rate = static_cast<A>(lr), b1 = static_cast<A>(beta1), b2 = static_cast<A>(beta2);
  const A decay = static_cast<A>(1 - lr * weight_decay);
  parallel_for(n, 1 << 14, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const A u = b1 * m[i] + (A(1) - b1) * g[i];
      const A sign = u > A(0) ? A(1) : u < A(0) ? A(-1) : u;  // NaN stays NaN
      p[i] = p[i] * decay - rate * sign;
      m[i] = b2 * m[i] + (A(1) - b2) * g[i];
    }
  });
}

#define LK_OPTIMIZER(A)                                                                      \
  template void adamw_update(LK_ISA, const AdamwTensor<A>*, int64_t, const AdamwStep&);      \
  template void sgd_update(LK_ISA, A*, const A*, A*, int64_t, double, double, double, bool); \
  template void lion_update(LK_ISA, A*, const A*, A*, int64_t, double, double, double, double);
LK_OPTIMIZER(float)
LK_OPTIMIZER(double)

}  // namespace lk
