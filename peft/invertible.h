// Invertible adapters (Pfeiffer et al. 2020, arXiv:2005.00052, section 3.2): around the embedding,
// after the NICE coupling of Dinh et al. (2015). With x = [x1, x2] halved along d:
//   y1 = x1 + F(x2), y2 = x2 + G(y1)         F, G: Linear(d/2, d/2/reduction), activation, Linear
//   back
// The paper puts the inverse before a tied language-model head; AdapterHub does so for its own
// heads alone, and its models with the base's head, which these files are for, do without.
#pragma once

#include "nn/model.h"
#include "peft/settings.h"

namespace lk {

class NiceCoupling {
 public:
  // name: prefix of the parameters' names. Keys: inv_adapter ("nice"), non_linearity,
  // inv_adapter_reduction_factor.
  NiceCoupling(const std::string& name, int64_t d, const Settings& settings);
  void initialise(uint64_t seed);
  Var forward(const Var& x) const;
  void visit(const ParameterVisitor& f);

 private:
  Var half(const Var& x, size_t net) const;  // 0: F, 1: G
  int64_t first_, second_;                   // widths of x1, x2
  std::string activation_;
  std::vector<Parameter> parameters_;  // F: W, b, W, b; G: the same
};

// Plugs a coupling in after the model's embedding.
void plug_in(Model& model, const std::shared_ptr<NiceCoupling>& coupling);

}  // namespace lk
