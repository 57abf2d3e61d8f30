// Reverse-mode automatic differentiation on a tape of closures. A Var is a tensor and, where a
// gradient will be wanted, a node of the graph. Nothing is recorded otherwise.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace lk {

// Which inputs of an op need a gradient.
using Need = std::vector<bool>;
// Given dL/dy, returns dL/dx for each input, undefined where need[i] is false. The tape adds them
// up.
using Backward = std::function<std::vector<Tensor>(const Tensor& dy, const Need& need)>;

struct SavedBits;

struct Node {
  const char* op = "leaf";
  uint64_t order = 0;                         // later nodes have larger numbers
  std::vector<std::shared_ptr<Node>> inputs;  // null where no gradient is needed
  Backward backward;                          // empty for a leaf and once used
  Shape shape;
  DType dtype = DType::f32;  // of the gradient
  Tensor grad;
  std::weak_ptr<const SavedBits> saved;  // of the value, while ops keep it (autograd/saved.h)
};

class Var {
 public:
  Var() = default;
  Var(Tensor value)
      : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor): a constant
  // A leaf whose gradient is wanted.
  static Var leaf(Tensor value);

  const Tensor& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  int64_t dim(int i) const { return value_.dim(i); }
  DType dtype() const { return value_.dtype(); }
  bool defined() const { return value_.defined(); }
  bool needs_grad() const { return node_ != nullptr; }
  const Tensor& grad() const;        // undefined before backward
  void set_grad(Tensor grad) const;  // replaces it; an undefined tensor clears
  const std::shared_ptr<Node>& node() const { return node_; }
  void set_value(Tensor value) { value_ = std::move(value); }

 private:
  friend Var record(const char*, Tensor, const std::vector<Var>&, Backward);
  Tensor value_;
  std::shared_ptr<Node> node_;
};

// Makes the result of an op. `backward` is kept only when an input needs a gradient and recording
// is on; what it captures is what the op saves: capture only what the needed gradients use.
Var record(const char* op, Tensor y, const std::vector<Var>& inputs, Backward backward);

// True when record() would keep a closure for these inputs: ask before saving anything costly.
bool will_record(const std::vector<Var>& inputs);

// Runs the tape from `y` ([1] or [] unless dy is given). Leaves collect into grad() (added to what
// is there); closures and what they saved are freed as the tape passes them.
void backward(const Var& y, Tensor dy = {});

// No recording while it lives (evaluation, generation).
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool previous_;
};
bool grad_enabled();

// Gradient checkpointing (Chen et al. 2016): runs f(x) without keeping what it saves, and again in
// the backward pass. Dropout masks are the same both times, so the gradients are the same to the
// bit.
Var checkpoint(const std::function<Var(const Var&)>& f, const Var& x);

}  // namespace lk
