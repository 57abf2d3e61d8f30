#include "autograd/places.h"

#include <algorithm>

#include "autograd/ops/row_groups.h"

namespace lk {

struct Places::Copies {
  Tensor index[2];  // by device
  std::unique_ptr<RowGroupTensors> groups[2];
};

Places::Places(std::vector<int32_t> index)
    : index_(std::move(index)), copies_(std::make_unique<Copies>()) {
  for (const int32_t i : index_) {
    require(i >= -1, "take: place {}", i);
    largest_ = std::max(largest_, i);
  }
}
Places::~Places() = default;

const Tensor& Places::on(Device device) const {
  Tensor& t = copies_->index[static_cast<size_t>(device)];
  if (!t.defined()) t = numbers_on(device, index_);
  return t;
}

const RowGroupTensors& Places::groups_on(Device device) const {
  auto& groups = copies_->groups[static_cast<size_t>(device)];
  if (!groups) groups = std::make_unique<RowGroupTensors>(index_, device);
  return *groups;
}

namespace {

// The values in the order of `rows` (that of the places within one), with where each row begins.
SparsePlaces::Ordered ordered(std::span<const int32_t> rows, std::span<const int32_t> columns,
                              int64_t count) {
  std::vector<int32_t> starts(static_cast<size_t>(count) + 1, 0), which(rows.size()),
      of_column(rows.size());
  for (const int32_t r : rows) ++starts[static_cast<size_t>(r) + 1];
  for (size_t r = 0; r < static_cast<size_t>(count); ++r) starts[r + 1] += starts[r];
  std::vector<int32_t> next(starts.begin(), starts.end() - 1);
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto at = static_cast<size_t>(next[static_cast<size_t>(rows[i])]++);
    which[at] = static_cast<int32_t>(i);
    of_column[at] = columns[i];
  }
  return {Tensor::from<int32_t>(starts), Tensor::from<int32_t>(which),
          Tensor::from<int32_t>(of_column)};
}

}  // namespace

SparsePlaces::SparsePlaces(const Tensor& places, int64_t out, int64_t in)
    : count_(places.numel() / 2), out_(out), in_(in) {
  require(places.dtype() == DType::i32 && places.shape() == Shape({2, count_}),
          "sparse_linear: places are {} {}; expected i32 [2, n]", name_of(places.dtype()),
          places.shape());
  const auto n = static_cast<size_t>(count_);
  const std::span<const int32_t> rows = places.span<int32_t>().first(n),
                                 columns = places.span<int32_t>().subspan(n);
  for (size_t i = 0; i < n; ++i)
    require(rows[i] >= 0 && rows[i] < out && columns[i] >= 0 && columns[i] < in,
            "sparse_linear: place ({}, {}) is outside [{}, {}]", rows[i], columns[i], out, in);
  host_ =
      std::make_unique<Copies>(Copies{Tensor::from(rows, {count_}), Tensor::from(columns, {count_}),
                                      ordered(rows, columns, out), ordered(columns, rows, in)});
}
SparsePlaces::~SparsePlaces() = default;

const SparsePlaces::Copies& SparsePlaces::on(Device device) const {
  if (device == Device::cpu) return *host_;
  if (!device_) {
    const auto moved = [device](const Ordered& o) {
      return Ordered{o.starts.to(device), o.which.to(device), o.columns.to(device)};
    };
    device_ = std::make_unique<Copies>(Copies{host_->rows.to(device), host_->columns.to(device),
                                              moved(host_->by_row), moved(host_->by_column)});
  }
  return *device_;
}

}  // namespace lk
