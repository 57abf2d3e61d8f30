// LoRA's A and B at one layer (peft/lora.cc has the equation), and DoRA's, which add a magnitude.
#pragma once

#include "autograd/ops.h"
#include "peft/linear_method.h"
#include "peft/lora_start.h"

namespace lk {

class LoraPart : public LinearAdapter {
 public:
  LoraPart(Place& place, const LoraStart& start, double scale, float dropout)
      : a_(place.parameter("lora_A.weight", start.a)),
        b_(place.parameter("lora_B.weight", start.b)),
        scale_(static_cast<float>(scale)),
        dropout_(dropout),
        model_(place.model) {}
  Var forward(const Linear&, const Var& x, const Inner& inner) override { return sum(x, inner(x)); }
  void visit(const ParameterVisitor& f) override { f(a_), f(b_); }

 protected:
  Var sum(const Var& x, Var base) const {  // base + s B A dropout(x)
    return low_rank_add(std::move(base), dropout(x, model_.training ? dropout_ : 0.0f), a_.var,
                        b_.var, scale_);
  }
  Parameter a_, b_;
  float scale_, dropout_;
  const Model& model_;
};

std::shared_ptr<LinearAdapter> make_dora_part(Place& place, const LoraStart& start, double scale,
                                              float dropout);

}  // namespace lk
