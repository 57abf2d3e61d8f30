#include "engine/kernels/sum.h"

#include "engine/cpu.h"
#include "engine/kernels/sum_of.h"

namespace lk {

template <class Isa, class T>
void sum(Isa, double* total, const T* x, int64_t n) {
  *total = sum_of_all(x, n, [](double value) { return value; });
}

template void sum(LK_ISA, double*, const float*, int64_t);
template void sum(LK_ISA, double*, const bf16*, int64_t);
template void sum(LK_ISA, double*, const double*, int64_t);

}  // namespace lk
