#include "tools/train/tasks/answers.h"

#include <cmath>

#include "tools/train/perplexity.h"
#include "tools/train/tasks/task.h"

namespace lk {

Scores score_answers(Model& model, const Tokenizer& tokenizer, const Answers& answers,
                     const GenerateOptions& options,
                     const std::function<std::string(const std::string&)>& finish) {
  Scores scores;
  in_parts(answers.prompts.size(), [&](size_t begin, size_t end) {
    const std::vector<std::vector<int32_t>> part(
        answers.prompts.begin() + static_cast<std::ptrdiff_t>(begin),
        answers.prompts.begin() + static_cast<std::ptrdiff_t>(end));
    for (const auto& ids : generate(model, part, options))
      scores.outputs.push_back(finish(tokenizer.decode(ids)));
  });
  const LossReport loss = evaluate_loss(model, answers.examples);
  scores.values = {{"BLEU", bleu(scores.outputs, answers.references)},
                   {"ROUGE-L", rouge_l(scores.outputs, answers.references)},
                   {"exact match", exact_match(scores.outputs, answers.references)},
                   {"perplexity of the answers", std::exp(loss.loss)}};
  return scores;
}

}  // namespace lk
