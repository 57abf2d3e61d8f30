// A parametrised hypercomplex product's weight (Zhang et al. 2021; Mahabadi et al. 2021, eq. 4, 5):
//   H = sum_i A_i (x) B_i        B_i = L_i R_i
// with A_i [n, n], L_i [p, r], R_i [r, q], H [n p, n q].
// As one product, M [n n, p q] = A^T B with A [n, n n] and B [n, p q], whose rows (u, v) hold the
// blocks of H: H[(u, j), (v, l)] = M[(u, v), (j, l)].
//   dA = B dM^T        dB = A dM        dL_i = dB_i R_i^T        dR_i = L_i^T dB_i
#include "autograd/ops.h"
#include "autograd/ops/row_groups.h"
#include "engine/gemm.h"

namespace lk {
namespace {

struct Sizes {
  int64_t n, p, r, q;
};

// [a, b, c, q] -> [a, c, b, q]
Tensor exchanged(const Tensor& x, int64_t a, int64_t b, int64_t c, const Shape& shape) {
  std::vector<int32_t> rows;
  for (int64_t u = 0; u < a; ++u)
    for (int64_t k = 0; k < c; ++k)
      for (int64_t j = 0; j < b; ++j) rows.push_back(static_cast<int32_t>((u * b + j) * c + k));
  const Tensor flat = x.view({a * b * c, x.numel() / (a * b * c)});
  return gathered_rows("phm_weight", flat, rows, x.dtype()).view(shape);
}

// Matrix i of a stack.
Tensor matrix(const Tensor& stack, int64_t i) {
  return stack.rows(i, i + 1).view({stack.dim(1), stack.dim(2)});
}

Tensor factors(const Tensor& left, const Tensor& right, const Sizes& s) {
  Tensor b = Tensor::empty({s.n, s.p, s.q}, left.dtype(), left.device());
  for (int64_t i = 0; i < s.n; ++i) gemm(matrix(b, i), matrix(left, i), matrix(right, i));
  return b;
}

}  // namespace

Var phm_weight(const Var& rule, const Var& left, const Var& right) {
  require(rule.shape().rank() == 3 && left.shape().rank() == 3 && right.shape().rank() == 3 &&
              rule.dim(1) == rule.dim(0) && rule.dim(2) == rule.dim(0) &&
              left.dim(0) == rule.dim(0) && right.dim(0) == rule.dim(0) &&
              left.dim(2) == right.dim(1) && left.dtype() == rule.dtype() &&
              right.dtype() == rule.dtype(),
          "phm_weight: A {}, L {} and R {} do not fit", rule.shape(), left.shape(), right.shape());
  require(rule.dtype() == DType::f32 || rule.dtype() == DType::f64,
          "phm_weight: {} is not supported (f32, f64)", name_of(rule.dtype()));
  const Sizes s{rule.dim(0), left.dim(1), left.dim(2), right.dim(2)};
  const Tensor a = rule.value().view({s.n, s.n * s.n}),
               m = Tensor::empty({s.n * s.n, s.p * s.q}, a.dtype(), a.device());
  gemm(m, a, factors(left.value(), right.value(), s).view({s.n, s.p * s.q}), {.transpose_a = true});
  return record("phm_weight", exchanged(m, s.n, s.n, s.p, {s.n * s.p, s.n * s.q}),
                {rule, left, right},
                [s, a, l = left.value(), r = right.value()](const Tensor& dh, const Need& need) {
                  const Tensor dm = exchanged(dh, s.n, s.p, s.n, {s.n * s.n, s.p * s.q});
                  std::vector<Tensor> grads(3);
                  if (need[0]) {
                    grads[0] = Tensor::empty({s.n, s.n, s.n}, a.dtype(), a.device());
                    gemm(grads[0].view(a.shape()), factors(l, r, s).view({s.n, s.p * s.q}), dm,
                         {.transpose_b = true});
                  }
                  if (!need[1] && !need[2]) return grads;
                  const Tensor db = Tensor::empty({s.n, s.p, s.q}, a.dtype(), a.device());
                  gemm(db.view({s.n, s.p * s.q}), a, dm);
                  if (need[1]) grads[1] = Tensor::like(l);
                  if (need[2]) grads[2] = Tensor::like(r);
                  for (int64_t i = 0; i < s.n; ++i) {
                    if (need[1])
                      gemm(matrix(grads[1], i), matrix(db, i), matrix(r, i), {.transpose_b = true});
                    if (need[2])
                      gemm(matrix(grads[2], i), matrix(l, i), matrix(db, i), {.transpose_a = true});
                  }
                  return grads;
                });
}

}  // namespace lk
