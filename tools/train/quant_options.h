// The options of tools that quantize a base while loading it.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "peft/settings.h"
#include "quant/quantizer.h"

namespace CLI {
class App;
}

namespace lk {

struct QuantOptions {
  std::string type;  // "": the folder as it is
  int64_t block_size = 64;
  bool double_quant = false, head = false;
  std::optional<QuantSpec> spec() const;  // Error when a detail is given without the type
  nlohmann::json json() const;
};

void add_quant_options(CLI::App& app, QuantOptions& options);

// What adapter_config.json remembers of the base an adapter was trained on, under "lorikeet".
void remember(Settings& settings, const QuantOptions& options);
QuantOptions remembered(const Settings& settings);

// What loads the folder's linear layers. Error when its quantization_config is not supported.
std::unique_ptr<WeightFactory> make_quantizer(const QuantOptions& options, const Config& config,
                                              QuantError* error = nullptr);

}  // namespace lk
