#include "tools/train/quant_options.h"

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "quant/bnb_files.h"

namespace lk {

std::optional<QuantSpec> QuantOptions::spec() const {
  if (type.empty()) {
    require(!double_quant && !head && block_size == 64,
            "--double-quant, --quant-block-size and --quant-head need --quant TYPE");
    return std::nullopt;
  }
  QuantSpec spec{type, block_size, double_quant};
  check_spec(spec, "--quant");
  return spec;
}

nlohmann::json QuantOptions::json() const {
  return {
      {"type", type}, {"block_size", block_size}, {"double_quant", double_quant}, {"head", head}};
}

void add_quant_options(CLI::App& app, QuantOptions& o) {
  app.add_option("--quant", o.type,
                 "hold the base's linear layers, but the head, in nf4, fp4, int4 or int8")
      ->check(CLI::IsMember(quant_types()));
  app.add_option("--quant-block-size", o.block_size,
                 "weights that share a factor: 32, 64, ... 4096")
      ->capture_default_str();
  app.add_flag("--double-quant", o.double_quant, "quantize the blocks' factors too");
  app.add_flag("--quant-head", o.head, "quantize the head too");
}

void remember(Settings& settings, const QuantOptions& options) {
  if (options.type.empty()) return;
  settings.remember("quant", options.json());
}

QuantOptions remembered(const Settings& settings) {
  QuantOptions o;
  const nlohmann::json q = settings.remembered("quant");
  if (q.is_null()) return o;
  try {
    o.type = q.at("type").get<std::string>();
    o.block_size = q.at("block_size").get<int64_t>();
    o.double_quant = q.at("double_quant").get<bool>();
    o.head = q.at("head").get<bool>();
  } catch (const nlohmann::json::exception&) {
    fail("{}: 'lorikeet.quant' is {}; expected type, block_size, double_quant and head",
         settings.source(), q.dump());
  }
  return o;
}

std::unique_ptr<WeightFactory> make_quantizer(const QuantOptions& o, const Config& config,
                                              QuantError* error) {
  stored_spec(config);
  return std::make_unique<Quantizer>(o.spec(), o.head, error);
}

}  // namespace lk
