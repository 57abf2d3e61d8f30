// Scoring texts that a model generates.
#pragma once

#include <functional>

#include "data/batch.h"
#include "data/metrics.h"
#include "nn/generate.h"
#include "tools/train/run_model.h"

namespace lk {

// Prompts and what is right behind them; the examples, of both, give the perplexity.
struct Answers {
  std::vector<Example> examples;
  std::vector<std::vector<int32_t>> prompts;
  References references;
};
// finish: what makes an output of the generated text.
Scores score_answers(Model& model, const Tokenizer& tokenizer, const Answers& answers,
                     const GenerateOptions& options,
                     const std::function<std::string(const std::string&)>& finish);

}  // namespace lk
