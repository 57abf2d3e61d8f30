#include "engine/kernels/square_sum.h"

#include "cuda/sum_of.h"

namespace lk {
namespace {

struct Square {
  __device__ double operator()(double x) const { return x * x; }
};

}  // namespace

template <class Isa, class T>
void square_sum(Isa cuda, double* sum, const T* x, int64_t n) {
  sum_of(cuda, Square{}, sum, x, n);
}

template void square_sum(Cuda, double*, const float*, int64_t);
template void square_sum(Cuda, double*, const bf16*, int64_t);
template void square_sum(Cuda, double*, const double*, int64_t);

}  // namespace lk
