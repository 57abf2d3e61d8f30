// Activations by the names that configurations give them.
#pragma once

#include <string>

#include "autograd/var.h"

namespace lk {

using Activation = Var (*)(const Var&);
// relu, gelu (exact), gelu_new (tanh), swish or silu, tanh, sigmoid; Error for another.
Activation activation_of(const std::string& name);

}  // namespace lk
