#include "engine/kernels/kl_divergence.h"

#include <cmath>

#include "engine/cpu.h"
#include "engine/kernels/math.h"
#include "engine/parallel.h"

namespace lk {
namespace {

template <class Isa, class T>
double log_sum_exp(const T* x, int64_t n) {
  double top = -INFINITY, total = 0;
  for (int64_t j = 0; j < n; ++j) {
    const auto value = static_cast<double>(static_cast<acc_t<T>>(x[j]));
    top = value > top ? value : top;
  }
  for (int64_t j = 0; j < n; ++j)
    total += math::exp(static_cast<double>(static_cast<acc_t<T>>(x[j])) - top);
  return top + std::log(total);
}

}  // namespace

template <class Isa, class T>
void kl_divergence(Isa, T* dx, double* loss, const T* x, const T* t, int64_t rows,
                   int64_t classes) {
  using A = acc_t<T>;
  parallel_for(rows, 1 + (1 << 10) / classes, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T *xi = x + i * classes, *ti = t + i * classes;
      const double of_x = log_sum_exp<Isa>(xi, classes), of_t = log_sum_exp<Isa>(ti, classes);
      loss[i] = 0;
      for (int64_t j = 0; j < classes; ++j) {
        const double log_q = static_cast<double>(static_cast<A>(xi[j])) - of_x,
                     log_p = static_cast<double>(static_cast<A>(ti[j])) - of_t;
        const double p = math::exp(log_p);
        loss[i] += p * (log_p - log_q);
        dx[i * classes + j] = T(static_cast<A>(math::exp(log_q) - p));
      }
    }
  });
}

#define LK_KL(T) \
  template void kl_divergence(LK_ISA, T*, double*, const T*, const T*, int64_t, int64_t);
LK_KL(float)
LK_KL(bf16)
LK_KL(double)

}  // namespace lk
