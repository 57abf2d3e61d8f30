// Where the elements of one tensor stand in another, as `take` and `sparse_linear` read them: made
// once, and used in every step. What the backward pass needs is ordered when it is first asked for,
// and kept; so are copies on the device.
#pragma once

#include <memory>
#include <vector>

#include "engine/tensor.h"

namespace lk {

struct RowGroupTensors;

// The number of an element for each element of a result; -1: none.
class Places {
 public:
  explicit Places(std::vector<int32_t> index);
  ~Places();
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;
  const std::vector<int32_t>& index() const { return index_; }
  int32_t largest() const { return largest_; }
  const Tensor& on(Device device) const;                  // int32 [n]
  const RowGroupTensors& groups_on(Device device) const;  // the results of each element

 private:
  struct Copies;
  std::vector<int32_t> index_;
  int32_t largest_ = -1;
  std::unique_ptr<Copies> copies_;
};

// The places of the values of a sparse matrix W [out, in].
class SparsePlaces {
 public:
  // places: int32 [2, n] on the CPU, rows and then columns. Error where one lies outside of W.
  SparsePlaces(const Tensor& places, int64_t out, int64_t in);
  ~SparsePlaces();
  SparsePlaces(const SparsePlaces&) = delete;
  SparsePlaces& operator=(const SparsePlaces&) = delete;
  int64_t count() const { return count_; }
  int64_t out() const { return out_; }
  int64_t in() const { return in_; }
  struct Ordered {  // SparseRows (engine/kernels/sparse_linear.h) of W or of its transpose
    Tensor starts, which, columns;
  };
  struct Copies {
    Tensor rows, columns;  // [n]
    Ordered by_row, by_column;
  };
  const Copies& on(Device device) const;

 private:
  int64_t count_, out_, in_;
  std::unique_ptr<Copies> host_;
  mutable std::unique_ptr<Copies> device_;
};

}  // namespace lk
