// One update. p: the parameter, g: its gradient, n elements; A is f32 or f64.
#pragma once

#include <cstdint>

namespace lk {

struct AdamwStep {
  double lr, beta1, beta2, eps, weight_decay;
  int64_t step;  // from 1
};
template <class A>
struct AdamwTensor {  // a parameter, its gradient and its states, n elements each
  A* p;
  const A* g;
  A *m, *v;
  int64_t n;
};
// Loshchilov and Hutter 2019, Algorithm 2, as torch writes it:
//   p -= lr wd p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//   p -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
// Of many tensors: on a GPU by one launch for each 64 of them.
template <class Isa, class A>
void adamw_update(Isa, const AdamwTensor<A>* tensors, int64_t count, const AdamwStep& s);
template <class Isa, class A>
void adamw_update(Isa isa, A* p, const A* g, A* m, A* v, int64_t n, const AdamwStep& s) {
  const AdamwTensor<A> one{p, g, m, v, n};
  adamw_update(isa, &one, 1, s);
}

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
