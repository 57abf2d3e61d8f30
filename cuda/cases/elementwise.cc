// Operands of one shape.
#include "engine/kernels/elementwise.h"

#include "cuda/cases/families.h"
#include "engine/kernels/accumulate.h"
#include "engine/kernels/convert.h"
#include "engine/kernels/dropout.h"
#include "engine/kernels/pointwise.h"
#include "engine/kernels/random_normal.h"
#include "engine/kernels/square_sum.h"
#include "engine/kernels/sum.h"

namespace lk {
namespace {

template <class T>
void add_of(Cases& cases, int64_t times) {
  add_flat<T>(cases, times, "pointwise_forward", 1, 1, [](Cuda c, CaseMemory& m, T, int64_t n) {
    pointwise_forward<GeluTanh>(c, m.zeros<T>(n), static_cast<const T*>(m.zeros<T>(n)), n);
  });
  add_flat<T>(cases, times, "pointwise_backward", 2, 1, [](Cuda c, CaseMemory& m, T, int64_t n) {
    const T *dy = m.zeros<T>(n), *x = m.zeros<T>(n);
    pointwise_backward<GeluTanh>(c, m.zeros<T>(n), dy, x, n);
  });
  add_flat<T>(cases, times, "accumulate", 2, 1, [](Cuda c, CaseMemory& m, T, int64_t n) {
    const T* x = m.zeros<T>(n);
    accumulate(c, m.zeros<T>(n), x, n);
  });
  add_flat<T>(cases, times, "add_forward", 2, 1, [](Cuda c, CaseMemory& m, T, int64_t n) {
    const T *a = m.zeros<T>(n), *b = m.zeros<T>(n);
    add_forward(c, m.zeros<T>(n), a, b, n);
  });
  add_flat<T>(cases, times, "mul_forward", 2, 1, [](Cuda c, CaseMemory& m, T, int64_t n) {
    const T *a = m.zeros<T>(n), *b = m.zeros<T>(n);
    mul_forward(c, m.zeros<T>(n), a, b, n);
  });
  add_flat<T>(cases, times, "scale_forward", 1, 1, [](Cuda c, CaseMemory& m, T, int64_t n) {
    const T* x = m.zeros<T>(n);
    scale_forward(c, m.zeros<T>(n), x, 0.5f, n);
  });
  add_flat<T>(cases, times, "swiglu_forward", 2, 1, [](Cuda c, CaseMemory& m, T, int64_t n) {
    const T *a = m.zeros<T>(n), *b = m.zeros<T>(n);
    swiglu_forward(c, m.zeros<T>(n), a, b, n);
  });
  add_flat<T>(cases, times, "swiglu_backward", 3, 2, [](Cuda c, CaseMemory& m, T, int64_t n) {
    const T *dy = m.zeros<T>(n), *a = m.zeros<T>(n), *b = m.zeros<T>(n);
    T *da = m.zeros<T>(n), *db = m.zeros<T>(n);
    swiglu_backward(c, da, db, dy, a, b, n);
  });
  // Of one operand, where the other is frozen.
  add_flat<T>(cases, times, "swiglu_backward, gate", 3, 1, [](Cuda c, CaseMemory& m, T, int64_t n) {
    const T *dy = m.zeros<T>(n), *a = m.zeros<T>(n), *b = m.zeros<T>(n);
    T* none = nullptr;
    swiglu_backward(c, m.zeros<T>(n), none, dy, a, b, n);
  });
  add_flat<T>(cases, times, "swiglu_backward, up", 2, 1, [](Cuda c, CaseMemory& m, T, int64_t n) {
    const T *dy = m.zeros<T>(n), *a = m.zeros<T>(n);
    T* none = nullptr;
    swiglu_backward(c, none, m.zeros<T>(n), dy, a, static_cast<const T*>(none), n);
  });
  add_flat<T>(cases, times, "dropout_forward", 1, 1, [](Cuda c, CaseMemory& m, T, int64_t n) {
    const T* x = m.zeros<T>(n);
    dropout_forward(c, m.zeros<T>(n), x, n, 0.1f, 1, 2);
  });
  add_flat<T>(cases, times, "random_normal", 0, 1, [](Cuda c, CaseMemory& m, T, int64_t n) {
    random_normal(c, m.zeros<T>(n), n, 1.0f, 1, 2);
  });

  add_flat<T>(cases, times, "square_sum", 1, 0, [](Cuda c, CaseMemory& m, T, int64_t n) {
    square_sum(c, m.zeros<double>(1), static_cast<const T*>(m.zeros<T>(n)), n);
  });

  add_flat<T>(cases, times, "sum", 1, 0, [](Cuda c, CaseMemory& m, T, int64_t n) {
    sum(c, m.zeros<double>(1), static_cast<const T*>(m.zeros<T>(n)), n);
  });
}

}  // namespace

void add_elementwise_cases(Cases& cases, int64_t times) {
  add_of<float>(cases, times);
  add_of<bf16>(cases, times);
  const auto add_convert = [&](const char* dtypes, auto to, auto from) {
    const int64_t n = times << 17;
    using To = decltype(to);
    using From = decltype(from);
    cases.push_back(
        {"convert", fmt::format("{} [{}]", dtypes, n), 6 * n, [=](Cuda c, CaseMemory& m) {
           const auto* x = m.zeros<From>(n);
           convert(c, m.zeros<To>(n), x, n);
         }});
  };
  add_convert("f32 to bf16", bf16{}, float{});
  add_convert("bf16 to f32", float{}, bf16{});
}

}  // namespace lk
