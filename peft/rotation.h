// Block-diagonal rotations of what goes into a layer.
#pragma once

#include <vector>

#include "autograd/var.h"

namespace lk {

// (I - Q) (I + Q)^-1 of a skew-symmetric Q [b, b] (Cayley): a rotation.
Var cayley(const Var& q);
// Its Neumann series with so many terms: I + 2 Q + 2 Q^2 + .. + Q^k, as HF PEFT cuts it.
Var cayley_neumann(const Var& q, int64_t terms);
// y = x R, R block-diagonal: x [T, n b], blocks [b, b] each; one block serves all when it is alone.
Var rotate_blocks(const Var& x, const std::vector<Var>& blocks);
// Row i of x [n, d].
Var row_of(const Var& x, int64_t i);
// I [n, n], where x lies and in its dtype.
Tensor identity_like(const Tensor& x, int64_t n);

}  // namespace lk
