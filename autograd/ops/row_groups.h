// Sums of rows by number, as the kernels take them.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "autograd/ops/helpers.h"
#include "engine/kernels/rows.h"

namespace lk {

// out [rows, d] = 0, then out[ids[i]] += x[i] in the order of i, in the accumulator's dtype;
// rounded to `dtype`. x: [n, d], ids: [n].
inline Tensor scatter_add(const Tensor& x, std::span<const int32_t> ids, int64_t rows,
                          DType dtype) {
  std::vector<int32_t> places(ids.size()), targets, starts;
  std::iota(places.begin(), places.end(), 0);
  const auto id = [&](int32_t place) { return ids[static_cast<size_t>(place)]; };
  std::stable_sort(places.begin(), places.end(),
                   [&](int32_t a, int32_t b) { return id(a) < id(b); });
  for (size_t i = 0; i < places.size(); ++i)
    if (targets.empty() || targets.back() != id(places[i])) {
      targets.push_back(id(places[i]));
      starts.push_back(static_cast<int32_t>(i));
    }
  const auto count = static_cast<int64_t>(targets.size());
  starts.push_back(static_cast<int32_t>(places.size()));
  const Tensor out = Tensor::zeros({rows, x.dim(1)}, acc_dtype(dtype), x.device()),
               at = numbers_on(x.device(), targets), from = numbers_on(x.device(), starts),
               which = numbers_on(x.device(), places);
  on_float("scatter_add", x, [&](auto isa, auto type) {
    using T = decltype(type);
    const RowGroups groups{at.data<int32_t>(), from.data<int32_t>(), which.data<int32_t>(), count};
    if (out.dtype() == DType::f32)
      return scatter_add_rows(isa, out.data<float>(), x.data<T>(), groups, x.dim(1));
    if constexpr (!std::is_same_v<decltype(isa), Cuda>)
      scatter_add_rows(isa, out.data<double>(), x.data<T>(), groups, x.dim(1));
  });
  return out.to(dtype);
}

// [n, d] in `compute`: x[ids[i]].
inline Tensor gathered_rows(const char* op, const Tensor& x, std::span<const int32_t> ids,
                            DType compute) {
  const auto n = static_cast<int64_t>(ids.size());
  Tensor y = Tensor::empty({n, x.dim(1)}, compute, x.device());
  const Tensor at = numbers_on(x.device(), ids);
  on_float(op, x, [&](auto isa, auto in) {
    using In = decltype(in);
    constexpr bool kCuda = std::is_same_v<decltype(isa), Cuda>;
    visit_float(compute, [&](auto out) {
      using Out = decltype(out);
      if constexpr (kCuda && std::is_same_v<Out, double>)
        fail("{}: CUDA computes in f32 or bf16, not in f64", op);
      else
        gather_rows(isa, y.data<Out>(), x.data<In>(), at.data<int32_t>(), n, x.dim(1));
    });
  });
  return y;
}

}  // namespace lk
