#include "engine/kernels/elementwise.h"
#include "cuda/cases/families.h"
#include "engine/kernels/accumulate.h"
#include "engine/kernels/convert.h"
#include "engine/kernels/dropout.h"
#include "engine/kernels/pointwise.h"
#include "engine/kernels/random_normal.h"
#include "engine/kernels/unlikelihood.h"

namespace lk {
namespace {

template <class T>
void add_flat_ops(Cases& cases, int64_t times) {
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
  // One of the factors does not train.
  add_flat<T>(
      cases, times, "swiglu_backward", 3, 1,
      [](Cuda c, CaseMemory& m, T, int64_t n) {
        const T *dy = m.zeros<T>(n), *a = m.zeros<T>(n), *b = m.zeros<T>(n);
        T* none = nullptr;
        swiglu_backward(c, m.zeros<T>(n), none, dy, a, b, n);
      },
      ", gate alone");
  add_flat<T>(
      cases, times, "swiglu_backward", 2, 1,
      [](Cuda c, CaseMemory& m, T, int64_t n) {
        const T *dy = m.zeros<T>(n), *a = m.zeros<T>(n);
        T *none = nullptr, *up = m.zeros<T>(n);
        swiglu_backward(c, none, up, dy, a, static_cast<const T*>(nullptr), n);
      },
      ", up alone");
  add_flat<T>(cases, times, "dropout_forward", 1, 1, [](Cuda c, CaseMemory& m, T, int64_t n) {
    const T* x = m.zeros<T>(n);
    dropout_forward(c, m.zeros<T>(n), x, n, 0.1f, 1, 2);
  });
  add_flat<T>(cases, times, "random_normal", 0, 1, [](Cuda c, CaseMemory& m, T, int64_t n) {
    random_normal(c, m.zeros<T>(n), n, 1.0f, 1, 2);
  });
}

template <class T>
void add_broadcasts(Cases& cases, int64_t times) {
  const std::string dtype{name_of(dtype_of<T>)};
  constexpr int64_t d = 768;
  const int64_t rows = 512 * times;
  const std::string matrix = fmt::format("{} [{}, {}]", dtype, rows, d);
  cases.push_back(
      {"add_row_forward", matrix, 2 * rows * d * size<T> + d * 4, [=](Cuda c, CaseMemory& m) {
         const T* x = m.zeros<T>(rows * d);
         const float* row = m.zeros<float>(d);
         add_row_forward(c, m.zeros<T>(rows * d), x, row, rows, d);
       }});
  cases.push_back(
      {"mul_row_forward", matrix, 2 * rows * d * size<T> + d * 4, [=](Cuda c, CaseMemory& m) {
         const T* x = m.zeros<T>(rows * d);
         const float* row = m.zeros<float>(d);
         mul_row_forward(c, m.zeros<T>(rows * d), x, row, rows, d);
       }});
  cases.push_back(
      {"mul_column_forward", matrix, 2 * rows * d * size<T> + rows * 4, [=](Cuda c, CaseMemory& m) {
         const T* x = m.zeros<T>(rows * d);
         const float* column = m.zeros<float>(rows);
         mul_column_forward(c, m.zeros<T>(rows * d), x, column, rows, d);
       }});
}

void add_rest(Cases& cases, int64_t times) {
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

}  // namespace

void add_elementwise_cases(Cases& cases, int64_t times) {
  add_flat_ops<float>(cases, times);
  add_flat_ops<bf16>(cases, times);
  add_broadcasts<float>(cases, times);
  add_broadcasts<bf16>(cases, times);
  add_rest(cases, times);
}

}  // namespace lk
