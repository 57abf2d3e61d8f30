#include "engine/kernels/softmax.h"
#include "cuda/cases/families.h"
#include "engine/kernels/kl_divergence.h"
#include "engine/kernels/softmax_cross_entropy.h"

namespace lk {
namespace {

template <class T>
void add_softmax(Cases& cases, int64_t times) {
  const std::string dtype{name_of(dtype_of<T>)};
  constexpr int64_t width = 512;
  const int64_t rows = 512 * times, n = rows * width;
  const std::string matrix = fmt::format("{} [{}, {}]", dtype, rows, width);
  cases.push_back({"softmax_forward", matrix, 2 * n * size<T>, [=](Cuda c, CaseMemory& m) {
                     const T* x = m.zeros<T>(n);
                     softmax_forward(c, m.zeros<T>(n), x, rows, width);
                   }});
  cases.push_back({"softmax_backward", matrix, 3 * n * size<T>, [=](Cuda c, CaseMemory& m) {
                     const T *dy = m.zeros<T>(n), *y = m.zeros<T>(n);
                     softmax_backward(c, m.zeros<T>(n), dy, y, rows, width);
                   }});
  cases.push_back({"kl_divergence", fmt::format("{} [{}, 32768]", dtype, 8 * times),
                   3 * n * size<T> + 64 * times, [=](Cuda c, CaseMemory& m) {
                     const T *x = m.zeros<T>(n), *t = m.zeros<T>(n);
                     kl_divergence(c, m.zeros<T>(n), m.zeros<double>(8 * times), x, t, 8 * times,
                                   32768);
                   }});
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
}

}  // namespace

void add_softmax_cases(Cases& cases, int64_t times) {
  add_softmax<float>(cases, times);
  add_softmax<bf16>(cases, times);
}

}  // namespace lk
