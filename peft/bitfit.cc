// BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked Language-models
// (Ben Zaken et al. 2021, arXiv:2106.10199): train the biases and the task's head, nothing else; or
// of the biases only those of the query and of the first FFN matrix (b_q and b_m2 of section 4.2).
#include "peft/bitfit.h"

#include "peft/selective.h"

namespace lk {
namespace {

class BitFit : public Selective {
 public:
  explicit BitFit(const Settings& settings)
      : Selective(settings),
        terms_(settings.has("bias_terms") ? settings.text("bias_terms") : "all") {
    require(terms_ == "all" || terms_ == "query-mid",
            "{}: 'bias_terms' is '{}'; expected all or query-mid", settings.source(), terms_);
  }

 protected:
  void choose(Model& model, std::set<std::string>& chosen) const override {
    if (terms_ == "all") {
      model.visit_parameters([&](const Parameter& p) {
        if (p.name.ends_with("bias")) chosen.insert(p.name);
      });
    } else {
      model.visit_linears([&](Linear& l) {
        require(l.role() != Role::qkv,
                "bitfit, bias_terms query-mid: '{}' holds query, key and value in one; use all",
                l.name());
        if (l.has_bias() && (l.role() == Role::q || l.role() == Role::up))
          chosen.insert(l.name() + ".bias");
      });
    }
    require(!chosen.empty(), "bitfit: {} has no such biases", model.info().architecture);
  }

 private:
  std::string terms_;
};

}  // namespace

MethodInfo bitfit_info() {
  return {"bitfit",
          "",
          "all biases, or those of the query and the first FFN matrix",
          "Ben Zaken et al. 2021, arXiv:2106.10199",
          1e-3,
          {{"bias-terms", "bias_terms", "\"all\"", "which biases: all or query-mid"}},
          make_method<BitFit>};
}

}  // namespace lk
