#include "peft/variants.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/error.h"

namespace lk {
namespace {

const std::string& value_in(const VariantValue& v, const std::string& variant) {
  return variant == "original" ? v.original : variant == "hf" ? v.hf : v.adapterhub;
}

}  // namespace

const std::vector<VariantValue>& variant_values() {
  // The authors' scripts; the defaults of HF PEFT 0.21 and of AdapterHub's adapters 1.3.
  static const std::vector<VariantValue> table{
      {"lora", "lora_alpha", "16", "8", "8", "the authors' RoBERTa scripts; both with rank 8"},
      {"qlora", "r", "64", "8", "", "Guanaco's scripts"},
      {"qlora", "lora_alpha", "16", "8", "", ""},
      {"qlora", "lora_dropout", "0.1", "0.0", "", "0.05 from 33 billion parameters on"},
      {"adalora", "lora_alpha", "16", "8", "", ""},
      {"adalora", "orth_reg_weight", "0.1", "0.5", "", ""},
      {"ia3", "variant", "\"original\"", "\"hf\"", "\"adapterhub\"",
       "k, v and the input of the second FFN matrix; a table by model; the output of the first"},
      {"c3a", "variant", "\"original\"", "\"hf\"", "", "whose gradient"},
      {"prefix", "num_virtual_tokens", "10", "20", "30", ""},
      {"prefix", "prefix_projection", "true", "false", "true", "the MLP"},
      {"prefix", "encoder_hidden_size", "512", "512", "512", ""},
      {"prefix", "prefix_positions", "\"shift\"", "\"shift\"", "\"keep\"",
       "where a text's positions begin: behind the prefix, or at 0"},
      {"prompt", "num_virtual_tokens", "100", "20", "10", ""},
      {"prompt", "prompt_tuning_init", "\"SAMPLE_VOCAB\"", "\"RANDOM\"", "\"RANDOM\"", ""},
      {"prompt", "prompt_random_init", "\"uniform_positive\"", "\"normal\"", "\"uniform\"",
       "U[0, 0.5), N(0, 1), U[-0.5, 0.5)"},
      {"prompt", "prompt_vocab_limit", "5000", "0", "0", "sampled without repetition, or with"},
      {"ptuning", "encoder_reparameterization_type", "\"LSTM\"", "\"MLP\"", "", ""},
      {"ptuning-v2", "prefix_init_std", "0.02", "1.0", "", ""},
      {"ptuning-v2", "prefix_dropout", "0.1", "0.0", "", "on keys and values"},
      {"houlsby", "non_linearity", "\"gelu_new\"", "", "\"swish\"", ""},
      {"houlsby", "init_weights", "\"houlsby\"", "", "\"bert\"",
       "N(0, init_std) cut at two of it; N(0, 0.02)"},
      {"houlsby", "train_norms", "true", "", "false", "the norms of the base"},
      {"mam", "parallel_input", "\"sublayer\"", "", "\"residual\"",
       "in pre-norm blocks: after the norm, or before it"},
      {"parallel", "parallel_input", "\"sublayer\"", "", "\"residual\"",
       "in pre-norm blocks: after the norm, or before it"},
  };
  return table;
}

std::vector<std::string> known_variants(const MethodInfo& info) {
  std::vector<std::string> out;
  for (const char* variant : {"original", "hf", "adapterhub"})
    if (std::any_of(variant_values().begin(), variant_values().end(), [&](const VariantValue& v) {
          return v.method == info.name && !value_in(v, variant).empty();
        }))
      out.emplace_back(variant);
  return out;
}

std::string default_variant(const MethodInfo& info) {
  // Several methods may write one type of HF PEFT's; the first is what it means there.
  const bool in_peft = !info.peft_type.empty() && find_method(info.peft_type).name == info.name;
  return in_peft ? "hf" : "original";
}

nlohmann::json variant_settings(const MethodInfo& info, const std::string& variant) {
  const std::vector<std::string> known = known_variants(info);
  nlohmann::json out = nlohmann::json::object();
  if (known.empty() && variant == default_variant(info)) return out;
  if (std::find(known.begin(), known.end(), variant) == known.end()) {
    std::string names;
    for (const std::string& k : known) names += (names.empty() ? "" : ", ") + k;
    fail("the method '{}' has no variant '{}' (known: {})", info.name, variant,
         names.empty() ? default_variant(info) + ", and no other that differs" : names);
  }
  for (const VariantValue& v : variant_values())
    if (v.method == info.name && !value_in(v, variant).empty())
      out[v.key] = nlohmann::json::parse(value_in(v, variant));
  return out;
}

std::string variants_table(const MethodInfo& info) {
  const std::vector<std::string> known = known_variants(info);
  if (known.empty())
    return fmt::format("{}: the implementations do not differ in its settings\n", info.name);
  std::string out = "| setting |", line = "|---|";
  for (const std::string& variant : known) {
    out += fmt::format(" {}{} |", variant, variant == default_variant(info) ? " (default)" : "");
    line += "---|";
  }
  out += " |\n" + line + "---|\n";
  for (const VariantValue& v : variant_values()) {
    if (v.method != info.name) continue;
    out += "| `" + v.key + "` |";
    for (const std::string& variant : known) out += " " + value_in(v, variant) + " |";
    out += " " + v.note + " |\n";
  }
  return out;
}

}  // namespace lk
