// Full fine-tuning: every weight of the model trains.
#include "peft/full.h"

#include "peft/selective.h"

namespace lk {

MethodInfo full_info() {
  return {"full",
          "",
          "every weight",
          "the baseline of all papers",
          5e-5,
          {},
          [](const Settings& settings) -> std::unique_ptr<Method> {
            return std::make_unique<Selective>(settings, [](const std::string&) { return true; });
          }};
}

}  // namespace lk
