// Scores of predictions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lk {

double accuracy(std::span<const int32_t> predicted, std::span<const int32_t> expected);
// Unweighted mean over classes that stand in either list (as scikit-learn's
// f1_score(average="macro")).
double macro_f1(std::span<const int32_t> predicted, std::span<const int32_t> expected);
double matthews(std::span<const int32_t> predicted,
                std::span<const int32_t> expected);  // any number of classes

using References = std::vector<std::vector<std::string>>;  // for each prediction, its right answers
// Share of predictions equal to a reference, white space at the ends aside.
double exact_match(const std::vector<std::string>& predicted, const References& references);
// Corpus BLEU-4 in 0..100 (Papineni et al. 2002) over lower-cased words and punctuation marks,
// brevity against the closest reference length; no smoothing.
double bleu(const std::vector<std::string>& predicted, const References& references);
// Mean over predictions of the best F1 of longest common subsequences of words, 0..100 (Lin 2004).
double rouge_l(const std::vector<std::string>& predicted, const References& references);

}  // namespace lk
