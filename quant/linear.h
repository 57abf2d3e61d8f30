// y = x W^T + b with W quantized: the product that QLoRA's frozen layers are made of
// (Dettmers et al. 2023, arXiv:2305.14314, eq. 5).
#pragma once

#include <memory>

#include "autograd/var.h"
#include "quant/blockwise.h"

namespace lk {

// x: [T, in] in f32, bf16 or f64; w: [out, in]; bias: [out] or undefined. On the
// CPU W is never whole in memory: a panel that fits the cache is restored in x's dtype and
// multiplied, then the next; a few rows of x are multiplied with the codes directly. On a device it
// is restored for the one product. The gradient with respect to x restores W again; W has none.
Var quantized_linear(const Var& x, const std::shared_ptr<const Quantized>& w, const Var& bias);

}  // namespace lk
