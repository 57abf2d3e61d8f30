#include "nn/logprob.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "nn/text_batches.h"

namespace lk {
namespace {

double log_softmax_at(std::span<const float> logits, int32_t id) {
  const float most = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float z : logits) total += std::exp(static_cast<double>(z - most));
  return static_cast<double>(logits[static_cast<size_t>(id)] - most) - std::log(total);
}

}  // namespace

std::vector<LogProbability> log_probabilities(Model& model, std::span<const Continuation> items,
                                              int64_t tokens_per_batch) {
  const NoGrad no_grad;
  const ModelInfo& info = model.info();
  require(info.causal, "{}: this architecture does not continue text", info.architecture);
  std::vector<LogProbability> out(items.size());
  const auto length = [&](size_t i) {
    return static_cast<int64_t>(items[i].prompt.size() + items[i].text.size());
  };
  in_batches(items.size(), tokens_per_batch, length, [&](size_t begin, size_t end) {
    std::vector<int32_t> ids;
    ModelInput in;
    std::vector<std::pair<size_t, size_t>> wanted;  // document of the batch, place in its text
    for (size_t i = begin; i < end; ++i) {
      const Continuation& c = items[i];
      require(!c.prompt.empty() && !c.text.empty(), "a {} has no tokens",
              c.prompt.empty() ? "prompt" : "continuation");
      // The last token predicts nothing.
      std::vector<int32_t> tokens = c.prompt;
      tokens.insert(tokens.end(), c.text.begin(), c.text.end() - 1);
      add_document(ids, in.packing, tokens, info);
      for (size_t t = 0; t < c.text.size(); ++t) wanted.emplace_back(i - begin, t);
    }
    in.ids = ids;
    const Var h = model.hidden(in);
    std::vector<int32_t> rows;
    for (const auto& [document, t] : wanted) {
      // Counted from the document's end, since an input adapter may put tokens before it.
      const auto after = items[begin + document].text.size() - t;
      rows.push_back(in.packing.offsets[document + 1] - static_cast<int32_t>(after));
    }
    // So that the logits take some 64 MB.
    const size_t together =
        std::max<size_t>(1, (size_t{16} << 20) / static_cast<size_t>(info.vocab_size));
    for (size_t at = 0; at < rows.size(); at += together) {
      const size_t n = std::min(together, rows.size() - at);
      const Tensor logits = model.lm_logits(gather_rows(h, std::span(rows).subspan(at, n)))
                                .value()
                                .to(Device::cpu)
                                .to(DType::f32);
      for (size_t r = 0; r < n; ++r) {
        const auto [document, t] = wanted[at + r];
        const auto row = static_cast<int64_t>(r);
        LogProbability& to = out[begin + document];
        to.sum += log_softmax_at(logits.rows(row, row + 1).span<float>(),
                                 items[begin + document].text[t]);
        ++to.tokens;
      }
    }
  });
  return out;
}

}  // namespace lk
