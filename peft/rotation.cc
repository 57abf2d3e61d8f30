#include "peft/rotation.h"

#include <algorithm>

#include "autograd/ops.h"

namespace lk {

Tensor identity_like(const Tensor& x, int64_t n) {
  Tensor out = Tensor::zeros({n, n}, x.dtype());
  visit_float(x.dtype(), [&](auto type) {
    using T = decltype(type);
    for (int64_t i = 0; i < n; ++i) out.data<T>()[i * (n + 1)] = static_cast<T>(1.0f);
  });
  return out.to(x.device());
}

Var row_of(const Var& x, int64_t i) {
  const int32_t row[] = {static_cast<int32_t>(i)};
  return gather_rows(x, row);
}

Var cayley(const Var& q) {
  const Var one = identity_like(q.value(), q.dim(0));
  return linear(add(one, scale(q, -1.0f)), inverse(add(one, q)), {}, true);
}

Var cayley_neumann(const Var& q, int64_t terms) {
  Var sum = identity_like(q.value(), q.dim(0));
  if (terms <= 1) return sum;
  sum = add(sum, scale(q, 2.0f));
  if (terms == 2) return sum;
  const int64_t last = std::max<int64_t>(terms - 1, 3);
  Var power = q;
  for (int64_t i = 2; i <= last; ++i) {
    power = linear(power, q, {}, true);
    sum = add(sum, scale(power, i < last ? 2.0f : 1.0f));
  }
  return sum;
}

Var rotate_blocks(const Var& x, const std::vector<Var>& blocks) {
  const int64_t b = blocks[0].dim(0), count = x.dim(-1) / b;
  if (blocks.size() == 1)
    return view(linear(view(x, {x.dim(0) * count, b}), blocks[0], {}, true), x.shape());
  const std::vector<Var> parts =
      split_columns(x, std::vector<int64_t>(static_cast<size_t>(count), b));
  std::vector<Var> out;
  for (size_t i = 0; i < parts.size(); ++i) out.push_back(linear(parts[i], blocks[i], {}, true));
  return concat_columns(out);
}

}  // namespace lk
