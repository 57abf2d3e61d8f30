// LSTM (Hochreiter and Schmidhuber 1997, with forget gates), in torch's order of gates i, f, g, o:
//   [i f g o] = x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh
//   c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(g)      h_t = sigmoid(o) tanh(c_t)
// Made of other ops: it reads a few virtual tokens a step, not texts.
#include "autograd/ops.h"

namespace lk {

Var lstm(const Var& x, const Var& w_ih, const Var& w_hh, const Var& b_ih, const Var& b_hh,
         bool reverse) {
  const int64_t steps = x.dim(0), h = w_hh.dim(1);
  require(w_hh.dim(0) == 4 * h && w_ih.dim(0) == 4 * h && w_ih.dim(1) == x.dim(1),
          "lstm: W_ih {} and W_hh {} do not fit x {}", w_ih.shape(), w_hh.shape(), x.shape());
  const Var read = linear(x, w_ih, b_ih);
  const Tensor zero = Tensor::zeros({1, h}, x.dtype(), x.value().device());
  Var hidden = zero, cell = zero;
  std::vector<Var> out(static_cast<size_t>(steps));
  for (int64_t s = 0; s < steps; ++s) {
    const int32_t row[] = {static_cast<int32_t>(reverse ? steps - 1 - s : s)};
    const std::vector<Var> gates =
        split_columns(add(gather_rows(read, row), linear(hidden, w_hh, b_hh)), {h, h, h, h});
    cell = add(mul(sigmoid(gates[1]), cell), mul(sigmoid(gates[0]), tanh(gates[2])));
    hidden = mul(sigmoid(gates[3]), tanh(cell));
    out[static_cast<size_t>(row[0])] = hidden;
  }
  return concat_rows(out);
}

}  // namespace lk
