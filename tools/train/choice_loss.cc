#include "tools/train/choice_loss.h"

#include "autograd/ops.h"

namespace lk {

Var choice_loss(const Var& log_p, const ChoiceTokens& tokens, const ChoiceWeights& weights) {
  constexpr double kEpsilon = 0.01;  // of the authors' code
  const Var column = view(log_p, {log_p.dim(0), 1});
  const Var beta = mean_pool(column, tokens.offsets);  // [D, 1]
  std::vector<int32_t> right, wrong_tokens, wrong_offsets{0};
  for (size_t r = 0; r + 1 < tokens.records.size(); ++r) {
    const auto first = static_cast<size_t>(tokens.records[r]),
               last = static_cast<size_t>(tokens.records[r + 1]);
    right.push_back(tokens.records[r]);
    for (int32_t t = tokens.offsets[first + 1]; t < tokens.offsets[last]; ++t)
      wrong_tokens.push_back(t);
    const auto end = static_cast<int32_t>(wrong_tokens.size());
    if (end > wrong_offsets.back()) wrong_offsets.push_back(end);
  }
  Var loss = scale(sum(gather_rows(beta, right)), -1.0f);
  if (weights.unlikelihood > 0 && !wrong_tokens.empty()) {
    const Var u = view(unlikelihood(log_p, kEpsilon), {log_p.dim(0), 1});
    const Var each = mean_pool(gather_rows(u, wrong_tokens), wrong_offsets);
    loss = add(loss, scale(sum(each), static_cast<float>(weights.unlikelihood)));
  }
  if (weights.length_normalized <= 0) return loss;
  for (size_t r = 0; r + 1 < tokens.records.size(); ++r) {
    std::vector<int32_t> answers;
    for (int32_t d = tokens.records[r]; d < tokens.records[r + 1]; ++d) answers.push_back(d);
    const Var row = view(gather_rows(beta, answers), {1, static_cast<int64_t>(answers.size())});
    loss = add(loss, scale(cross_entropy(row, std::vector<int32_t>{0}),
                           static_cast<float>(weights.length_normalized)));
  }
  return loss;
}

}  // namespace lk
