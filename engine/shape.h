// The shape of a tensor: up to four dimensions, a plain value.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "engine/error.h"

namespace lk {

class Shape {
 public:
  static constexpr int kMaxRank = 4;
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) {
    for (int64_t d : dims) push_back(d);
  }
  void push_back(int64_t dim) {
    require(rank_ < kMaxRank, "tensors of more than {} dimensions are not supported", kMaxRank);
    require(dim >= 0, "a dimension cannot be negative, this one is {}", dim);
    dims_[static_cast<size_t>(rank_++)] = dim;
  }
  int rank() const { return rank_; }
  // Negative indices count from the end, as in Python.
  int64_t operator[](int i) const {
    const int at = i < 0 ? i + rank_ : i;
    invariant(at >= 0 && at < rank_, "dimension {} of a tensor of rank {}", i, rank_);
    return dims_[static_cast<size_t>(at)];
  }
  int64_t numel() const {
    int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= dims_[static_cast<size_t>(i)];
    return n;
  }
  bool operator==(const Shape& other) const = default;
  std::string str() const {  // "[2, 3]"
    std::string s = "[";
    for (int i = 0; i < rank_; ++i)
      s += (i ? ", " : "") + std::to_string(dims_[static_cast<size_t>(i)]);
    return s + "]";
  }

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

}  // namespace lk

// So that messages take a Shape as it is: its text is made only when an error is thrown.
template <>
struct fmt::formatter<lk::Shape> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  template <class Context>
  auto format(const lk::Shape& shape, Context& context) const {
    auto out = context.out();
    for (const char c : shape.str()) *out++ = c;
    return out;
  }
};
