#include "peft/activation.h"

#include <map>

#include "autograd/ops.h"
#include "engine/error.h"

namespace lk {

Activation activation_of(const std::string& name) {
  static const std::map<std::string, Activation> table{
      {"relu", relu}, {"gelu", gelu},     {"gelu_new", gelu_tanh}, {"swish", silu},
      {"silu", silu}, {"tanh", lk::tanh}, {"sigmoid", sigmoid}};
  const auto found = table.find(name);
  std::string known;
  for (const auto& entry : table) known += (known.empty() ? "" : ", ") + entry.first;
  require(found != table.end(), "non_linearity '{}' is not known (known: {})", name, known);
  return found->second;
}

}  // namespace lk
