// Quantizing linear layers while a model is loaded or made, tensor by tensor: of the dense model
// there is never more than one matrix in memory.
#pragma once

#include <optional>

#include "nn/load.h"
#include "quant/blockwise.h"

namespace lk {

// The root mean square error of the layers that were quantized, relative to their weights'.
struct QuantError {
  int64_t layers = 0;
  double mean = 0, worst = 0;  // over layers
  std::string worst_layer;
  void add(const std::string& layer, const Quantized& q, const Tensor& w);  // q: w quantized
};

class Quantizer : public WeightFactory {
 public:
  // spec: how dense layers are quantized, if they are; layers that the folder holds quantized are
  // read as they are. The head, and BERT's pooler before it, stay dense unless `head`. Norms and
  // embeddings are never quantized. error: where to collect the error; it must live as long.
  explicit Quantizer(std::optional<QuantSpec> spec, bool head = false, QuantError* error = nullptr);
  std::unique_ptr<Weight> load(const Linear& linear, const StoredWeight& stored) const override;
  bool wants(const Linear& linear) const override;
  std::unique_ptr<Weight> make(const Linear& linear, const std::string& name, const Tensor& w,
                               bool in_out) const override;

 private:
  std::unique_ptr<Weight> hold(const Linear& linear, const std::string& name, const Tensor& w,
                               bool in_out, const Tensor& source) const;
  std::optional<QuantSpec> spec_;
  bool head_;
  QuantError* error_;
};

// How many weights quantized layers hold; visit_parameters does not show them.
int64_t quantized_numel(Model& model);

// Quantizes the dense weights of the layers that the quantizer wants.
void quantize_linears(Model& model, const Quantizer& quantizer);

// Puts dense weights in `dtype` in the place of quantized ones (to merge an adapter into them);
// returns how many.
int64_t dequantize_linears(Model& model, DType dtype);

}  // namespace lk
