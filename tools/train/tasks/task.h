// A kind of task: what its data file holds, how records become batches, what the loss is, how a
// model is scored. Each kind is a file of this folder and a line in registry.cc.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/tokenizer/tokenizer.h"
#include "nn/config.h"
#include "nn/model.h"
#include "tools/train/consistency.h"
#include "tools/train/run_model.h"

namespace lk {

// What the command line says of a task. An adapter remembers the part that its data is read with.
struct TaskOptions {
  std::string chat_template = {};                      // a .jinja instead of the model's own
  std::string template_text = {};                      // of a record; "": the kind's own
  std::map<std::string, std::string> verbalizer = {};  // label to the words that stand for it
  // The masking of plain text: the share of the tokens to be told, and of these the shares that the
  // mask and a random token take the place of.
  double mlm_probability = 0.15, mask_replace = 0.8, random_replace = 0.1;
  bool pseudo_perplexity = false;
  // T-Few's losses beside that of the right answer, by their weights.
  double unlikelihood = 0, length_normalized = 0;
  uint64_t seed = 0;  // of masking
};

// Where a task is opened: what it reads beside its data.
struct TaskPlace {
  const Model& model;
  const Tokenizer& tokenizer;
  std::filesystem::path base, adapter;  // folders; adapter may be empty
};

// One data file as a task.
class TaskData {
 public:
  virtual ~TaskData() = default;

  // --- without a model ---
  // The names of its classes, in the order of their indices; empty where it has none.
  virtual std::vector<std::string> labels() const { return {}; }
  virtual std::vector<std::string> inputs() const { return {}; }  // the records, for people
  virtual int64_t virtual_tokens() const { return 0; }            // in its template
  // What an adapter remembers, so that data are read in the same way later: keys "template",
  // "verbalizer" and "labels", where they are the task's.
  virtual nlohmann::json memory() const;

  // --- with one ---
  virtual void open(const TaskPlace&) {}
  // What an adapter's folder keeps beside its own files.
  virtual void save(const std::filesystem::path& /*adapter*/) const {}
  virtual std::vector<Example> examples(const Model& model, const Tokenizer& tokenizer,
                                        const EncodeOptions& options) const = 0;
  // number: another one for each batch of a run.
  virtual Batch batch(std::span<const Example* const> examples, uint64_t number) const;
  // What the loss is the cross entropy of.
  virtual Prediction predict(Model& model, const Batch& batch) const;
  // Summed over Batch::labelled.
  virtual Var loss(Model& model, const Batch& batch) const;
  virtual Scores score(Model& model, const Tokenizer& tokenizer,
                       const ScoreOptions& options) const = 0;
};

// What decides which kind of task a data file is.
struct TaskQuery {
  DataKind data;
  bool encoder, encoder_decoder;  // of the model; neither: it continues text
  bool worded;                    // a template or a verbalizer is given
};

struct TaskKind {
  std::string name;
  Task head;                      // what the model must end in
  std::vector<std::string> uses;  // the options that it reads, without their dashes
  bool (*takes)(const TaskQuery& query);
  // labels: of the training data; empty: the file's own. Errors of the file name file and line.
  std::unique_ptr<TaskData> (*make)(const std::filesystem::path& file, const TaskOptions& options,
                                    const std::vector<std::string>& labels);
};

const std::vector<TaskKind>& task_kinds();  // the first that takes a file is meant
const TaskKind& find_task_kind(const std::string& name);
// The kind of a data file for the model of `config`: the one it was trained on where that takes the
// file. Error where it has no use for an option given.
const TaskKind& task_kind(const std::filesystem::path& file, const Config& config,
                          const TaskOptions& options, const TaskKind* trained = nullptr);

// What adapter_config.json remembers of the task, under "lorikeet"; memory: of TaskData.
void remember(Settings& settings, const TaskKind& kind, const nlohmann::json& memory);
struct RememberedTask {
  const TaskKind* kind = nullptr;  // null: nothing is remembered
  std::string template_text = {};
  std::map<std::string, std::string> verbalizer = {};
  std::vector<std::string> labels = {};
};
RememberedTask remembered_task(const Settings& settings);

// One function for each kind, in the file of its name.
TaskKind chat_task();
TaskKind choices_task();
TaskKind classes_task();
TaskKind cloze_task();
TaskKind mlm_task();
TaskKind pairs_task();
TaskKind tags_task();
TaskKind text_task();

// Calls f for runs of `count` records of at most 32.
void in_parts(size_t count, const std::function<void(size_t begin, size_t end)>& f);
// The likeliest class of each row of logits [n, C].
std::vector<int32_t> best_classes(const Tensor& logits);

}  // namespace lk
