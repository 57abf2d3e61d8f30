#include "engine/kernels/sum.h"

#include "engine/cpu.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class T>
void sum(Isa, double* total, const T* x, int64_t n) {
  constexpr int64_t kParts = 64;  // whatever the thread count, so that the bits are the same
  double parts[kParts] = {};
  double* to = parts;
  parallel_for(kParts, 1 + (1 << 20) / (n + 1), [=](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      for (int64_t i = n * p / kParts; i < n * (p + 1) / kParts; ++i)
        to[p] += static_cast<double>(static_cast<acc_t<T>>(x[i]));
  });
  *total = 0;
  for (const double part : parts) *total += part;
}

template void sum(LK_ISA, double*, const float*, int64_t);
template void sum(LK_ISA, double*, const bf16*, int64_t);
template void sum(LK_ISA, double*, const double*, int64_t);

}  // namespace lk
