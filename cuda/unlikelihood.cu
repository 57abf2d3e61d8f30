#include "engine/kernels/unlikelihood.h"

#include "cuda/each.h"

namespace lk {
namespace {

struct Forward {
  double epsilon;
  __device__ float operator()(float x) const {
    return static_cast<float>(-log(epsilon - expm1(static_cast<double>(x))));
  }
};
struct Backward {
  double epsilon;
  __device__ float operator()(float dy, float x) const {
    const auto log_p = static_cast<double>(x);
    return static_cast<float>(static_cast<double>(dy) * exp(log_p) / (epsilon - expm1(log_p)));
  }
};

}  // namespace

template <class Isa, class T>
void unlikelihood_forward(Isa cuda, T* y, const T* x, int64_t n, double epsilon) {
  each(cuda, Forward{epsilon}, y, n, x);
}
template <class Isa, class T>
void unlikelihood_backward(Isa cuda, T* dx, const T* dy, const T* x, int64_t n, double epsilon) {
  each(cuda, Backward{epsilon}, dx, n, dy, x);
}

template void unlikelihood_forward(Cuda, float*, const float*, int64_t, double);
template void unlikelihood_backward(Cuda, float*, const float*, const float*, int64_t, double);

}  // namespace lk
