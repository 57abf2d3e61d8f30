// Rows picked, put together and averaged. These move bytes; their sums run in a fixed order.
#include "autograd/ops.h"
#include "autograd/ops/row_groups.h"
#include "engine/kernels/elementwise.h"

namespace lk {

Var embedding(const Var& table, std::span<const int32_t> ids, DType compute) {
  const int64_t count = table.dim(0);
  for (size_t i = 0; i < ids.size(); ++i)
    require(ids[i] >= 0 && ids[i] < count,
            "embedding: id {} at place {} is outside the table of {} rows", ids[i], i, count);
  const Tensor y = gathered_rows("embedding", table.value(), ids, compute);
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
  const Tensor y = gathered_rows("gather_rows", x.value(), rows, x.dtype());
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
  Tensor y = Tensor::empty({total, parts[0].dim(1)}, parts[0].dtype(), parts[0].value().device());
  std::vector<int64_t> starts{0};
  for (const Var& p : parts) {
    require(p.value().device() == y.device(),
            "concat_rows: {} {} lies on the {}, another operand on the {}", name_of(p.dtype()),
            p.shape(), name_of(p.value().device()), name_of(y.device()));
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
  std::vector<int32_t> document;  // of each row
  std::vector<double> shares;     // of a row in its document's mean
  for (int64_t b = 0; b < documents; ++b) {
    const int32_t length = offsets[static_cast<size_t>(b) + 1] - offsets[static_cast<size_t>(b)];
    document.insert(document.end(), static_cast<size_t>(length), static_cast<int32_t>(b));
    shares.push_back(length > 0 ? 1.0 / length : 0.0);
  }
  const DType acc = acc_dtype(x.dtype());
  const Tensor share = Tensor::from<double>(shares).to(acc).to(x.value().device());
  const auto scaled = [share](const Tensor& rows) {  // [documents, d]
    Tensor y = Tensor::like(rows);
    on_float("mean_pool", rows, [&](auto isa, auto type) {
      using T = decltype(type);
      mul_column_forward(isa, y.data<T>(), rows.data<T>(), share.data<acc_t<T>>(), rows.dim(0),
                         rows.dim(1));
    });
    return y;
  };
  const Tensor y = scaled(scatter_add(x.value(), document, documents, acc)).to(x.dtype());
  return record("mean_pool", y, {x}, [document, scaled](const Tensor& dy, const Need&) {
    return std::vector<Tensor>{gathered_rows("mean_pool", scaled(dy), document, dy.dtype())};
  });
}

}  // namespace lk
