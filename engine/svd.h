// Singular values, orthogonal factors and inverses, by LAPACK.
#pragma once

#include "engine/tensor.h"

namespace lk {

struct Svd {
  Tensor u, s, vt;  // [m, k], [k], [k, n], k = min(m, n); s falls
};
// a = u diag(s) vt. a: [m, n] in f32 or f64; the results in its dtype. Error when it does not
// converge or a is not finite.
Svd svd(const Tensor& a);

struct Qr {
  Tensor q, r;  // [m, k], [k, n]
};
// a = q r, q with orthonormal columns, r upper triangular (Householder).
Qr qr(const Tensor& a);

Tensor inverse(const Tensor& a);  // [n, n]; Error when it is singular

}  // namespace lk
