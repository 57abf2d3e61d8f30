// Columns parted and put together.
#include "autograd/ops.h"
#include "autograd/ops/helpers.h"
#include "engine/parallel.h"

namespace lk {
namespace {

// Copies `width` columns between x (from column `x_at`) and y (from column `y_at`).
void copy_columns(const Tensor& y, int64_t y_at, const Tensor& x, int64_t x_at, int64_t width) {
  const int64_t size = size_of(x.dtype()), y_row = y.dim(-1) * size, x_row = x.dim(-1) * size;
  const KernelScope scope("copy_columns", x.device());
  if (x.device() == Device::cuda)
    return copy_pitched(Cuda{}, static_cast<char*>(y.raw()) + y_at * size,
                        static_cast<size_t>(y_row), static_cast<char*>(x.raw()) + x_at * size,
                        static_cast<size_t>(x_row), static_cast<size_t>(width * size),
                        static_cast<size_t>(row_count(x)));
  char* to = static_cast<char*>(y.raw()) + y_at * size;
  const char* from = static_cast<const char*>(x.raw()) + x_at * size;
  parallel_for(row_count(x), 1 + (1 << 15) / (width * size + 1), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      std::memcpy(to + i * y_row, from + i * x_row, static_cast<size_t>(width * size));
  });
}

}  // namespace

std::vector<Var> split_columns(const Var& x, const std::vector<int64_t>& widths) {
  int64_t total = 0;
  for (const int64_t w : widths) total += w;
  require(total == x.dim(-1), "split_columns: widths add up to {}, x is {}", total, x.shape());
  std::vector<Var> out;
  int64_t at = 0;
  for (const int64_t w : widths) {
    Tensor y = Tensor::empty({row_count(x.value()), w}, x.dtype(), x.value().device());
    copy_columns(y, 0, x.value(), at, w);
    out.push_back(
        record("split_columns", y, {x}, [at, w, shape = x.shape()](const Tensor& dy, const Need&) {
          Tensor dx = Tensor::zeros(shape, dy.dtype(), dy.device());
          copy_columns(dx, at, dy, 0, w);
          return std::vector<Tensor>{dx};
        }));
    at += w;
  }
  return out;
}

Var concat_columns(const std::vector<Var>& parts) {
  require(!parts.empty(), "concat_columns: nothing to put together");
  int64_t total = 0;
  for (const Var& p : parts) {
    require(p.dim(0) == parts[0].dim(0) && p.dtype() == parts[0].dtype(),
            "concat_columns: {} {} beside {} {}", name_of(p.dtype()), p.shape(),
            name_of(parts[0].dtype()), parts[0].shape());
    total += p.dim(-1);
  }
  Tensor y = Tensor::empty({parts[0].dim(0), total}, parts[0].dtype(), parts[0].value().device());
  std::vector<int64_t> starts, widths;
  int64_t at = 0;
  for (const Var& p : parts) {
    copy_columns(y, at, p.value(), 0, p.dim(-1));
    starts.push_back(at);
    widths.push_back(p.dim(-1));
    at += p.dim(-1);
  }
  return record("concat_columns", y, parts, [starts, widths](const Tensor& dy, const Need& need) {
    std::vector<Tensor> grads(need.size());
    for (size_t i = 0; i < need.size(); ++i) {
      if (!need[i]) continue;
      grads[i] = Tensor::empty({row_count(dy), widths[i]}, dy.dtype(), dy.device());
      copy_columns(grads[i], 0, dy, starts[i], widths[i]);
    }
    return grads;
  });
}

}  // namespace lk
