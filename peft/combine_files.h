// LoRA adapters of one base as a new one, from folder to folder.
#pragma once

#include <filesystem>
#include <vector>

#include "peft/combine.h"

namespace lk {

// Writes the adapter that combine() gives in every layer. Files are HF PEFT's, in and out: alpha is
// the rank, a layer that an adapter does not have counts for nothing. Error for another method than
// LoRA, DoRA, a start that replaced base weights, a trained head or bias, and, unless any_base, for
// adapters that name different bases.
void combine_adapters(const std::vector<std::filesystem::path>& adapters,
                      const std::vector<double>& weights, const CombineOptions& options,
                      const std::filesystem::path& output, bool any_base);

}  // namespace lk
