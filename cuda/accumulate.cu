#include "engine/kernels/accumulate.h"

#include "cuda/each.h"

namespace lk {

template <class Isa, class T>
void accumulate(Isa cuda, T* y, const T* x, int64_t n) {
  each(cuda, Sum{}, y, n, static_cast<const T*>(y), x);
}

template void accumulate(Cuda, float*, const float*, int64_t);
template void accumulate(Cuda, bf16*, const bf16*, int64_t);

}  // namespace lk
