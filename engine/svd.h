// Singular values, orthogonal factors and inverses, by LAPACK; singular values of what lies on the
// device by cuSOLVER.
#pragma once

#include "engine/cuda.h"
#include "engine/tensor.h"

namespace lk {

struct Svd {
  Tensor u, s, vt;  // [m, k], [k], [k, n], k = min(m, n); s falls
};
// a = u diag(s) vt. a: [m, n] in f32 or f64; the results in its dtype, on its device. Error when it
// does not converge or a is not finite.
Svd svd(const Tensor& a);
// On CUDA (cuda/svd.cc), T: float or double. a is overwritten. Not 0: the sum of its squares is not
// finite (-1), or LAPACK's info.
template <class T>
int svd(Cuda cuda, T* u, T* s, T* vt, T* a, int64_t m, int64_t n);

// The `rank` largest singular values alone, u [m, rank], s [rank], vt [rank, n], on the CPU, by an
// eigenvalue problem of the smaller side (engine/principal_svd.cc): some times faster than svd
// where a is large. In double on the CPU, in f32 on the device, where singular values below 1e-3 of
// the largest come out rough. The vectors of singular values of 0 may be 0.
Svd principal_svd(const Tensor& a, int64_t rank);

struct Qr {
  Tensor q, r;  // [m, k], [k, n]
};
// a = q r, q with orthonormal columns, r upper triangular (Householder). a: on the CPU.
Qr qr(const Tensor& a);

Tensor inverse(const Tensor& a);  // [n, n], on the CPU; Error when it is singular

}  // namespace lk
