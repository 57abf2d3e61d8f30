#include "nn/embed_texts.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "nn/text_batches.h"

namespace lk {
namespace {

Tensor pool(const Var& h, std::span<const int32_t> offsets, Pooling pooling) {
  if (pooling == Pooling::mean) return mean_pool(h, offsets).value();
  std::vector<int32_t> rows;
  for (size_t i = 0; i + 1 < offsets.size(); ++i)
    rows.push_back(pooling == Pooling::cls ? offsets[i] : offsets[i + 1] - 1);
  return gather_rows(h, rows).value();
}

void normalize(std::vector<float>& v) {
  double squares = 0;
  for (const float x : v) squares += static_cast<double>(x) * static_cast<double>(x);
  const auto inverse = static_cast<float>(1.0 / std::sqrt(std::max(squares, 1e-30)));
  for (float& x : v) x *= inverse;
}

}  // namespace

std::vector<std::vector<float>> embed_texts(Model& model,
                                            std::span<const std::vector<int32_t>> texts,
                                            const EmbedOptions& options) {
  const NoGrad no_grad;
  std::vector<std::vector<float>> out;
  const auto length = [&](size_t i) { return static_cast<int64_t>(texts[i].size()); };
  in_batches(texts.size(), options.tokens_per_batch, length, [&](size_t begin, size_t end) {
    std::vector<int32_t> ids;
    ModelInput in;
    for (size_t i = begin; i < end; ++i) add_document(ids, in.packing, texts[i], model.info());
    in.ids = ids;
    const Var h = model.hidden(in);
    const Tensor pooled = pool(h, in.packing.offsets, options.pooling);
    for (int64_t i = 0; i < pooled.dim(0); ++i) {
      out.push_back(pooled.rows(i, i + 1).to_vector<float>());
      if (options.normalize) normalize(out.back());
    }
  });
  return out;
}

}  // namespace lk
