// Where the authors' code, HF PEFT and AdapterHub differ in a method: each difference is a value of
// the method's settings, and a variant is a set of these values.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "peft/method.h"

namespace lk {

// One setting, with its value in each variant as JSON text; "" where the variant does not exist.
struct VariantValue {
  std::string method, key, original, hf, adapterhub, note;
};
const std::vector<VariantValue>& variant_values();

// "original", "hf" or "adapterhub", those that there are of the method; empty where the
// implementations do not differ in a setting.
std::vector<std::string> known_variants(const MethodInfo& info);
// What a new adapter is made as: hf where HF PEFT has the method, else original.
std::string default_variant(const MethodInfo& info);
// The settings of a variant, an object; Error where the method has no such variant.
nlohmann::json variant_settings(const MethodInfo& info, const std::string& variant);

// A Markdown table of a method's differences, a line for each setting.
std::string variants_table(const MethodInfo& info);

}  // namespace lk
