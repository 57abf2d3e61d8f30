#include "quant/quantizer.h"

#include <cmath>

#include "engine/dry_run.h"
#include "quant/bnb_files.h"
#include "quant/quantized_weight.h"

namespace lk {
namespace {

Tensor transposed(const Tensor& m) {
  Tensor out = Tensor::empty({m.dim(1), m.dim(0)}, m.dtype());
  const int64_t rows = m.dim(0), cols = m.dim(1), size = size_of(m.dtype());
  constexpr int64_t kTile = 64;
  for (int64_t i0 = 0; i0 < rows; i0 += kTile)
    for (int64_t j = 0; j < cols; ++j)
      for (int64_t i = i0; i < std::min(rows, i0 + kTile); ++i)
        std::memcpy(static_cast<char*>(out.raw()) + (j * rows + i) * size,
                    static_cast<const char*>(m.raw()) + (i * cols + j) * size,
                    static_cast<size_t>(size));
  return out;
}

}  // namespace

void QuantError::add(const std::string& layer, const Quantized& q, const Tensor& w) {
  // A megabyte at a time: the model being loaded may fill the memory.
  const int64_t cols = w.dim(1), step = std::max<int64_t>(1, (1 << 18) / cols);
  const Tensor restored = Tensor::empty({std::min(step, w.dim(0)), cols}, DType::f32);
  const auto* r = restored.data<float>();
  double error = 0, size = 0;
  for (int64_t row = 0; row < w.dim(0) && !dry_run(); row += step) {
    const int64_t rows = std::min(step, w.dim(0) - row), n = rows * cols;
    dequantize_range(restored.raw(), DType::f32, q, row * cols, n);
    const Tensor exact = w.rows(row, row + rows).to(DType::f32);
    const auto* x = exact.data<float>();
    for (int64_t i = 0; i < n; ++i) {
      const double d = static_cast<double>(r[i]) - x[i];
      error += d * d;
      size += static_cast<double>(x[i]) * x[i];
    }
  }
  const double relative = size > 0 ? std::sqrt(error / size) : 0.0;
  mean = (mean * static_cast<double>(layers) + relative) / static_cast<double>(layers + 1);
  ++layers;
  if (!(relative <= worst)) {
    worst = relative;
    worst_layer = layer;
  }
}

Quantizer::Quantizer(std::optional<QuantSpec> spec, bool head, QuantError* error)
    : spec_(std::move(spec)), head_(head), error_(error) {
  if (spec_) check_spec(*spec_, "quantize");
}

bool Quantizer::wants(const Linear& linear) const {
  const bool at_head = linear.role() == Role::head || linear.role() == Role::pooler;
  return spec_.has_value() && (head_ || !at_head);
}

std::unique_ptr<Weight> Quantizer::load(const Linear& linear, const StoredWeight& s) const {
  const Shape shape{linear.out_features(), linear.in_features()};
  if (s.files.dtype(s.name) == DType::u8) {
    Quantized q = read_quantized(s.files, s.name, shape, s.folder);
    require(!spec_ || *spec_ == q.spec,
            "{}: '{}' is quantized already ({}, blocks of {}{}), other than asked for; ask for the "
            "same or for nothing, or start from the dense folder",
            s.folder, s.name, q.spec.type, q.spec.block_size,
            q.spec.double_quant ? ", double" : "");
    return std::make_unique<QuantizedWeight>(linear.name() + ".weight", std::move(q), s.in_out);
  }
  if (!wants(linear)) return nullptr;
  const Tensor w = s.files.get(s.name);
  const Shape expected = s.in_out ? Shape{shape[1], shape[0]} : shape;
  require(w.shape() == expected && is_float(w.dtype()),
          "{}: tensor '{}' is {} {}; expected floating point of shape {}", s.folder, s.name,
          name_of(w.dtype()), w.shape(), expected);
  return hold(linear, linear.name() + ".weight", w, s.in_out, w.is_mapped() ? w : Tensor());
}

std::unique_ptr<Weight> Quantizer::make(const Linear& linear, const std::string& name,
                                        const Tensor& w, bool in_out) const {
  return hold(linear, name, w, in_out, {});
}

std::unique_ptr<Weight> Quantizer::hold(const Linear& linear, const std::string& name,
                                        const Tensor& w, bool in_out, const Tensor& source) const {
  const CategoryScope weights(Category::weights);
  const Tensor stored = w.dtype() == DType::f64 ? w.to(DType::f32) : w;
  QuantSpec spec = *spec_;
  spec.double_quant = false;
  const Tensor by_rows = in_out ? transposed(stored) : stored;
  Quantized q = quantize(by_rows, spec);
  for (int64_t b = 0; b < q.blocks() && !dry_run(); ++b)
    require(std::isfinite(q.absmax.data<float>()[b]),
            "{}: the weight holds NaN or infinity (row {}); it cannot be quantized", name,
            b * spec.block_size / linear.in_features());
  if (spec_->double_quant) quantize_factors(q);
  if (error_) error_->add(linear.name(), q, by_rows);
  return std::make_unique<QuantizedWeight>(name, std::move(q), in_out, source);
}

int64_t quantized_numel(Model& model) {
  int64_t total = 0;
  model.visit_linears([&](Linear& linear) {
    if (const auto* q = dynamic_cast<QuantizedWeight*>(&linear.weight()))
      total += q->quantized().numel();
  });
  return total;
}

void quantize_linears(Model& model, const Quantizer& quantizer) {
  model.visit_linears([&](Linear& linear) {
    const auto* dense = dynamic_cast<DenseWeight*>(&linear.weight());
    if (!dense || !quantizer.wants(linear)) return;
    const Parameter& p = dense->parameter();
    linear.set_weight(quantizer.make(linear, p.name, p.var.value(), dense->in_out()));
  });
}

int64_t dequantize_linears(Model& model, DType dtype) {
  int64_t count = 0;
  model.visit_linears([&](Linear& linear) {
    const auto* q = dynamic_cast<QuantizedWeight*>(&linear.weight());
    if (!q) return;
    const CategoryScope weights(Category::weights);
    auto dense =
        std::make_unique<DenseWeight>(q->name(), q->in_features(), q->out_features(), q->in_out());
    const Tensor w = q->dense(dtype);
    dense->parameter().set(q->in_out() ? transposed(w) : w);
    linear.set_weight(std::move(dense));
    ++count;
  });
  return count;
}

}  // namespace lk
