// LN tuning: Parameter-Efficient LayerNorm Tuning (Zhao et al. 2023, arXiv:2312.11420): the gains
// and biases of the norms train, nothing else.
#include "peft/ln_tuning.h"

#include <nlohmann/json.hpp>

#include "peft/nearest.h"
#include "peft/selective.h"
#include "peft/targets.h"

namespace lk {
namespace {

class LnTuning : public Selective {
 public:
  using Selective::Selective;
  // HF PEFT reads no file without target_modules.
  void attach(Model& model, uint64_t seed) override {
    Selective::attach(model, seed);
    if (!settings_.texts("target_modules").empty()) return;
    std::set<std::string> norms;
    model.visit_parameters([&](const Parameter& p) {
      if (selects(p.name)) norms.insert(p.name.substr(0, p.name.rfind('.')));
    });
    settings_.set("target_modules", norms);
  }
  // HF PEFT wraps a norm, so its own weights go under ln_tuning_layers.
  std::string file_name(const std::string& parameter) const override {
    if (!selects(parameter)) return Method::file_name(parameter);
    const size_t dot = parameter.rfind('.');
    return "base_model.model." + parameter.substr(0, dot) + ".ln_tuning_layers" +
           parameter.substr(dot);
  }

 protected:
  void choose(Model& model, std::set<std::string>& chosen) const override {
    std::set<std::string> linears, norms;
    model.visit_linears([&](Linear& l) { linears.insert(l.name()); });
    const auto module = [](const std::string& name) { return name.substr(0, name.rfind('.')); };
    const std::vector<std::string> names = settings_.texts("target_modules");
    std::set<std::string> hit;
    model.visit_parameters([&](const Parameter& p) {
      if (p.shape.rank() != 1 || linears.count(module(p.name))) return;
      norms.insert(module(p.name));
      if (!names.empty() && !is_named(module(p.name), names)) return;
      chosen.insert(p.name);
      for (const std::string& n : names)
        if (is_named(module(p.name), {n})) hit.insert(n);
    });
    for (const std::string& n : names)
      require(hit.count(n) > 0, "{}: target_modules: '{}' is no norm of this model; nearest: {}",
              settings_.source(), n, nearest(n, {norms.begin(), norms.end()}));
  }
};

}  // namespace

MethodInfo ln_tuning_info() {
  return {"ln-tuning",
          "LN_TUNING",
          "the gains and biases of the norms",
          "Zhao et al. 2023, arXiv:2312.11420",
          1e-3,
          {{"target-modules", "target_modules", "null", "names of norms; all of them by default"},
           {"modules-to-save", "modules_to_save", "null", "modules that train in full"}},
          make_method<LnTuning>};
}

}  // namespace lk
