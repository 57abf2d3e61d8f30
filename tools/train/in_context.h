// In-context learning (Brown et al. 2020, arXiv:2005.14165): the task is shown by examples in the
// prompt and nothing trains; scored by the same metrics as trained methods.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "tools/train/run_model.h"

namespace lk {

struct InContextOptions {
  std::filesystem::path pool = {};  // where examples are drawn from; empty for zero-shot
  int64_t shots = 0;                // examples in the prompt
  // > 0: they are drawn from so many of the pool, the same that finetune's --train-limit takes.
  int64_t pool_limit = 0;
  std::string template_text = "";    // "": a plain one for the kind of data
  std::string selection = "random";  // drawn anew for each prompt; or "nearest" by embedding
  // Zhao et al. 2021 (arXiv:2102.09690): what the model gives each choice when the text is "N/A",
  // behind the same examples, is subtracted.
  bool calibrate = false;
  std::map<std::string, std::string> verbalizer = {};  // label to the words that stand for it
  uint64_t seed = 0;
};

// Classes: each choice is scored by its log-probability after the prompt; the main scores take its
// mean over tokens, and those of the sum are given too. Texts: generated up to what follows the
// answer in the template. A prompt that is too long for the context loses its first examples.
// records: set to how many the data has.
Scores score_in_context(OpenModel& open, const std::filesystem::path& data,
                        const InContextOptions& in_context, const ScoreOptions& options,
                        size_t* records = nullptr);

}  // namespace lk
