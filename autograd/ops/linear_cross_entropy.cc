// The loss of a language model's head: sum over labelled rows of -log softmax(x W^T + b)[label].
// The gradient is known as soon as a block's logits are (softmax - onehot), so it is taken at once,
// block by block, and only scaled by dy later: logits of more than one block never exist, and rows
// without a label cost nothing.
#include "autograd/ops.h"
#include "autograd/ops/column_sum.h"
#include "autograd/ops/row_groups.h"
#include "engine/gemm.h"
#include "engine/kernels/accumulate.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/softmax_cross_entropy.h"

namespace lk {
namespace {

Tensor scaled(const Tensor& g, double factor) {
  if (factor == 1.0) return g;
  Tensor out = Tensor::like(g);
  on_float("linear_cross_entropy", g, [&](auto isa, auto type) {
    using T = decltype(type);
    scale_forward(isa, out.data<T>(), g.data<T>(), static_cast<acc_t<T>>(factor), g.numel());
  });
  return out;
}

// Rows whose logits are in memory at a time: blocks of one size, of at most 64 MB in f32. (Below
// some 200 rows the products are bound by reading W.)
int64_t block_rows(int64_t rows, int64_t vocab) {
  const int64_t most = std::clamp<int64_t>((16 << 20) / vocab, 32, 1024);
  const int64_t blocks = (rows + most - 1) / most;
  return (rows + blocks - 1) / blocks;
}

}  // namespace

Var linear_cross_entropy(const Var& x, const Var& weight, const Var& bias,
                         std::span<const int32_t> labels) {
  const int64_t total = x.dim(0), vocab = weight.dim(0);
  require(static_cast<int64_t>(labels.size()) == total,
          "linear_cross_entropy: {} labels for {} rows", labels.size(), total);
  std::vector<int32_t> index, kept;
  for (int64_t i = 0; i < total; ++i) {
    const int32_t label = labels[static_cast<size_t>(i)];
    if (label == -100) continue;
    require(label >= 0 && label < vocab,
            "linear_cross_entropy: label {} at row {} is outside the {} classes", label, i, vocab);
    index.push_back(static_cast<int32_t>(i));
    kept.push_back(label);
  }
  const auto rows = static_cast<int64_t>(index.size());
  const bool all = rows == total;
  const DType dtype = x.dtype(), logit_type = dtype == DType::f64 ? DType::f64 : DType::f32;
  const Tensor h = all ? x.value() : gathered_rows("linear_cross_entropy", x.value(), index, dtype);
  const Tensor w = weight.value().to(dtype);

  std::vector<Var> inputs{x, weight};
  if (bias.defined()) inputs.push_back(bias);
  const bool recording = will_record(inputs), want_x = recording && x.needs_grad(),
             want_w = recording && weight.needs_grad(), want_b = recording && bias.needs_grad();
  Tensor dh, dw, db;
  const Device device = h.device();
  if (want_x) dh = Tensor::like(h);
  if (want_w) dw = Tensor::zeros(weight.shape(), acc_dtype(weight.dtype()), device);
  if (want_b) db = Tensor::zeros(bias.shape(), logit_type, device);

  const Tensor losses = Tensor::empty({rows}, DType::f64, device),
               classes = numbers_on(device, kept);
  const int64_t block = rows ? block_rows(rows, vocab) : 1;
  for (int64_t begin = 0; begin < rows; begin += block) {
    const int64_t end = std::min(rows, begin + block);
    const CategoryScope workspace(Category::workspace);
    const Tensor part = h.rows(begin, end);
    const Tensor logits = Tensor::empty({end - begin, vocab}, logit_type, device);
    gemm(logits, part, w, {.transpose_b = true, .bias = bias.defined() ? &bias.value() : nullptr});
    // softmax - onehot takes the place of the logits where the type is the same.
    Tensor dz;
    if (recording) dz = dtype == logit_type ? logits : Tensor::empty(logits.shape(), dtype, device);
    on_float("linear_cross_entropy", logits, [&](auto isa, auto type) {
      using T = decltype(type);
      const auto run = [&](auto* gradient) {
        softmax_cross_entropy(isa, gradient, losses.data<double>() + begin, logits.data<T>(),
                              classes.data<int32_t>() + begin, end - begin, vocab);
      };
      if constexpr (std::is_same_v<T, float>)
        if (recording && dtype == DType::bf16) return run(dz.data<bf16>());
      run(recording ? dz.data<T>() : static_cast<T*>(nullptr));
    });
    if (!recording) continue;
    if (want_x) gemm(dh.rows(begin, end), dz, w);
    if (want_w) gemm(dw, dz, part, {.transpose_a = true, .accumulate = true});
    if (want_b) {
      const Tensor sum = column_sum_of(dz, logit_type);
      on_float("accumulate", db, [&](auto isa, auto type) {
        using T = decltype(type);
        accumulate(isa, db.data<T>(), sum.data<T>(), vocab);
      });
    }
  }
  double loss = 0;
  for (const double l : losses.to_vector<double>()) loss += l;
  if (want_x && !all) dh = scatter_add(dh, index, total, dtype);
  return record("linear_cross_entropy", Tensor::full({1}, logit_type, loss), inputs,
                [dh, dw, db, wt = weight.dtype(), bt = bias.dtype(), n = inputs.size()](
                    const Tensor& dy, const Need& need) {
                  std::vector<Tensor> grads(n);
                  const double factor = dy.item();
                  if (need[0]) grads[0] = scaled(dh, factor);
                  if (need[1]) grads[1] = scaled(dw, factor).to(wt);
                  if (n > 2 && need[2]) grads[2] = scaled(db, factor).to(bt);
                  return grads;
                });
}

}  // namespace lk
