// Sums as the kernels share them.
#pragma once

#include "engine/dtype.h"
#include "engine/parallel.h"

namespace lk {
namespace {

// The sum of f(j) for j < n in 32 partial sums: one chain of additions would wait for itself.
template <class A, class F>
[[gnu::always_inline]] inline A sum_of(int64_t n, F f) {
  constexpr int kLanes = 32;
  A partial[kLanes] = {};
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes)
    for (int l = 0; l < kLanes; ++l) partial[l] += f(j + l);
  for (; j < n; ++j) partial[j % kLanes] += f(j);
  A total = 0;
  for (int l = 0; l < kLanes; ++l) total += partial[l];
  return total;
}

// The sum of f(x[i]) in double on all threads; f: double -> double.
template <class T, class F>
inline double sum_of_all(const T* x, int64_t n, F f) {
  constexpr int64_t kParts = 64;  // whatever the thread count, so that the bits are the same
  double parts[kParts] = {};
  double* to = parts;
  parallel_for(kParts, 1 + (1 << 20) / (n + 1), [=](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const T* part = x + n * p / kParts;
      to[p] = sum_of<double>(n * (p + 1) / kParts - n * p / kParts, [=](int64_t j) {
        return f(static_cast<double>(static_cast<acc_t<T>>(part[j])));
      });
    }
  });
  double total = 0;
  for (const double part : parts) total += part;
  return total;
}

}  // namespace
}  // namespace lk
