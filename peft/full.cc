// Full fine-tuning: every weight of the model trains.
#include "peft/full.h"

#include "peft/selective.h"

namespace lk {
namespace {

class Full : public Selective {
 public:
  using Selective::Selective;

 protected:
  void choose(Model& model, std::set<std::string>& chosen) const override {
    model.visit_parameters([&](const Parameter& p) { chosen.insert(p.name); });
  }
};

}  // namespace

MethodInfo full_info() {
  return {"full", "", "every weight", "the baseline of all papers", 5e-5, {}, make_method<Full>};
}

}  // namespace lk
