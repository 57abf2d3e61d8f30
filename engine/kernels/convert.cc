#include "engine/kernels/convert.h"

#include "engine/cpu.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class Out, class In>
void convert(Isa, Out* y, const In* x, int64_t n) {
  parallel_for(n, 1 << 16, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = Out(static_cast<float>(x[i]));
  });
}

template void convert(LK_ISA, bf16*, const float*, int64_t);
template void convert(LK_ISA, float*, const bf16*, int64_t);

}  // namespace lk
