// The last k blocks train, all below them is frozen: the baseline of Houlsby et al. (2019,
// arXiv:1902.00751, section 3.4). The norm behind the last block trains too, as does the head. Of
// an encoder-decoder, the last k of both.
#include "peft/last_layers.h"

#include <regex>

#include "peft/selective.h"

namespace lk {
namespace {

class LastLayers : public Selective {
 public:
  using Selective::Selective;

 protected:
  void choose(Model& model, std::set<std::string>& chosen) const override {
    const int64_t count = settings_.integer("last_layers", 0, 1 << 20),
                  layers = model.info().layers;
    require(count <= layers, "{}: last_layers is {}, but the model has {} blocks",
            settings_.source(), count, layers);
    static const std::regex block("^.*?\\.(\\d+)\\.");  // the first number in a name
    bool after = false;                                 // behind the last block
    model.visit_parameters([&](const Parameter& p) {
      std::smatch m;
      if (std::regex_search(p.name, m, block)) {
        after = true;
        const bool encoder = model.info().encoder_decoder() && p.name.rfind("encoder.", 0) == 0;
        const int64_t of = encoder ? model.info().encoder_layers : layers;
        if (std::stoll(m[1].str()) >= of - count) chosen.insert(p.name);
      } else if (after && p.shape.rank() == 1 && count > 0) {
        chosen.insert(p.name);
      }
    });
  }
};

}  // namespace

MethodInfo last_layers_info() {
  return {"last-layers",
          "",
          "all weights of the last blocks",
          "Houlsby et al. 2019, arXiv:1902.00751",
          1e-4,
          {{"last-layers", "last_layers", "1", "how many blocks train"}},
          make_method<LastLayers>};
}

}  // namespace lk
