// Opening what a person points at: a base folder, with an adapter folder where one is given.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/tokenizer/tokenizer.h"
#include "nn/load.h"
#include "peft/adapter_files.h"
#include "tools/train/quant_options.h"

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

// What folders say of a model, before it is loaded.
struct ModelSource {
  std::string base, adapter;  // folders; adapter may be ""
  Config config;              // of the base
  std::optional<AdapterConfig> adapter_config;
  Task head;                        // as it was trained; none for an encoder without one
  std::vector<std::string> labels;  // of that head
  QuantOptions quant;  // how the base is held: as the adapter was trained on it, or as it is
};
// model: a base folder; adapter: a folder written by finetune, or "". With an adapter, model may be
// "": then the adapter's base_model_name_or_path is used. quant: how to hold the base, where that
// is not as the adapter was trained on it.
ModelSource find_model(const std::string& model, const std::string& adapter,
                       const QuantOptions& quant = {});

// Puts the adapter on other adapters than those it was trained on. Error without an adapter.
void restack(ModelSource& source, const std::vector<std::string>& folders);

// error: where to collect what quantizing changes, if it is wanted.
OpenModel open_model(const ModelSource& source, DType compute, Device device = Device::cpu,
                     QuantError* error = nullptr);
OpenModel open_model(const std::string& model, const std::string& adapter, DType compute,
                     Device device = Device::cpu);

// Numbers in a model, quantized ones too, and in its adapter (null: none).
int64_t parameter_count(Model& model, Method* method);

// What a model does on a data file, for people and for tests.
struct Scores {
  std::vector<std::pair<std::string, double>> values;  // name, score; the first is the main one
  std::vector<std::string> outputs;                    // generated texts, or predicted labels
  std::string line() const;
};
// accuracy, macro F1 and Matthews' correlation of classes, as Scores::values.
std::vector<std::pair<std::string, double>> class_scores(std::span<const int32_t> predicted,
                                                         std::span<const int32_t> expected);
// The slot error rate of what was written for `inputs`, of which the first were scored, where they
// are E2E's records (data/slot_errors.h).
void add_slot_errors(Scores& scores, std::vector<std::string> inputs);
struct ScoreOptions {
  std::string separator = "\n";
  int64_t max_new_tokens = 96, max_length = 0, limit = 0;  // limit > 0: the first records only
  bool truncate = false;
  int64_t num_beams = 1;
  int64_t round_to = 32;  // batches are padded to so many tokens; 1: no document but the records
  size_t count_of(size_t records) const {  // how many of them are scored
    return limit > 0 ? std::min(records, static_cast<size_t>(limit)) : records;
  }
};
// How a model takes examples; max_length 0: its context.
EncodeOptions encode_options(const Model& model, const ScoreOptions& options);

}  // namespace lk
