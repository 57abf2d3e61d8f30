// Methods that plug parts in beside the base's weights, which can be unplugged as a whole.
#pragma once

#include "peft/method.h"
#include "peft/plugged_in.h"

namespace lk {

class InsertedMethod : public Method {
 public:
  void set_enabled(Model& model, bool on) override;

 protected:
  // The first thing in attach, and the last: new parameters are f32, but f64 in an f64 model.
  void remember(Model& model);
  void match_precision(const Model& model);

 private:
  std::unique_ptr<PluggedIn> without_, with_;  // with_: while it is off
};

}  // namespace lk
