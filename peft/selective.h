// What the methods that only choose among existing weights have in common.
#pragma once

#include "peft/method.h"

namespace lk {

class Selective : public Method {
 public:
  Selective(const Settings& settings, bool (*chooses)(const std::string& parameter))
      : settings_(settings), chooses_(chooses) {}
  void attach(Model&, uint64_t) override {}
  void visit(const ParameterVisitor&) override {}
  bool selects(const std::string& parameter) const override { return chooses_(parameter); }
  void merge(Model&) override {}  // the weights are the model's own
  const Settings& settings() const override { return settings_; }

 private:
  Settings settings_;
  bool (*chooses_)(const std::string&);
};

}  // namespace lk
