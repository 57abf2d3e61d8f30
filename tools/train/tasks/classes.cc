// A class for each text or pair of texts (.tsv), by a head of its own.
#include "data/metrics.h"
#include "tools/train/tasks/task.h"
#include "tools/train/trainer.h"

namespace lk {
namespace {

class Classes : public TaskData {
 public:
  Classes(const std::filesystem::path& file, const std::vector<std::string>& labels)
      : data_(read_class_tsv(file)), labels_(labels.empty() ? data_.labels() : labels) {
    require(labels_.size() >= 2, "{}: only the label '{}' occurs; a classifier needs two or more",
            file.string(), labels_[0]);
    for (const ClassRecord& r : data_.records) label_index(labels_, data_, r);
  }
  std::vector<std::string> labels() const override { return labels_; }
  std::vector<std::string> inputs() const override {
    std::vector<std::string> out;
    for (const ClassRecord& r : data_.records)
      out.push_back(r.text_a + (r.text_b.empty() ? "" : " | " + r.text_b));
    return out;
  }

  std::vector<Example> examples(const Model&, const Tokenizer& tokenizer,
                                const EncodeOptions& options) const override {
    return encode(tokenizer, options, data_.records.size());
  }

  Scores score(Model& model, const Tokenizer& tokenizer, const ScoreOptions& o) const override {
    const NoGrad no_grad;
    const std::vector<Example> examples =
        encode(tokenizer, encode_options(model, o), o.count_of(data_.records.size()));
    std::vector<int32_t> predicted, expected;
    Scores scores;
    in_parts(examples.size(), [&](size_t begin, size_t end) {
      std::vector<const Example*> part;
      for (size_t i = begin; i < end; ++i) part.push_back(&examples[i]);
      const Batch batch = make_batch(part, o.round_to);
      ModelInput in = as_input(batch);
      const Var h = model.hidden(in);
      const std::vector<int32_t> best = best_classes(model.class_logits(h, in.packing).value());
      for (size_t i = 0; i < part.size(); ++i) {
        predicted.push_back(best[i]);
        expected.push_back(part[i]->class_label);
        scores.outputs.push_back(labels_[static_cast<size_t>(predicted.back())]);
      }
    });
    scores.values = class_scores(predicted, expected);
    return scores;
  }

 private:
  std::vector<Example> encode(const Tokenizer& tokenizer, const EncodeOptions& options,
                              size_t count) const {
    std::vector<Example> out;
    for (size_t i = 0; i < count; ++i)
      out.push_back(encode_class_example(tokenizer, data_, data_.records[i], labels_, options));
    return out;
  }
  ClassData data_;
  std::vector<std::string> labels_;
};

}  // namespace

TaskKind classes_task() {
  return {
      "classes",
      Task::classification,
      {},
      [](const TaskQuery& q) {
        return q.data == DataKind::class_tsv && !q.encoder_decoder && !q.worded;
      },
      [](const auto& file, const TaskOptions&, const auto& labels) -> std::unique_ptr<TaskData> {
        return std::make_unique<Classes>(file, labels);
      }};
}

}  // namespace lk
