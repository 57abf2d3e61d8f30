#include "tests/oracle.h"

#include <algorithm>
#include <limits>

#include "autograd/ops.h"

namespace lk::test {

OracleBatch read_batch(const SafetensorsFile& vectors, const std::string& prefix) {
  const Tensor ids = vectors.get(prefix + "input_ids");
  const int64_t batch = ids.dim(0), length = ids.dim(1);
  const auto column = [&](const std::string& name) {
    return vectors.has(prefix + name) ? vectors.get(prefix + name).to_vector<int32_t>()
                                      : std::vector<int32_t>();
  };
  const auto id = column("input_ids"), mask = column("attention_mask"), label = column("labels"),
             type = column("token_type_ids");
  const bool per_token = static_cast<int64_t>(label.size()) == batch * length;
  OracleBatch out;
  if (!per_token) out.class_labels = label;
  out.packing.offsets.push_back(0);
  for (int64_t b = 0; b < batch; ++b) {
    if (per_token) out.packing.first_labels.push_back(label[static_cast<size_t>(b * length)]);
    for (int64_t t = 0; t < length; ++t) {
      const auto at = static_cast<size_t>(b * length + t);
      if (!mask.empty() && mask[at] == 0) continue;
      out.places.push_back(at);
      out.ids.push_back(id[at]);
      out.packing.positions.push_back(static_cast<int32_t>(t));
      if (!type.empty()) out.packing.type_ids.push_back(type[at]);
      const int32_t next = per_token && t + 1 < length ? label[at + 1] : -100;
      out.labels.push_back(next);
    }
    out.packing.offsets.push_back(static_cast<int32_t>(out.ids.size()));
  }
  return out;
}

Var mean_loss(Model& model, const OracleBatch& batch) {
  ModelInput in = batch.input();
  in.packing.labels = batch.labels;
  const Var h = model.hidden(in);
  if (!batch.class_labels.empty())
    return scale(cross_entropy(model.class_logits(h, in.packing), batch.class_labels),
                 1.0f / static_cast<float>(batch.class_labels.size()));
  const auto labelled = std::count_if(in.packing.labels.begin(), in.packing.labels.end(),
                                      [](int32_t label) { return label != -100; });
  return scale(model.lm_loss(h, in.packing.labels), 1.0f / static_cast<float>(labelled));
}

double max_difference(const Tensor& a, const Tensor& b) {
  if (a.numel() != b.numel()) return std::numeric_limits<double>::infinity();
  double most = 0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    const double d = std::abs(a.item(i) - b.item(i));
    if (!(d <= most)) most = std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
  }
  return most;
}

double max_magnitude(const Tensor& a) {
  double most = 0;
  for (int64_t i = 0; i < a.numel(); ++i) most = std::max(most, std::abs(a.item(i)));
  return most;
}

}  // namespace lk::test
