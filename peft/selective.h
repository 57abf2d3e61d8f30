// What the methods that only choose among existing weights have in common.
#pragma once

#include <set>

#include "peft/method.h"

namespace lk {

class Selective : public Method {
 public:
  explicit Selective(const Settings& settings) : settings_(settings) {}
  void attach(Model& model, uint64_t) override {
    choose(model, chosen_);
    require(!chosen_.empty() || !model.head_modules().empty(),
            "the method selects none of this model's weights, and the model has no head to train");
  }
  void visit(const ParameterVisitor&) override {}
  bool selects(const std::string& parameter) const override { return chosen_.count(parameter) > 0; }
  void merge(Model&) override {}  // the weights are the model's own
  void unmerge(Model&) override {}
  const Settings& settings() const override { return settings_; }

 protected:
  // Fills in the names of the parameters that train.
  virtual void choose(Model& model, std::set<std::string>& chosen) const = 0;
  Settings settings_;

 private:
  std::set<std::string> chosen_;
};

}  // namespace lk
