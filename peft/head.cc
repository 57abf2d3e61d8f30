// Feature-based transfer: the pretrained model is left as it is; the task's new head trains on what
// it computes (Peters et al. 2019, arXiv:1903.05987). modules_to_save names more modules.
#include "peft/head.h"

#include "peft/selective.h"

namespace lk {
namespace {

class Head : public Selective {
 public:
  using Selective::Selective;

 protected:
  void choose(Model& model, std::set<std::string>& chosen) const override {
    require(!model.head_modules().empty() || settings_.has("modules_to_save"),
            "the method head trains a task's head, and {} has none; name modules with "
            "--modules-to-save, e.g. lm_head",
            model.info().architecture);
    const auto trains = trained_weights(model, *this);
    model.visit_parameters([&](const Parameter& p) {
      if (trains(p.name)) chosen.insert(p.name);
    });
  }
};

}  // namespace

MethodInfo head_info() {
  return {"head",
          "",
          "the task's head only, on frozen features",
          "Peters et al. 2019, arXiv:1903.05987",
          1e-3,
          {{"modules-to-save", "modules_to_save", "null", "modules that train in full"}},
          make_method<Head>};
}

}  // namespace lk
