#include "engine/kernels/norm.h"
#include "cuda/cases/families.h"
#include "engine/kernels/rotary.h"

namespace lk {
namespace {

template <class T>
void add_norms(Cases& cases, int64_t times) {
  const std::string dtype{name_of(dtype_of<T>)};
  for (const int64_t width : {768, 4096}) {
    const int64_t count = (width == 4096 ? 512 : 1024) * times;
    const std::string shape = fmt::format("{} [{}, {}]", dtype, count, width);
    const int64_t x_bytes = count * width * size<T>;
    cases.push_back(
        {"rms_norm_forward", shape, 2 * x_bytes + (count + width) * 4, [=](Cuda c, CaseMemory& m) {
           const T* x = m.zeros<T>(count * width);
           const float* gain = m.zeros<float>(width);
           T* y = m.zeros<T>(count * width);
           rms_norm_forward(c, y, m.zeros<float>(count), x, gain, count, width, 1e-6f);
         }});
    cases.push_back({"layer_norm_forward", shape, 2 * x_bytes + (2 * count + 2 * width) * 4,
                     [=](Cuda c, CaseMemory& m) {
                       const T* x = m.zeros<T>(count * width);
                       const float *gain = m.zeros<float>(width), *bias = m.zeros<float>(width);
                       T* y = m.zeros<T>(count * width);
                       float *mean = m.zeros<float>(count), *rstd = m.zeros<float>(count);
                       layer_norm_forward(c, y, mean, rstd, x, gain, bias, count, width, 1e-6f);
                     }});
    cases.push_back({"add_rms_norm_forward", shape, 4 * x_bytes + (count + width) * 4,
                     [=](Cuda c, CaseMemory& m) {
                       const T *a = m.zeros<T>(count * width), *b = m.zeros<T>(count * width);
                       const float* gain = m.zeros<float>(width);
                       T *y = m.zeros<T>(count * width), *sum = m.zeros<T>(count * width);
                       add_rms_norm_forward(c, y, sum, m.zeros<float>(count), a, b, gain, count,
                                            width, 1e-6f);
                     }});
    cases.push_back({"add_layer_norm_forward", shape, 4 * x_bytes + (2 * count + 2 * width) * 4,
                     [=](Cuda c, CaseMemory& m) {
                       const T *a = m.zeros<T>(count * width), *b = m.zeros<T>(count * width);
                       const float *gain = m.zeros<float>(width), *bias = m.zeros<float>(width);
                       T *y = m.zeros<T>(count * width), *sum = m.zeros<T>(count * width);
                       float *mean = m.zeros<float>(count), *rstd = m.zeros<float>(count);
                       add_layer_norm_forward(c, y, sum, mean, rstd, a, b, gain, bias, count, width,
                                              1e-6f);
                     }});
    cases.push_back({"layer_norm_backward", shape, 3 * x_bytes + (2 * count + 3 * width) * 4,
                     [=](Cuda c, CaseMemory& m) {
                       const T *x = m.zeros<T>(count * width), *dy = m.zeros<T>(count * width);
                       const float *gain = m.zeros<float>(width), *mean = m.zeros<float>(count),
                                   *rstd = m.zeros<float>(count);
                       float *dgain = m.zeros<float>(width), *dbias = m.zeros<float>(width);
                       layer_norm_backward(c, m.zeros<T>(count * width), dgain, dbias, dy, x, mean,
                                           rstd, gain, count, width);
                     }});
    cases.push_back({"rms_norm_backward", shape, 3 * x_bytes + (count + 2 * width) * 4,
                     [=](Cuda c, CaseMemory& m) {
                       const T *x = m.zeros<T>(count * width), *dy = m.zeros<T>(count * width);
                       const float *gain = m.zeros<float>(width), *rstd = m.zeros<float>(count);
                       float* dgain = m.zeros<float>(width);
                       rms_norm_backward(c, m.zeros<T>(count * width), dgain, dy, x, rstd, gain,
                                         count, width);
                     }});
  }
  constexpr int64_t heads = 32, head_dim = 128;
  const int64_t positions = 128 * times;
  cases.push_back({"rotary_forward", fmt::format("{} [{}, 32, 128]", dtype, positions),
                   positions * head_dim * (2 * heads * size<T> + 4), [=](Cuda c, CaseMemory& m) {
                     const T* x = m.zeros<T>(positions * heads * head_dim);
                     T* y = m.zeros<T>(positions * heads * head_dim);
                     const float *cos = m.zeros<float>(positions * head_dim / 2),
                                 *sin = m.zeros<float>(positions * head_dim / 2);
                     rotary_forward(c, y, x, cos, sin, positions, heads, head_dim, false);
                   }});
}

}  // namespace

void add_norm_cases(Cases& cases, int64_t times) {
  add_norms<float>(cases, times);
  add_norms<bf16>(cases, times);
  cases.push_back({"rotary_table", fmt::format("f32 [{}, 64]", 1024 * times),
                   1024 * times * (4 + 64 * 8) + 64 * 4, [=](Cuda c, CaseMemory& m) {
                     const int64_t rows = 1024 * times, half = 64;
                     float *cos = m.zeros<float>(rows * half), *sin = m.zeros<float>(rows * half);
                     const int32_t* at = m.ints(rows, [](int64_t i) { return i; });
                     rotary_table(c, cos, sin, at, m.zeros<float>(half), rows, half, 1.0f);
                   }});
}

}  // namespace lk
