// Losses over a vocabulary.
#include "cuda/cases/families.h"
#include "engine/kernels/kl_divergence.h"
#include "engine/kernels/softmax_cross_entropy.h"
#include "engine/kernels/unlikelihood.h"

namespace lk {
namespace {

template <class T>
void add_of(Cases& cases, int64_t times) {
  const std::string dtype{name_of(dtype_of<T>)};
  constexpr int64_t classes = 50257;
  const int64_t tokens = 4 * times;
  cases.push_back({"softmax_cross_entropy", fmt::format("{} [{}, {}]", dtype, tokens, classes),
                   tokens * (2 * classes * size<T> + 12), [=](Cuda c, CaseMemory& m) {
                     T* z = m.zeros<T>(tokens * classes);
                     double* loss = m.zeros<double>(tokens);
                     const int32_t* labels = m.zeros<int32_t>(tokens);
                     softmax_cross_entropy(c, z, loss, static_cast<const T*>(z), labels, tokens,
                                           classes);
                   }});
  const int64_t n = 8 * times * 32768;
  cases.push_back({"kl_divergence", fmt::format("{} [{}, 32768]", dtype, 8 * times),
                   3 * n * size<T> + 64 * times, [=](Cuda c, CaseMemory& m) {
                     const T *x = m.zeros<T>(n), *t = m.zeros<T>(n);
                     kl_divergence(c, m.zeros<T>(n), m.zeros<double>(8 * times), x, t, 8 * times,
                                   32768);
                   }});
}

}  // namespace

void add_loss_cases(Cases& cases, int64_t times) {
  add_of<float>(cases, times);
  add_of<bf16>(cases, times);
  add_flat<float>(cases, times, "unlikelihood_forward", 1, 1,
                  [](Cuda c, CaseMemory& m, float, int64_t n) {
                    unlikelihood_forward(c, m.zeros<float>(n),
                                         static_cast<const float*>(m.zeros<float>(n)), n, 0.01);
                  });
  add_flat<float>(cases, times, "unlikelihood_backward", 2, 1,
                  [](Cuda c, CaseMemory& m, float, int64_t n) {
                    const float *dy = m.zeros<float>(n), *x = m.zeros<float>(n);
                    unlikelihood_backward(c, m.zeros<float>(n), dy, x, n, 0.01);
                  });
}

}  // namespace lk
