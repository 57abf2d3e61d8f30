// The methods, one line each.
#include <algorithm>

#include "engine/error.h"
#include "peft/bitfit.h"
#include "peft/full.h"
#include "peft/lora.h"
#include "peft/method.h"
#include "peft/qlora.h"

namespace lk {

const std::vector<MethodInfo>& methods() {
  static const std::vector<MethodInfo> table{
      full_info(),
      bitfit_info(),
      lora_info(),
      qlora_info(),
  };
  return table;
}

const MethodInfo& find_method(const std::string& name) {
  std::string known;
  for (const MethodInfo& m : methods()) {
    if (m.name == name || (!m.peft_type.empty() && m.peft_type == name)) return m;
    known += (known.empty() ? "" : ", ") + m.name;
  }
  fail("the method '{}' is not known (known: {})", name, known);
}

std::vector<Parameter*> select_parameters(Model& model, Method& method) {
  const std::vector<std::string> heads = model.head_modules();
  const auto in_head = [&](const std::string& name) {
    return std::any_of(heads.begin(), heads.end(),
                       [&](const std::string& h) { return name.rfind(h + ".", 0) == 0; });
  };
  std::vector<Parameter*> out;
  model.visit_parameters([&](Parameter& p) {
    if (!method.selects(p.name) && !in_head(p.name)) {
      p.freeze();
      return;
    }
    p.make_trainable();
    out.push_back(&p);
  });
  method.visit([&](Parameter& p) {
    p.make_trainable();
    out.push_back(&p);
  });
  return out;
}

}  // namespace lk
