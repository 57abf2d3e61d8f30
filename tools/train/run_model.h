// Opening what a person points at: a base folder, with an adapter folder where one is given.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/dataset.h"
#include "data/metrics.h"
#include "data/tagged.h"
#include "data/tokenizer/tokenizer.h"
#include "nn/generate.h"
#include "nn/load.h"
#include "peft/adapter_files.h"

namespace lk {

struct OpenModel {
  std::unique_ptr<Model> model;
  std::unique_ptr<Method> method;  // of the adapter; null without one
  Config config;
  Tokenizer tokenizer;
  std::string base;                 // folder
  std::vector<std::string> labels;  // of a classifier
  std::string adapter;              // folder, "" without one
};

// model: a base folder; adapter: a folder written by finetune, or "". With an adapter, model may be
// "": then the adapter's base_model_name_or_path is used.
OpenModel open_model(const std::string& model, const std::string& adapter, DType compute,
                     Device device = Device::cpu);

// What a model does on a data file, for people and for tests.
struct Scores {
  std::vector<std::pair<std::string, double>> values;  // name, score; the first is the main one
  std::vector<std::string> outputs;                    // generated texts, or predicted labels
  std::string line() const;
};
struct ScoreOptions {
  std::string separator = "\n";
  int64_t max_new_tokens = 96, max_length = 0, limit = 0;  // limit > 0: the first records only
  bool truncate = false;
  int64_t num_beams = 1;
  std::string chat_template = {};          // a .jinja instead of the model's own
  size_t count_of(size_t records) const {  // how many of them are scored
    return limit > 0 ? std::min(records, static_cast<size_t>(limit)) : records;
  }
};
Scores score(OpenModel& open, const std::filesystem::path& data, const ScoreOptions& options);
EncodeOptions encode_options(const Model& model, const ScoreOptions& options);

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
Scores score_text(Model& model, const Tokenizer& tokenizer, const TextData& data,
                  const ScoreOptions& options);
Scores score_class(Model& model, const Tokenizer& tokenizer, const ClassData& data,
                   const std::vector<std::string>& labels, const ScoreOptions& options);
// Entity F1, precision and recall where the tags are IOB2; accuracy of tokens.
Scores score_tagged(Model& model, const Tokenizer& tokenizer, const TaggedData& data,
                    const std::vector<std::string>& labels, const ScoreOptions& options);
// How a model takes examples; max_length 0: its context.
EncodeOptions encode_options(const Model& model, const std::string& separator, int64_t max_length,
                             bool truncate);

}  // namespace lk
