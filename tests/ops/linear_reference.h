// y = x W^T + b by the definition.
#pragma once

#include "tests/ops/op_case.h"

namespace lk::test {

// Of inputs x [rows, in], W [out, in] or, in_out, [in, out], and b [out] where there is one.
inline auto linear_reference(int64_t rows, int64_t in, int64_t out, bool in_out) {
  return [=](const std::vector<Numbers>& x) {
    Numbers y;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t o = 0; o < out; ++o) {
        double sum = x.size() > 2 ? x[2][static_cast<size_t>(o)] : 0;
        for (int64_t k = 0; k < in; ++k)
          sum += x[0][static_cast<size_t>(i * in + k)] *
                 x[1][static_cast<size_t>(in_out ? k * out + o : o * in + k)];
        y.push_back(sum);
      }
    return y;
  };
}

}  // namespace lk::test
