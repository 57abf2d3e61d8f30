#include "engine/kernels/optimizer.h"

#include <algorithm>
#include <cmath>

#include "cuda/tensors.h"

namespace lk {
namespace {

struct AdamwConstants {
  float b1, b2, eps, decay, step_size, root;
  explicit AdamwConstants(const AdamwStep& s)
      : b1(static_cast<float>(s.beta1)),
        b2(static_cast<float>(s.beta2)),
        eps(static_cast<float>(s.eps)),
        decay(static_cast<float>(1 - s.lr * s.weight_decay)),
        step_size(static_cast<float>(s.lr / (1 - std::pow(s.beta1, static_cast<double>(s.step))))),
        root(static_cast<float>(std::sqrt(1 - std::pow(s.beta2, static_cast<double>(s.step))))) {}
  __device__ __forceinline__ void apply(float& p, float g, float& m, float& v) const {
    m = b1 * m + (1.0f - b1) * g;
    v = b2 * v + (1.0f - b2) * g * g;
    p = p * decay - step_size * m / (sqrtf(v) / root + eps);
  }
};

template <int N>
__device__ __forceinline__ void adamw_elements(const AdamwTensor<float>& t, int64_t i,
                                               const AdamwConstants& c) {
  Elements<float, N> p = load<N>(t.p + i), m = load<N>(t.m + i), v = load<N>(t.v + i);
  const Elements<float, N> g = load<N>(t.g + i);
#pragma unroll
  for (int j = 0; j < N; ++j) c.apply(p.at[j], g.at[j], m.at[j], v.at[j]);
  store<N>(t.p + i, p);
  store<N>(t.m + i, m);
  store<N>(t.v + i, v);
}

template <int N>
__global__ void __launch_bounds__(kEachThreads)
    adamw_kernel(Tensors<AdamwTensor<float>> tensors, AdamwConstants c) {
  for_elements<N>(
      tensors, [&](const AdamwTensor<float>& t, int64_t i) { adamw_elements<N>(t, i, c); },
      [&](const AdamwTensor<float>& t, int64_t i) { adamw_elements<1>(t, i, c); });
}

// One parameter, its gradient, and a state m that may be missing.
template <int N, class F>
__global__ void __launch_bounds__(kEachThreads)
    update_kernel(F f, float* p, const float* g, float* m, int64_t n) {
  for_packs<N>(n, [&]<int K>(int64_t i) {
    Elements<float, K> value = load<K>(p + i), state{};
    if (m) state = load<K>(m + i);
    const Elements<float, K> gradient = load<K>(g + i);
#pragma unroll
    for (int j = 0; j < K; ++j) f(value.at[j], gradient.at[j], state.at[j]);
    store<K>(p + i, value);
    if (m) store<K>(m + i, state);
  });
}
template <class F>
void update(Cuda cuda, F f, float* p, const float* g, float* m, int64_t n) {
  if (n == 0) return;
  const bool packed = aligned_16(p) && aligned_16(g) && aligned_16(m);
  launch(packed ? update_kernel<4, F> : update_kernel<1, F>, grid_for_packs(n, packed ? 4 : 1),
         kEachThreads, 0, cuda.stream, f, p, g, m, n);
}

struct Sgd {
  float rate, momentum, weight_decay;
  __device__ void operator()(float& p, float g, float& m) const {
    m = momentum * m + g + weight_decay * p;
    p -= rate * m;
  }
};
struct FirstSgd {  // what the state holds is not read into the sum
  float rate, weight_decay;
  __device__ void operator()(float& p, float g, float& m) const {
    m = g + weight_decay * p;
    p -= rate * m;
  }
};
struct Lion {
  float rate, b1, b2, decay;
  __device__ void operator()(float& p, float g, float& m) const {
    const float u = b1 * m + (1.0f - b1) * g;
    p = p * decay - rate * (u > 0 ? 1.0f : u < 0 ? -1.0f : u);  // NaN stays NaN
    m = b2 * m + (1.0f - b2) * g;
  }
};

}  // namespace

template <class Isa, class A>
void adamw_update(Isa cuda, const AdamwTensor<A>* tensors, int64_t count, const AdamwStep& step) {
  for_tensors(tensors, count, [&](const Tensors<AdamwTensor<A>>& some, int64_t chunks) {
    const bool packed = std::all_of(some.at, some.at + some.count, [](const AdamwTensor<A>& t) {
      return aligned_16(t.p) && aligned_16(t.g) && aligned_16(t.m) && aligned_16(t.v);
    });
    launch(packed ? adamw_kernel<4> : adamw_kernel<1>, grid_for(chunks), kEachThreads, 0,
           cuda.stream, some, AdamwConstants(step));
  });
}
template <class Isa, class A>
void sgd_update(Isa cuda, A* p, const A* g, A* m, int64_t n, double lr, double momentum,
                double weight_decay, bool first) {
  const auto rate = static_cast<float>(lr), wd = static_cast<float>(weight_decay);
  if (first || !m)
    update(cuda, FirstSgd{rate, wd}, p, g, m, n);
  else
    update(cuda, Sgd{rate, static_cast<float>(momentum), wd}, p, g, m, n);
}
template <class Isa, class A>
void lion_update(Isa cuda, A* p, const A* g, A* m, int64_t n, double lr, double beta1, double beta2,
                 double weight_decay) {
  update(cuda,
         Lion{static_cast<float>(lr), static_cast<float>(beta1), static_cast<float>(beta2),
              static_cast<float>(1 - lr * weight_decay)},
         p, g, m, n);
}

template void adamw_update(Cuda, const AdamwTensor<float>*, int64_t, const AdamwStep&);
template void sgd_update(Cuda, float*, const float*, float*, int64_t, double, double, double, bool);
template void lion_update(Cuda, float*, const float*, float*, int64_t, double, double, double,
                          double);

}  // namespace lk
