#include "engine/kernels/convert.h"

#include "cuda/each.h"

namespace lk {
namespace {

struct Same {
  template <class A>
  __device__ A operator()(A x) const {
    return x;
  }
};

}  // namespace

template <class Isa, class Out, class In>
void convert(Isa cuda, Out* y, const In* x, int64_t n) {
  each(cuda, Same{}, y, n, x);
}

template void convert(Cuda, bf16*, const float*, int64_t);
template void convert(Cuda, float*, const bf16*, int64_t);

}  // namespace lk
