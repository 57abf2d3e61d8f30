// Methods that plug parts in beside the base's weights, which can be unplugged as a whole.
#pragma once

#include "peft/method.h"

namespace lk {

// What is plugged into a model.
struct PluggedIn {
  explicit PluggedIn(Model& model);
  void put_back(Model& model) const;

 private:
  std::vector<Block> blocks_;
  std::vector<std::shared_ptr<InputAdapter>> input_;
  std::vector<std::shared_ptr<EmbeddedAdapter>> embedded_;
  std::vector<std::vector<std::shared_ptr<LinearAdapter>>> linears_;
};

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
