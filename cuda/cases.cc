#include "cuda/cases.h"

#include <fmt/core.h>

#include "engine/kernels/accumulate.h"
#include "engine/kernels/adafactor.h"
#include "engine/kernels/attention.h"
#include "engine/kernels/blockwise.h"
#include "engine/kernels/column_sum.h"
#include "engine/kernels/convert.h"
#include "engine/kernels/dropout.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/gemm_4bit.h"
#include "engine/kernels/gradients.h"
#include "engine/kernels/kl_divergence.h"
#include "engine/kernels/low_rank_norm.h"
#include "engine/kernels/matvec_4bit.h"
#include "engine/kernels/norm.h"
#include "engine/kernels/optimizer_8bit.h"
#include "engine/kernels/pointwise.h"
#include "engine/kernels/random_normal.h"
#include "engine/kernels/rotary.h"
#include "engine/kernels/rows.h"
#include "engine/kernels/softmax.h"
#include "engine/kernels/softmax_cross_entropy.h"
#include "engine/kernels/sparse_linear.h"
#include "engine/kernels/square_sum.h"
#include "engine/kernels/sum.h"
#include "engine/kernels/transpose.h"
#include "engine/kernels/unlikelihood.h"

namespace lk {
namespace {

int64_t same(int64_t i) { return i; }

template <class T>
constexpr int64_t size = static_cast<int64_t>(sizeof(T));

// y[n] from `inputs` operands of the same length.
template <class T, class F>
void add_flat(std::vector<KernelCase>& cases, int64_t times, const char* op, int64_t inputs,
              int64_t outputs, F f) {
  const int64_t n = times << 17;
  cases.push_back({op, fmt::format("{} [{}]", name_of(dtype_of<T>), n),
                   (inputs + outputs) * n * size<T>,
                   [=](Cuda cuda, CaseMemory& m) { f(cuda, m, T{}, n); }});
}

template <class T>
void add_cases(std::vector<KernelCase>& cases, int64_t times) {
  const std::string dtype{name_of(dtype_of<T>)};
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
  add_flat<T>(cases, times, "swiglu_forward", 2, 1, [](Cuda c, CaseMemory& m, T, int64_t n) {
    const T *a = m.zeros<T>(n), *b = m.zeros<T>(n);
    swiglu_forward(c, m.zeros<T>(n), a, b, n);
  });
  add_flat<T>(cases, times, "swiglu_backward", 3, 2, [](Cuda c, CaseMemory& m, T, int64_t n) {
    const T *dy = m.zeros<T>(n), *a = m.zeros<T>(n), *b = m.zeros<T>(n);
    T *da = m.zeros<T>(n), *db = m.zeros<T>(n);
    swiglu_backward(c, da, db, dy, a, b, n);
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

  constexpr int64_t d = 768;
  const int64_t rows = 512 * times;
  const std::string matrix = fmt::format("{} [{}, {}]", dtype, rows, d);
  cases.push_back(
      {"add_row_forward", matrix, 2 * rows * d * size<T> + d * 4, [=](Cuda c, CaseMemory& m) {
         const T* x = m.zeros<T>(rows * d);
         const float* row = m.zeros<float>(d);
         add_row_forward(c, m.zeros<T>(rows * d), x, row, rows, d);
       }});
  cases.push_back({"column_sum", matrix, rows * d * size<T> + d * 4, [=](Cuda c, CaseMemory& m) {
                     const T* x = m.zeros<T>(rows * d);
                     column_sum(c, m.zeros<float>(d), x, rows, d);
                   }});
  cases.push_back(
      {"mul_column_forward", matrix, 2 * rows * d * size<T> + rows * 4, [=](Cuda c, CaseMemory& m) {
         const T* x = m.zeros<T>(rows * d);
         const float* column = m.zeros<float>(rows);
         mul_column_forward(c, m.zeros<T>(rows * d), x, column, rows, d);
       }});
  cases.push_back({"transpose", matrix, 2 * rows * d * size<T>, [=](Cuda c, CaseMemory& m) {
                     const T* x = m.zeros<T>(rows * d);
                     transpose(c, m.zeros<T>(rows * d), x, 1, rows, d);
                   }});
  const int64_t ids = rows * 4;
  cases.push_back({"gather_rows", matrix, 2 * rows * d * size<T> + ids, [=](Cuda c, CaseMemory& m) {
                     const T* x = m.zeros<T>(rows * d);
                     gather_rows(c, m.zeros<T>(rows * d), x, m.ints(rows, same), rows, d);
                   }});
  // Every row goes to a row of its own.
  cases.push_back(
      {"scatter_add_rows", matrix, rows * d * (8 + size<T>)+3 * ids, [=](Cuda c, CaseMemory& m) {
         const RowGroups groups{m.ints(rows, same), m.ints(rows + 1, same), m.ints(rows, same),
                                rows};
         const T* x = m.zeros<T>(rows * d);
         scatter_add_rows(c, m.zeros<float>(rows * d), x, groups, d);
       }});
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

// What adapters and their losses need beside the model's own ops.
template <class T>
void add_small(std::vector<KernelCase>& cases, int64_t times) {
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
  // Two values in each row of W [512, 512], as SHiRA of rank 1 has.
  constexpr int64_t values = 2 * width;
  const int64_t tokens = 64 * times;
  const std::string product = fmt::format("{} [{}, 512] by [512, 512], 1024 values", dtype, tokens);
  const auto column = [](int64_t i) { return i * 7919 % width; };
  cases.push_back(
      {"sparse_linear_forward", product, 2 * tokens * width * size<T> + (values * 3 + width) * 4,
       [=](Cuda c, CaseMemory& m) {
         const int32_t* starts = m.ints(width + 1, [](int64_t i) { return 2 * i; });
         const SparseRows w{starts, m.ints(values, same), m.ints(values, column)};
         const T* x = m.zeros<T>(tokens * width);
         const float* v = m.zeros<float>(values);
         sparse_linear_forward(c, m.zeros<T>(tokens * width), x, v, w, tokens, width, width);
       }});
  cases.push_back({"sparse_linear_values", product, 2 * tokens * width * size<T> + values * 3 * 4,
                   [=](Cuda c, CaseMemory& m) {
                     const int32_t *rows_of = m.ints(values, [](int64_t i) { return i / 2; }),
                                   *columns = m.ints(values, column);
                     const T *dy = m.zeros<T>(tokens * width), *x = m.zeros<T>(tokens * width);
                     sparse_linear_values(c, m.zeros<float>(values), dy, x, rows_of, columns,
                                          values, tokens, width, width);
                   }});
}

void add_optimizers(std::vector<KernelCase>& cases, int64_t times) {
  constexpr int64_t cols = 512;
  const int64_t rows = 256 * times, n = rows * cols;
  const std::string flat = fmt::format("f32 [{}]", n),
                    matrix = fmt::format("f32 [{}, {}]", rows, cols);
  add_flat<float>(cases, times, "adamw_update", 4, 3,
                  [](Cuda c, CaseMemory& m, float, int64_t count) {
                    const float* g = m.zeros<float>(count);
                    float *p = m.zeros<float>(count), *first = m.zeros<float>(count),
                          *second = m.zeros<float>(count);
                    adamw_update(c, p, g, first, second, count, {1e-3, 0.9, 0.999, 1e-8, 0.01, 1});
                  });
  add_flat<float>(cases, times, "gradients_square_sum", 1, 0,
                  [](Cuda c, CaseMemory& m, float, int64_t count) {
                    const Gradient<float> two[] = {{m.zeros<float>(count / 2), count / 2},
                                                   {m.zeros<float>(count / 2), count / 2}};
                    gradients_square_sum(c, m.zeros<double>(1), two, 2);
                  });
  add_flat<float>(cases, times, "gradients_scale", 1, 1,
                  [](Cuda c, CaseMemory& m, float, int64_t count) {
                    const Gradient<float> two[] = {{m.zeros<float>(count / 2), count / 2},
                                                   {m.zeros<float>(count / 2), count / 2}};
                    gradients_scale(c, two, 2, 0.5f);
                  });
  const auto state = [=](CaseMemory& m, bool is_signed) {
    return State8{m.zeros<uint8_t>(n), m.zeros<float>(n / kStateBlock), &dynamic_steps(is_signed)};
  };
  cases.push_back({"adamw8bit_update", flat, n * (12 + 4), [=](Cuda c, CaseMemory& m) {
                     float* p = m.zeros<float>(n);
                     const float* g = m.zeros<float>(n);
                     adamw8bit_update(c, p, g, state(m, true), state(m, false), n,
                                      {1e-3, 0.9, 0.999, 1e-8, 0.01, 1});
                   }});
  cases.push_back({"lion8bit_update", flat, n * (12 + 2), [=](Cuda c, CaseMemory& m) {
                     float* p = m.zeros<float>(n);
                     const float* g = m.zeros<float>(n);
                     lion8bit_update(c, p, g, state(m, true), n, 1e-3, 0.9, 0.99, 0.01);
                   }});
  cases.push_back(
      {"adafactor_means", matrix, n * 4 + (rows + cols) * 8, [=](Cuda c, CaseMemory& m) {
         const float* g = m.zeros<float>(n);
         adafactor_means(c, m.zeros<float>(rows), m.zeros<float>(cols), g, rows, cols, 0.9);
       }});
  cases.push_back(
      {"adafactor_factored", matrix, n * 12 + (rows + cols) * 4, [=](Cuda c, CaseMemory& m) {
         const float *g = m.zeros<float>(n), *r = m.zeros<float>(rows), *k = m.zeros<float>(cols);
         adafactor_factored(c, m.zeros<double>(n), g, r, k, 1.0, rows, cols);
       }});
  cases.push_back({"adafactor_whole", flat, n * 20, [=](Cuda c, CaseMemory& m) {
                     const float* g = m.zeros<float>(n);
                     adafactor_whole(c, m.zeros<double>(n), m.zeros<float>(n), g, n, 0.9);
                   }});
  cases.push_back({"adafactor_apply", flat, n * 16, [=](Cuda c, CaseMemory& m) {
                     const double* u = m.zeros<double>(n);
                     adafactor_apply(c, m.zeros<float>(n), u, n, 0.99, 0.01);
                   }});
}

template <class T>
void add_dequantize(std::vector<KernelCase>& cases, int64_t times) {
  constexpr int64_t block = 64;
  const int64_t n = times << 17;
  const std::string shape = fmt::format("{} [{}], blocks of 64", name_of(dtype_of<T>), n);
  cases.push_back(
      {"dequantize_4bit", shape, n * size<T> + n / 2 + n / block * 4, [=](Cuda c, CaseMemory& m) {
         const uint8_t* codes = m.zeros<uint8_t>(n / 2);
         const float* absmax = m.zeros<float>(n / block);
         dequantize_4bit(c, m.zeros<T>(n), codes, absmax, 0, n, block, codebook4("nf4"));
       }});
  cases.push_back(
      {"dequantize_8bit", shape, n * size<T> + n + n / block * 4, [=](Cuda c, CaseMemory& m) {
         const uint8_t* codes = m.zeros<uint8_t>(n);
         const float* absmax = m.zeros<float>(n / block);
         dequantize_8bit(c, m.zeros<T>(n), codes, absmax, 0, n, block, int8_steps().values.data());
       }});
}

// W [out, 4096] in 4-bit blocks of 64.
struct Weight4Bit {
  static constexpr int64_t in = 4096, block = 64;
  int64_t out;
  bool nested;
  int64_t bytes() const {
    const int64_t blocks = out * in / block;
    return out * in / 2 + (nested ? blocks + blocks / kNestedBlock * 4 : blocks * 4);
  }
  Matrix4Bit make(CaseMemory& m) const {
    const int64_t blocks = out * in / block;
    Matrix4Bit w{
        out, in, block, m.zeros<uint8_t>(out * in / 2), nullptr, codebook4("nf4").values.data()};
    if (nested) {
      w.absmax_codes = m.zeros<uint8_t>(blocks);
      w.nested = m.zeros<float>(blocks / kNestedBlock);
      w.nested_values = dynamic_map(true).data();
    } else {
      w.absmax = m.zeros<float>(blocks);
    }
    return w;
  }
};

template <class T>
void add_matvec_4bit(std::vector<KernelCase>& cases, int64_t times) {
  const auto shape = [](int64_t rows, const Weight4Bit& w) {
    return fmt::format("{} [{}, {}] by [{}, {}]{}", name_of(dtype_of<T>), rows, w.in, w.out, w.in,
                       w.nested ? ", nested" : "");
  };
  for (const bool nested : {false, true})
    for (const int64_t rows : {1, 4}) {
      const Weight4Bit weight{2048 * times, nested};
      cases.push_back({"matvec_4bit", shape(rows, weight),
                       weight.bytes() + rows * (weight.in + weight.out) * size<T> + weight.out * 4,
                       [=](Cuda c, CaseMemory& m) {
                         const T* x = m.zeros<T>(rows * weight.in);
                         const float* bias = m.zeros<float>(weight.out);
                         T* y = m.zeros<T>(rows * weight.out);
                         matvec_4bit(c, y, weight.out, x, rows, weight.make(m), bias);
                       }});
    }
}

// A block makes 64 columns of y and reads all of x. With 64 columns in all, four blocks take a part
// of the sums each, which are written and read.
void add_gemm_4bit(std::vector<KernelCase>& cases, int64_t times) {
  for (const auto& [rows, weight] : {std::pair{16, Weight4Bit{256 * times, false}},
                                     {64, {256 * times, true}},
                                     {64, {64, true}}}) {
    const int64_t n = rows * weight.out, parts = weight.out == 64 ? 4 : 0;
    cases.push_back({"gemm_4bit",
                     fmt::format("bf16 [{}, {}] by [{}, {}]{}", rows, weight.in, weight.out,
                                 weight.in, weight.nested ? ", nested" : ""),
                     weight.bytes() + rows * weight.out / 64 * weight.in * 2 + n * 2 +
                         weight.out * 4 + parts * n * 8,
                     [rows = rows, weight = weight, n](Cuda c, CaseMemory& m) {
                       const bf16* x = m.zeros<bf16>(rows * weight.in);
                       const float* bias = m.zeros<float>(weight.out);
                       gemm_4bit(c, m.zeros<bf16>(n), x, rows, weight.make(m), bias);
                     }});
  }
}

// 128 tokens, causal. Each block of 64 queries reads the keys it sees: 1.5 tiles of K and V a head.
void add_attention(std::vector<KernelCase>& cases, int64_t heads, int64_t d) {
  constexpr int64_t tokens = 128;
  const int64_t n = tokens * heads * d;
  const std::string name = fmt::format("bf16 [{}, {}, {}]", tokens, heads, d);
  static constexpr int32_t offsets[] = {0, tokens};
  const AttentionShape shape{offsets, offsets, 1, heads, heads, d, 0.125, true, 0, 0, 0, 0};
  cases.push_back({"attention_forward", name,
                   n * 2 + tokens * heads * 4 + n * 2 + 2 * n * 2 * 3 / 2,
                   [=](Cuda c, CaseMemory& m) {
                     const bf16 *q = m.zeros<bf16>(n), *k = m.zeros<bf16>(n), *v = m.zeros<bf16>(n);
                     bf16* out = m.zeros<bf16>(n);
                     attention_forward(c, out, m.zeros<float>(tokens * heads), q, k, v, shape, {});
                   }});
  // dout and out for delta; q, dout, dq and 1.5 times k, v for dq; k, v, dk, dv and 1.5 times q,
  // dout for dk and dv; lse and delta each 1 + 1.5 times, delta once written.
  cases.push_back({"attention_backward", name, n * 2 * (2 + 3 + 3 + 4 + 3) + tokens * heads * 4 * 6,
                   [=](Cuda c, CaseMemory& m) {
                     const bf16 *q = m.zeros<bf16>(n), *k = m.zeros<bf16>(n), *v = m.zeros<bf16>(n);
                     const bf16 *out = m.zeros<bf16>(n), *dout = m.zeros<bf16>(n);
                     bf16 *dq = m.zeros<bf16>(n), *dk = m.zeros<bf16>(n), *dv = m.zeros<bf16>(n);
                     const float* lse = m.zeros<float>(tokens * heads);
                     attention_backward(c, dq, dk, dv, dout, out, lse, q, k, v, shape, {});
                   }});
}

}  // namespace

const int32_t* CaseMemory::ints(int64_t count, const std::function<int64_t(int64_t)>& value) {
  const bool first = next_ == owned_.size();
  void* data = take(count * 4);
  if (first) {
    std::vector<int32_t> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<int32_t>(value(i)));
    check_cuda(cudaMemcpy(data, values.data(), values.size() * 4, cudaMemcpyHostToDevice),
               "memory of a kernel's case");
  }
  return static_cast<const int32_t*>(data);
}

void* CaseMemory::take(int64_t bytes) {
  if (next_ == owned_.size()) {
    void* data = nullptr;
    check_cuda(cudaMalloc(&data, static_cast<size_t>(bytes)), "memory of a kernel's case");
    owned_.emplace_back(data, cudaFree);
    check_cuda(cudaMemset(data, 0, static_cast<size_t>(bytes)), "memory of a kernel's case");
  }
  return owned_[next_++].get();
}

std::vector<KernelCase> kernel_cases(int64_t times) {
  std::vector<KernelCase> cases;
  add_cases<float>(cases, times);
  add_cases<bf16>(cases, times);
  add_small<float>(cases, times);
  add_small<bf16>(cases, times);
  add_attention(cases, 4 * times, 64);
  add_attention(cases, times, 256);
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
  constexpr int64_t r = 8;
  const int64_t out = 4096 * times;
  cases.push_back({"low_rank_norm", fmt::format("f32 [{}], rank 8", out), out * (8 + 4 + 3 * r * 4),
                   [=](Cuda c, CaseMemory& m) {
                     const double* squares = m.zeros<double>(out);
                     const float *b = m.zeros<float>(out * r), *wa = m.zeros<float>(out * r),
                                 *baa = m.zeros<float>(out * r);
                     low_rank_norm(c, m.zeros<float>(out), squares, b, wa, baa, out, r, 1.0, true);
                   }});
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
  add_optimizers(cases, times);
  add_dequantize<float>(cases, times);
  add_dequantize<bf16>(cases, times);
  add_matvec_4bit<float>(cases, times);
  add_matvec_4bit<bf16>(cases, times);
  add_gemm_4bit(cases, times);
  return cases;
}

}  // namespace lk
