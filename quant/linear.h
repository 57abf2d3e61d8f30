// y = x W^T + b with W quantized: the product that QLoRA's frozen layers are made of
// (Dettmers et al. 2023, arXiv:2305.14314, eq. 5).
#pragma once

#include <memory>

#include "autograd/var.h"
#include "quant/blockwise.h"

namespace lk {

// x: [T, in] in f32, bf16 or f64; w: [out, in]; bias: [out] or undefined. W is never whole in
// memory: a panel is restored in x's dtype and multiplied, then the next; on the CPU it fits the
// cache. A few rows of x are multiplied with the 4-bit codes directly; on a device, some tens too
// (quant/linear_cuda.h). The gradient with respect to x restores W again; W has none.
Var quantized_linear(const Var& x, const std::shared_ptr<const Quantized>& w, const Var& bias);

}  // namespace lk
