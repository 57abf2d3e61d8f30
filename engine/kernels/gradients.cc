#include "engine/kernels/gradients.h"

#include "engine/cpu.h"
#include "engine/kernels/sum_of.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class A>
void gradients_square_sum(Isa, double* total, const Gradient<A>* gradients, int64_t count) {
  double sum = 0;
  for (const Gradient<A>* t = gradients; t != gradients + count; ++t)
    sum += sum_of_all(t->g, t->n, [](double value) { return value * value; });
  *total = sum;
}

template <class Isa, class A>
void gradients_scale(Isa, const Gradient<A>* gradients, int64_t count, A factor) {
  for (const Gradient<A>* t = gradients; t != gradients + count; ++t) {
    A* const g = t->g;
    parallel_for(t->n, 1 << 14, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) g[i] *= factor;
    });
  }
}

#define LK_GRADIENTS(A)                                                             \
  template void gradients_square_sum(LK_ISA, double*, const Gradient<A>*, int64_t); \
  template void gradients_scale(LK_ISA, const Gradient<A>*, int64_t, A);
LK_GRADIENTS(float)
LK_GRADIENTS(double)

}  // namespace lk
