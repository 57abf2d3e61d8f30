// One update of n elements. p: the parameter, g: its gradient; A is f32 or f64.
#pragma once

#include <cstdint>

namespace lk {

struct AdamwStep {
  double lr, beta1, beta2, eps, weight_decay;
  int64_t step;  // from 1
};
// Loshchilov and Hutter 2019, Algorithm 2, as torch writes it:
//   p -= lr wd p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//   p -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
template <class Isa, class A>
void adamw_update(Isa, A* p, const A* g, A* m, A* v, int64_t n, const AdamwStep& s);

// torch.optim.SGD: g += wd p;  m = momentum m + g (m = g at the first step);  p -= lr m. m may be
// null.
template <class Isa, class A>
void sgd_update(Isa, A* p, const A* g, A* m, int64_t n, double lr, double momentum,
                double weight_decay, bool first);

// Chen et al. 2023, Algorithm 2: p -= lr (sign(b1 m + (1 - b1) g) + wd p);  m = b2 m + (1 - b2) g
template <class Isa, class A>
void lion_update(Isa, A* p, const A* g, A* m, int64_t n, double lr, double beta1, double beta2,
                 double weight_decay);

}  // namespace lk
