// Eigenvalues of symmetric matrices, by LAPACK, and of what lies on the device by cuSOLVER.
#pragma once

#include "engine/cuda.h"
#include "engine/tensor.h"

namespace lk {

struct Eigen {
  Tensor values, vectors;  // [count], falling; [count, n], orthonormal rows
};
// The `count` largest eigenvalues of a symmetric matrix, of which the lower triangle is read.
// a: [n, n] in f32 or f64; the results in its dtype, on its device. Error when it does not converge
// or a is not finite.
Eigen eigh(const Tensor& a, int64_t count);
// On CUDA (cuda/eigen.cc), T: float or double. a [n, n] is overwritten: its first `count` rows are
// the vectors; the values [n] rise, as the vectors do. Not 0: LAPACK's info.
template <class T>
int eigh(Cuda cuda, T* values, T* a, int64_t n, int64_t count);

}  // namespace lk
