#include "quant/linear.h"

#include <algorithm>
#include <cstring>

#include "autograd/ops/column_sum.h"
#include "engine/codebook.h"
#include "engine/device.h"
#include "engine/gemm.h"
#include "engine/kernels/matvec.h"
#include "engine/kernels/matvec_4bit.h"
#include "engine/parallel.h"
#include "quant/linear_cuda.h"

namespace lk {
namespace {

constexpr int64_t kPanel = 1 << 20;  // elements: 2 MB of bf16
constexpr int64_t kMostFactors = 2048;

// Rows [row, row + rows) and columns [col, col + cols) of W, restored.
Tensor restore(const Quantized& w, DType dtype, int64_t row, int64_t rows, int64_t col,
               int64_t cols) {
  const DType made = dtype == DType::f64 ? DType::f32 : dtype;
  Tensor panel = Tensor::empty({rows, cols}, made);
  const int64_t in = w.shape[1], size = size_of(made);
  auto* out = static_cast<char*>(panel.raw());
  parallel_for(rows, 1 + (1 << 14) / cols, [&](int64_t begin, int64_t end) {
    if (cols == in)
      return dequantize_range(out + begin * in * size, made, w, (row + begin) * in,
                              (end - begin) * in);
    for (int64_t r = begin; r < end; ++r)
      dequantize_range(out + r * cols * size, made, w, (row + r) * in + col, cols);
  });
  return panel.to(dtype);
}

// Columns [col, col + part.dim(1)) of y = part.
void put_columns(const Tensor& y, const Tensor& part, int64_t col) {
  const int64_t size = size_of(y.dtype()), width = part.dim(1) * size, stride = y.dim(-1) * size;
  auto* to = static_cast<char*>(y.raw()) + col * size;
  const auto* from = static_cast<const char*>(part.raw());
  parallel_for(part.dim(0), 1 + (1 << 16) / width, [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      std::memcpy(to + r * stride, from + r * width, static_cast<size_t>(width));
  });
}

bool takes_codes(const Tensor& x, const Quantized& w) {
  return x.numel() / w.shape[1] <= kMatvecRows && bits_of(w.spec) == 4 &&
         w.shape[1] % w.spec.block_size == 0 && w.shape[1] / w.spec.block_size <= kMostFactors &&
         x.dtype() != DType::f64;
}

// Calls f(isa, T{}) as on_float does, and with products of bytes where the CPU has them.
template <class F>
void on_codes_kernel(DType dtype, F&& f) {
#if LK_X86_KERNELS
  if (dtype == DType::bf16 && isa_level() >= IsaLevel::vnni && !dry_run()) return f(Vnni{}, bf16{});
#endif
  on_float(dtype, std::forward<F>(f));
}

// A few rows, straight from the codes.
void multiply_codes(const Tensor& y, const Tensor& x, const Quantized& w, const Tensor& bias) {
  const int64_t in = w.shape[1], out = w.shape[0], rows = x.numel() / in, block = w.spec.block_size;
  const Tensor wide = bias.defined() ? bias.to(DType::f32) : Tensor();
  on_codes_kernel(x.dtype(), [&](auto isa, auto type) {
    using T = decltype(type);
    using X = Lanes<decltype(isa), T>;
    if constexpr (!std::is_same_v<T, double>) {
      const auto bytes = static_cast<int64_t>(sizeof(X));
      const Tensor room = Tensor::empty({rows, lanes_of(in), bytes}, DType::u8);
      auto* lanes = reinterpret_cast<X*>(room.raw());
      put_in_lanes(isa, lanes, x.data<T>(), rows, in);
      const float *values = codebook4(w.spec.type).values.data(),
                  *add = wide.defined() ? wide.data<float>() : nullptr;
      balanced_for(out, 1 + (1 << 15) / in, [&](int64_t begin, int64_t end) {
        // Where they are quantized, factors for as many rows of W as a small array holds.
        float restored[kMostFactors];
        const int64_t blocks = in / block, most = std::max<int64_t>(1, kMostFactors / blocks),
                      step = w.spec.double_quant ? most : end - begin;
        for (int64_t o = begin; o < end; o += step) {
          const int64_t count = std::min(step, end - o);
          if (w.spec.double_quant) block_factors(restored, w, o * blocks, count * blocks);
          const float* factors =
              w.spec.double_quant ? restored : w.absmax.data<float>() + o * blocks;
          const Matrix4Bit some{count,   in,    block, w.codes.data<uint8_t>() + o * in / 2,
                                factors, values};
          matvec_4bit(isa, y.data<T>() + o, out, lanes, rows, some, add ? add + o : nullptr);
        }
      });
    }
  });
}

Tensor forward(const Tensor& x, const Quantized& w, const Tensor& bias) {
  const int64_t in = w.shape[1], out = w.shape[0], rows = x.numel() / in;
  if (x.device() != Device::cpu) return quantized_forward_on_cuda(x, w, bias);
  Tensor y = Tensor::empty({rows, out}, x.dtype());
  const CategoryScope workspace(Category::workspace);
  if (takes_codes(x, w)) {
    multiply_codes(y, x, w, bias);
    return y;
  }
  const int64_t step = std::clamp<int64_t>(kPanel / in, 1, out);
  for (int64_t o = 0; o < out; o += step) {
    const int64_t n = std::min(step, out - o);
    const Tensor part_bias = bias.defined() ? bias.view({out}).rows(o, o + n) : Tensor();
    const Tensor part = n == out ? y : Tensor::empty({rows, n}, x.dtype());
    gemm(part, x, restore(w, x.dtype(), o, n, 0, in),
         {.transpose_b = true, .bias = bias.defined() ? &part_bias : nullptr});
    if (n != out) put_columns(y, part, o);
  }
  return y;
}

Tensor input_gradient(const Tensor& dy, const Quantized& w, const Shape& x_shape) {
  const int64_t in = w.shape[1], out = w.shape[0];
  if (dy.device() != Device::cpu) return quantized_input_gradient_on_cuda(dy, w, x_shape);
  Tensor dx = Tensor::empty(x_shape, dy.dtype());
  const CategoryScope workspace(Category::workspace);
  const int64_t block = w.spec.block_size;
  const int64_t step = std::min(in, std::max<int64_t>(1, kPanel / out / block) * block);
  for (int64_t i = 0; i < in; i += step) {
    const int64_t n = std::min(step, in - i);
    const Tensor part = n == in ? dx : Tensor::empty({dy.numel() / out, n}, dy.dtype());
    gemm(part, dy, restore(w, dy.dtype(), 0, out, i, n));
    if (n != in) put_columns(dx, part, i);
  }
  return dx;
}

}  // namespace

Var quantized_linear(const Var& x, const std::shared_ptr<const Quantized>& w, const Var& bias) {
  const int64_t out = w->shape[0], in = w->shape[1];
  require(x.value().device() == w->device(),
          "linear: x lies on the {}, the quantized weight on the {}", name_of(x.value().device()),
          name_of(w->device()));
  require(x.dim(-1) == in, "linear: x is {} but the weight takes {} features (weight {}, {})",
          x.shape(), in, w->shape, w->spec.type);
  require(!bias.defined() || bias.value().numel() == out, "linear: bias {} for weight {}",
          bias.shape(), w->shape);
  Tensor y = forward(x.value(), *w, bias.defined() ? bias.value() : Tensor());
  std::vector<Var> inputs{x};
  if (bias.defined()) inputs.push_back(bias);
  return record("quantized_linear", y, inputs,
                [w, x_shape = x.shape(), bias_type = bias.defined() ? bias.dtype() : DType::f32](
                    const Tensor& dy, const Need& need) {
                  std::vector<Tensor> grads(need.size());
                  if (need[0]) grads[0] = input_gradient(dy, *w, x_shape);
                  if (need.size() > 1 && need[1]) grads[1] = column_sum_of(dy, bias_type);
                  return grads;
                });
}

}  // namespace lk
