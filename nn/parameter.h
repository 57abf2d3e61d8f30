// A named weight of a model. Frozen, it is a constant (often memory that belongs to a mapped file);
// made trainable, it is a leaf of the tape in f32 (f64 stays f64), whatever the file held.
#pragma once

#include <functional>
#include <string>

#include "autograd/var.h"

namespace lk {

struct Parameter {
  std::string name;  // Hugging Face's, e.g. "model.layers.0.self_attn.q_proj.weight"
  Shape shape;       // what the configuration demands
  Var var;           // undefined until loaded or initialised

  Parameter() = default;
  Parameter(std::string full_name, const Shape& expected)
      : name(std::move(full_name)), shape(expected) {}
  bool defined() const { return var.defined(); }
  bool trainable() const { return var.needs_grad(); }
  void set(Tensor value);  // frozen; Error when the shape differs
  void make_trainable();   // f32 master in memory of its own
  void to(Device device);  // trainable or not as before; a gradient is dropped
  void freeze() { var = Var(var.value()); }
};

using ParameterVisitor = std::function<void(Parameter&)>;

}  // namespace lk
