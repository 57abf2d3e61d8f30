// Quantized tensors in safetensors files, as bitsandbytes' Linear4bit and transformers keep them:
//   NAME                                     u8 [bytes, 1], the codes
//   NAME.absmax                              f32 [blocks], or u8 with double quantization
//   NAME.quant_map                           f32, the code book
//   NAME.nested_absmax, NAME.nested_quant_map  with double quantization
//   NAME.quant_state.bitsandbytes__TYPE      u8, a JSON text: sizes, types, the offset
#pragma once

#include <optional>
#include <vector>

#include "engine/files/weight_files.h"
#include "nn/config.h"
#include "nn/model.h"
#include "quant/blockwise.h"

namespace lk {

// Error when a part is missing or does not fit the others; it says which and how. where: what
// messages begin with; shape: expected, [out, in].
Quantized read_quantized(const WeightFiles& files, const std::string& name, const Shape& shape,
                         const std::string& where);
void append_quantized(std::vector<NamedTensor>& tensors, const std::string& name,
                      const Quantized& q);

// How the folder's linear layers are quantized, by quantization_config; nothing where they are not.
// Error for a method that is not read here.
std::optional<QuantSpec> stored_spec(const Config& config);

// Writes a folder like save_model's whose quantized layers stay so, with the quantization_config
// that transformers reads; the rest in `dtype`.
void save_quantized_model(Model& model, const Config& config, const std::filesystem::path& folder,
                          DType dtype);

}  // namespace lk
