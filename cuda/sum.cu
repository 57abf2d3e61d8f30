#include "engine/kernels/sum.h"

#include "cuda/sum_of.h"

namespace lk {
template <class Isa, class T>
void sum(Isa cuda, double* total, const T* x, int64_t n) {
  sum_of(cuda, AsItIs{}, total, x, n);
}

template void sum(Cuda, double*, const float*, int64_t);
template void sum(Cuda, double*, const bf16*, int64_t);

}  // namespace lk
