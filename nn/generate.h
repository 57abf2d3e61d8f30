// Text generation with a key-value cache.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "nn/model.h"

namespace lk {

struct GenerateOptions {
  int64_t max_new_tokens = 128;
  double temperature = 0.0;  // 0: greedy
  int64_t top_k = 0;         // > 0: among the k likeliest
  double top_p = 1.0;        // < 1: among the fewest that hold this much probability
  double min_p = 0.0;        // > 0: among those with this share of the likeliest's probability
  // > 1: the logit of a token that stands in the text is divided by it, a negative one multiplied
  // (Keskar et al. 2019, section 4.1).
  double repetition_penalty = 1.0;
  int64_t num_beams = 1;        // > 1: beam search, without sampling
  double length_penalty = 1.0;  // of beam search: scores are divided by length^length_penalty
  uint64_t seed = 0;
  std::vector<int32_t> eos_ids;  // end a sequence; empty: the model's own
  // Asked after each new id with all new ids of a prompt: true ends it (not in beam search).
  std::function<bool(size_t prompt, const std::vector<int32_t>& ids)> stop = {};
  // Told before each pass which prompt each of its documents continues.
  std::function<void(const std::vector<size_t>& prompts)> before_pass = {};
  // Told each new id, an eos too, and its natural log-probability under the model itself, before
  // penalty, temperature and cuts (not in beam search).
  std::function<void(size_t prompt, int32_t id, double log_p)> on_log_probability = {};
};

// Continues each prompt (an encoder-decoder answers it); the new ids without the prompt, with the
// eos that ended it left out. on_token is called for each new id of a prompt as it comes, by beam
// search at the end.
std::vector<std::vector<int32_t>> generate(
    Model& model, const std::vector<std::vector<int32_t>>& prompts, const GenerateOptions& options,
    const std::function<void(size_t prompt, int32_t id)>& on_token = {});

// The next id from logits [V] in any float dtype; Error where one is NaN or infinite. seen: the
// text so far.
int32_t choose_token(const Tensor& logits, const GenerateOptions& options, class Random& random,
                     std::span<const int32_t> seen = {});

std::vector<double> log_softmax(const std::vector<float>& logits);

// scores: logits or log-probabilities [V].
template <class T>
void penalise_repetition(std::vector<T>& scores, std::span<const int32_t> seen, double penalty) {
  if (penalty == 1.0) return;
  std::vector<bool> done(scores.size());
  for (const int32_t id : seen) {
    const auto i = static_cast<size_t>(id);
    if (i >= scores.size() || done[i]) continue;
    done[i] = true;
    scores[i] =
        scores[i] < 0 ? scores[i] * static_cast<T>(penalty) : scores[i] / static_cast<T>(penalty);
  }
}

}  // namespace lk
