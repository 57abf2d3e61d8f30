// The sum of f(x[i]) in double, as the kernels share it.
#pragma once

#include "engine/dtype.h"
#include "engine/parallel.h"

namespace lk {
namespace {

// f: double -> double.
template <class T, class F>
inline double sum_of(const T* x, int64_t n, F f) {
  constexpr int64_t kParts = 64;  // whatever the thread count, so that the bits are the same
  double parts[kParts] = {};
  double* to = parts;
  parallel_for(kParts, 1 + (1 << 20) / (n + 1), [=](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      for (int64_t i = n * p / kParts; i < n * (p + 1) / kParts; ++i)
        to[p] += f(static_cast<double>(static_cast<acc_t<T>>(x[i])));
  });
  double total = 0;
  for (const double part : parts) total += part;
  return total;
}

}  // namespace
}  // namespace lk
