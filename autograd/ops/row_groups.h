// Sums of rows by number, as the kernels take them.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "autograd/ops/helpers.h"
#include "engine/kernels/rows.h"

namespace lk {

// RowGroups in memory of their own, int32.
struct RowGroupTensors {
  Tensor rows, starts, places;

  // The places of each number in `ids`, in their order; -1 belongs to no group.
  explicit RowGroupTensors(std::span<const int32_t> ids, Device device = Device::cpu) {
    const auto id = [&](int32_t place) { return ids[static_cast<size_t>(place)]; };
    std::vector<int32_t> in_order(ids.size()), targets, first;
    std::iota(in_order.begin(), in_order.end(), 0);
    std::erase_if(in_order, [&](int32_t place) { return id(place) < 0; });
    std::stable_sort(in_order.begin(), in_order.end(),
                     [&](int32_t a, int32_t b) { return id(a) < id(b); });
    for (size_t i = 0; i < in_order.size(); ++i)
      if (targets.empty() || targets.back() != id(in_order[i])) {
        targets.push_back(id(in_order[i]));
        first.push_back(static_cast<int32_t>(i));
      }
    first.push_back(static_cast<int32_t>(in_order.size()));
    rows = numbers_on(device, targets);
    starts = numbers_on(device, first);
    places = numbers_on(device, in_order);
  }
  RowGroups view() const {  // where kernels of the device may take addresses
    return {rows.data<int32_t>(), starts.data<int32_t>(), places.data<int32_t>(), rows.numel()};
  }
};

// out [rows, d] = 0, then out[id] += x[i] for the places i of each id, in their order, in the
// accumulator's dtype; rounded to `dtype`. x: [n, d].
inline Tensor scatter_add(const Tensor& x, const RowGroupTensors& groups, int64_t rows,
                          DType dtype) {
  const int64_t d = x.dim(-1);
  const Tensor out = Tensor::zeros({rows, d}, acc_dtype(dtype), x.device());
  on_float("scatter_add", x, [&](auto isa, auto type) {
    using T = decltype(type);
    if (out.dtype() == DType::f32)
      return scatter_add_rows(isa, out.data<float>(), x.data<T>(), groups.view(), d);
    if constexpr (!std::is_same_v<decltype(isa), Cuda>)
      scatter_add_rows(isa, out.data<double>(), x.data<T>(), groups.view(), d);
  });
  return out.to(dtype);
}
inline Tensor scatter_add(const Tensor& x, std::span<const int32_t> ids, int64_t rows,
                          DType dtype) {
  return scatter_add(x, RowGroupTensors(ids, x.device()), rows, dtype);
}

// [n, d] in `compute`: x[ids[i]]. ids: int32 on the device of x.
inline Tensor gathered_rows(const char* op, const Tensor& x, const Tensor& ids, DType compute) {
  const int64_t n = ids.numel(), d = x.dim(-1);
  Tensor y = Tensor::empty({n, d}, compute, x.device());
  on_float(op, x, [&](auto isa, auto in) {
    using In = decltype(in);
    constexpr bool kCuda = std::is_same_v<decltype(isa), Cuda>;
    visit_float(compute, [&](auto out) {
      using Out = decltype(out);
      if constexpr (kCuda && std::is_same_v<Out, double>)
        fail("{}: CUDA computes in f32 or bf16, not in f64", op);
      else
        gather_rows(isa, y.data<Out>(), x.data<In>(), ids.data<int32_t>(), n, d);
    });
  });
  return y;
}
inline Tensor gathered_rows(const char* op, const Tensor& x, std::span<const int32_t> ids,
                            DType compute) {
  return gathered_rows(op, x, numbers_on(x.device(), ids), compute);
}

}  // namespace lk
