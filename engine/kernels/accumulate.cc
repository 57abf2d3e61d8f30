#include "engine/kernels/accumulate.h"

#include "engine/cpu.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class T>
void accumulate(Isa, T* y, const T* x, int64_t n) {
  using A = acc_t<T>;
  parallel_for(n, 1 << 15, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = T(static_cast<A>(y[i]) + static_cast<A>(x[i]));
  });
}

template void accumulate(LK_ISA, float*, const float*, int64_t);
template void accumulate(LK_ISA, bf16*, const bf16*, int64_t);
template void accumulate(LK_ISA, double*, const double*, int64_t);

}  // namespace lk
