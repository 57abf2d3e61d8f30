#include "quant/linear_cuda.h"

#include <algorithm>

#include "engine/device.h"
#include "engine/gemm.h"
#include "engine/kernels/gemm_4bit.h"
#include "engine/kernels/matvec.h"
#include "engine/kernels/matvec_4bit.h"

namespace lk {
namespace {

Matrix4Bit matrix_of(const Quantized& w) {
  Matrix4Bit m{w.shape[0],        w.shape[1],
               w.spec.block_size, w.codes.data<uint8_t>(),
               nullptr,           codebook4(w.spec.type).values.data()};
  if (w.spec.double_quant) {
    m.absmax_codes = w.absmax_codes.data<uint8_t>();
    m.nested = w.nested_absmax.data<float>();
    m.nested_values = dynamic_map(true).data();
    m.offset = w.offset;
  } else {
    m.absmax = w.absmax.data<float>();
  }
  return m;
}

// As many rows of x as the kernels that read codes take.
int64_t rows_for_codes(const Tensor& x, const Quantized& w) {
  if (bits_of(w.spec) != 4 || w.shape[1] % w.spec.block_size != 0) return 0;
  const KernelScope scope("quantized_linear", x.device());
  const bool aligned = reinterpret_cast<uintptr_t>(x.raw()) % 16 == 0;
  return x.dtype() == DType::bf16 && aligned ? kCudaFusedRows : kMatvecRows;
}

void multiply_codes(const Tensor& y, const Tensor& x, const Quantized& w, const Tensor& bias) {
  const int64_t rows = y.dim(0), out = y.dim(1);
  const Tensor wide = bias.defined() ? bias.to(DType::f32) : Tensor();
  on_float("quantized_linear", x, [&](auto isa, auto type) {
    using T = decltype(type);
    if constexpr (std::is_same_v<decltype(isa), Cuda>) {
      const T* from = x.data<T>();
      const float* add = wide.defined() ? wide.data<float>() : nullptr;
      if (rows <= kMatvecRows)
        matvec_4bit(isa, y.data<T>(), out, from, rows, matrix_of(w), add);
      else if constexpr (std::is_same_v<T, bf16>)
        gemm_4bit(isa, y.data<T>(), from, rows, matrix_of(w), add);
    }
  });
}

// Rows of a panel: in whole warps, so that all panels are aligned, and panels about as large as
// each other.
int64_t panel_rows(const Quantized& w, DType dtype, int64_t panel_bytes) {
  const int64_t out = w.shape[0], fit = panel_bytes / (w.shape[1] * size_of(dtype));
  if (fit >= out) return out;
  const int64_t most = std::max<int64_t>(fit / 32 * 32, 32), panels = (out + most - 1) / most;
  return std::min(out, ((out + panels - 1) / panels + 31) / 32 * 32);
}

// f(o, the rows [o, o + step) of W, restored) for all panels; the last may have fewer.
template <class F>
void each_panel(const Quantized& w, DType dtype, int64_t step, F f) {
  const int64_t out = w.shape[0], in = w.shape[1];
  const Tensor panel = Tensor::empty({step, in}, dtype, w.device());
  for (int64_t o = 0; o < out; o += step) {
    const Tensor some = panel.rows(0, std::min(step, out - o));
    dequantize_on_device(some, w, o * in);
    f(o, some);
  }
}

// Columns of c from column_c on = (columns of a from column_a on) op(b) (+ bias), see GemmShape.
void multiply(const Tensor& c, int64_t column_c, const Tensor& a, int64_t column_a, const Tensor& b,
              const Tensor& bias, const GemmShape& s) {
  gemm_counters().calls += 1;
  gemm_counters().flops +=
      2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
  on_float("quantized_linear", a, [&](auto isa, auto) {
    if constexpr (std::is_same_v<decltype(isa), Cuda>)
      gemm(
          isa, static_cast<char*>(c.raw()) + column_c * size_of(s.c),
          static_cast<const char*>(a.raw()) + column_a * size_of(s.ab), b.raw(),
          bias.defined() ? static_cast<const char*>(bias.raw()) + column_c * size_of(s.c) : nullptr,
          1.0f, s);
  });
}

}  // namespace

Tensor quantized_forward_on_cuda(const Tensor& x, const Quantized& w, const Tensor& bias,
                                 int64_t panel_bytes) {
  const int64_t in = w.shape[1], out = w.shape[0], rows = x.numel() / in;
  Tensor y = Tensor::empty({rows, out}, x.dtype(), x.device());
  const CategoryScope workspace(Category::workspace);
  if (y.numel() == 0) return y;
  if (rows <= rows_for_codes(x, w)) {
    multiply_codes(y, x, w, bias);
    return y;
  }
  const Tensor like_y = bias.defined() ? bias.to(y.dtype()) : Tensor();
  const int64_t step = panel_rows(w, x.dtype(), panel_bytes);
  each_panel(w, x.dtype(), step, [&](int64_t o, const Tensor& panel) {
    multiply(y, o, x, 0, panel, like_y,
             {.m = rows,
              .n = panel.dim(0),
              .k = in,
              .ab = x.dtype(),
              .c = y.dtype(),
              .transpose_a = false,
              .transpose_b = true,
              .accumulate = false,
              .has_bias = bias.defined(),
              .step_c = out});
  });
  return y;
}

Tensor quantized_input_gradient_on_cuda(const Tensor& dy, const Quantized& w, const Shape& x_shape,
                                        int64_t panel_bytes) {
  const int64_t in = w.shape[1], out = w.shape[0], rows = dy.numel() / out,
                step = panel_rows(w, dy.dtype(), panel_bytes);
  // Sums over panels in f32.
  const Tensor dx = Tensor::empty(x_shape, step == out ? dy.dtype() : DType::f32, dy.device());
  if (dx.numel() > 0) {
    const CategoryScope workspace(Category::workspace);
    each_panel(w, dy.dtype(), step, [&](int64_t o, const Tensor& panel) {
      multiply(dx, 0, dy, o, panel, {},
               {.m = rows,
                .n = in,
                .k = panel.dim(0),
                .ab = dy.dtype(),
                .c = dx.dtype(),
                .transpose_a = false,
                .transpose_b = false,
                .accumulate = o > 0,
                .has_bias = false,
                .step_a = out});
    });
  }
  return dx.to(dy.dtype());
}

}  // namespace lk
