#include "nn/model.h"

#include <algorithm>

namespace lk {

Var Model::run_input_adapters(Var x, ModelInput& input) {
  static const std::vector<std::shared_ptr<InputAdapter>> none;
  const bool begins = !input.cache || input.cache->empty();
  return run_input_adapters(std::move(x), input.packing, begins ? input_adapters_ : none);
}

Var Model::run_input_adapters(Var x, Packing& packing,
                              const std::vector<std::shared_ptr<InputAdapter>>& adapters) {
  for (const auto& adapter : adapters) {
    x = adapter->forward(x, packing);
    const auto tokens = static_cast<size_t>(x.dim(0));
    const auto fits = [&](const std::vector<int32_t>& v) {
      return v.empty() || v.size() == tokens;
    };
    invariant(packing.positions.size() == tokens && packing.tokens() == x.dim(0) &&
                  fits(packing.labels) && fits(packing.type_ids),
              "an input adapter made {} rows, but {} positions", tokens, packing.positions.size());
  }
  require(packing.slots.empty(),
          "the template has virtual tokens ([P]), and no adapter fills their places; --method "
          "ptuning and prompt train such");
  const auto last = std::max_element(packing.positions.begin(), packing.positions.end());
  require(last == packing.positions.end() || *last < info_.max_positions,
          "a text has {} tokens{}, more than the model's context of {}", *last + 1,
          adapters.empty() ? "" : " with the virtual ones", info_.max_positions);
  return x;
}

Var Model::run_embedded_adapters(Var x, Packing& packing) {
  for (const auto& adapter : embedded_adapters_) x = adapter->forward(x, packing);
  return x;
}

Device Model::device() {
  Device device = Device::cpu;
  bool first = true;
  visit_parameters([&](Parameter& p) {
    if (first) device = p.var.value().device();
    first = false;
  });
  return device;
}

int64_t Model::max_length() const {
  int64_t length = info_.max_positions;
  for (const auto& adapter : input_adapters_) length -= adapter->positions_taken();
  return length;
}

}  // namespace lk
