// Rows picked, put together and averaged. These move bytes; their sums run in a fixed order.
#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"
#include "engine/parallel.h"

namespace lk {
namespace {

size_t row_bytes(const Tensor& x) {
  return static_cast<size_t>(x.numel() / std::max<int64_t>(x.dim(0), 1) * size_of(x.dtype()));
}

// grad [rows, d] += dy[i] at row ids[i]. Columns are split over threads, so every sum has one
// owner.
Tensor scatter_add(const Tensor& dy, const std::vector<int32_t>& ids, int64_t rows, DType dtype) {
  const int64_t d = dy.dim(1);
  Tensor out = Tensor::zeros({rows, d}, acc_dtype(dtype));
  visit_float(dy.dtype(), [&](auto type) {
    using T = decltype(type);
    using A = acc_t<T>;
    visit_float(out.dtype(), [&](auto out_type) {
      using O = decltype(out_type);
      parallel_for(d, 64, [&](int64_t begin, int64_t end) {
        for (size_t i = 0; i < ids.size(); ++i) {
          const T* from = dy.data<T>() + static_cast<int64_t>(i) * d;
          O* to = out.data<O>() + ids[i] * d;
          for (int64_t j = begin; j < end; ++j)
            to[j] = static_cast<O>(to[j] + static_cast<O>(static_cast<A>(from[j])));
        }
      });
    });
  });
  return out.to(dtype);
}

}  // namespace

Var embedding(const Var& table, std::span<const int32_t> ids, DType compute) {
  const int64_t count = table.dim(0), d = table.dim(1);
  for (size_t i = 0; i < ids.size(); ++i)
    require(ids[i] >= 0 && ids[i] < count,
            "embedding: id {} at place {} is outside the table of {} rows", ids[i], i, count);
  Tensor y = Tensor::empty({static_cast<int64_t>(ids.size()), d}, compute);
  const int64_t from_size = size_of(table.dtype()), to_size = size_of(compute);
  parallel_for(static_cast<int64_t>(ids.size()), 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      convert(static_cast<char*>(y.raw()) + i * d * to_size, compute,
              static_cast<const char*>(table.value().raw()) +
                  ids[static_cast<size_t>(i)] * d * from_size,
              table.dtype(), d);
  });
  if (!will_record({table})) return y;
  return record("embedding", y, {table},
                [saved = std::vector<int32_t>(ids.begin(), ids.end()), count,
                 dtype = table.dtype()](const Tensor& dy, const Need&) {
                  return std::vector<Tensor>{scatter_add(dy, saved, count, dtype)};
                });
}

Var gather_rows(const Var& x, std::span<const int32_t> rows) {
  require(x.shape().rank() == 2, "gather_rows: expected [T, d], found {}", x.shape());
  for (const int32_t r : rows)
    require(r >= 0 && r < x.dim(0), "gather_rows: row {} of {}", r, x.shape());
  Tensor y = Tensor::empty({static_cast<int64_t>(rows.size()), x.dim(1)}, x.dtype());
  const size_t bytes = row_bytes(x.value());
  for (size_t i = 0; i < rows.size(); ++i)
    std::memcpy(static_cast<char*>(y.raw()) + i * bytes,
                static_cast<const char*>(x.value().raw()) + static_cast<size_t>(rows[i]) * bytes,
                bytes);
  if (!will_record({x})) return y;
  return record("gather_rows", y, {x},
                [saved = std::vector<int32_t>(rows.begin(), rows.end()), count = x.dim(0)](
                    const Tensor& dy, const Need&) {
                  return std::vector<Tensor>{scatter_add(dy, saved, count, dy.dtype())};
                });
}

Var concat_rows(const std::vector<Var>& parts) {
  require(!parts.empty(), "concat_rows: nothing to put together");
  int64_t total = 0;
  for (const Var& p : parts) {
    require(p.shape().rank() == 2 && p.dim(1) == parts[0].dim(1) && p.dtype() == parts[0].dtype(),
            "concat_rows: {} {} beside {} {}", name_of(p.dtype()), p.shape(),
            name_of(parts[0].dtype()), parts[0].shape());
    total += p.dim(0);
  }
  Tensor y = Tensor::empty({total, parts[0].dim(1)}, parts[0].dtype());
  std::vector<int64_t> starts{0};
  for (const Var& p : parts) {
    y.rows(starts.back(), starts.back() + p.dim(0)).copy_from(p.value());
    starts.push_back(starts.back() + p.dim(0));
  }
  return record("concat_rows", y, parts, [starts](const Tensor& dy, const Need& need) {
    std::vector<Tensor> grads(need.size());
    for (size_t i = 0; i < need.size(); ++i)
      if (need[i]) grads[i] = dy.rows(starts[i], starts[i + 1]).clone();
    return grads;
  });
}

Var mean_pool(const Var& x, std::span<const int32_t> offsets) {
  const auto documents = static_cast<int64_t>(offsets.size()) - 1;
  require(documents >= 0 && offsets.back() == x.dim(0), "mean_pool: offsets end at {}, x is {}",
          offsets.back(), x.shape());
  const int64_t d = x.dim(1);
  Tensor y = Tensor::zeros({documents, d}, x.dtype());
  visit_float(x.dtype(), [&](auto type) {
    using T = decltype(type);
    using A = acc_t<T>;
    std::vector<A> sum(static_cast<size_t>(d));
    for (int64_t b = 0; b < documents; ++b) {
      const int64_t begin = offsets[static_cast<size_t>(b)],
                    end = offsets[static_cast<size_t>(b) + 1];
      std::fill(sum.begin(), sum.end(), A(0));
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = 0; j < d; ++j)
          sum[static_cast<size_t>(j)] += static_cast<A>(x.value().template data<T>()[i * d + j]);
      for (int64_t j = 0; j < d && end > begin; ++j)
        y.data<T>()[b * d + j] = T(sum[static_cast<size_t>(j)] / static_cast<A>(end - begin));
    }
  });
  return record("mean_pool", y, {x},
                [saved = std::vector<int32_t>(offsets.begin(), offsets.end()), shape = x.shape(),
                 d](const Tensor& dy, const Need&) {
                  Tensor dx = Tensor::zeros(shape, dy.dtype());
                  visit_float(dy.dtype(), [&](auto type) {
                    using T = decltype(type);
                    using A = acc_t<T>;
                    for (size_t b = 0; b + 1 < saved.size(); ++b)
                      for (int64_t i = saved[b]; i < saved[b + 1]; ++i)
                        for (int64_t j = 0; j < d; ++j)
                          dx.data<T>()[i * d + j] =
                              T(static_cast<A>(dy.data<T>()[static_cast<int64_t>(b) * d + j]) /
                                static_cast<A>(saved[b + 1] - saved[b]));
                  });
                  return std::vector<Tensor>{dx};
                });
}

}  // namespace lk
