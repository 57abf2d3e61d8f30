// BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked Language-models
// (Ben Zaken et al. 2021, arXiv:2106.10199): train the biases and the task's head, nothing else.
#include "peft/bitfit.h"

#include "peft/selective.h"

namespace lk {
namespace {

bool is_bias(const std::string& parameter) {
  return parameter.size() >= 4 && parameter.compare(parameter.size() - 4, 4, "bias") == 0;
}

}  // namespace

MethodInfo bitfit_info() {
  return {"bitfit",
          "",
          "all biases",
          "Ben Zaken et al. 2021, arXiv:2106.10199",
          1e-3,
          {},
          [](const Settings& settings) -> std::unique_ptr<Method> {
            return std::make_unique<Selective>(settings, is_bias);
          }};
}

}  // namespace lk
