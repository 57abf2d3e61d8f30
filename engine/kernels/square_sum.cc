#include "engine/kernels/square_sum.h"

#include "engine/cpu.h"
#include "engine/kernels/sum_of.h"

namespace lk {

template <class Isa, class T>
void square_sum(Isa, double* sum, const T* x, int64_t n) {
  *sum = sum_of_all(x, n, [](double value) { return value * value; });
}

template void square_sum(LK_ISA, double*, const float*, int64_t);
template void square_sum(LK_ISA, double*, const bf16*, int64_t);
template void square_sum(LK_ISA, double*, const double*, int64_t);

}  // namespace lk
